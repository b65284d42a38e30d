"""A client of the console over the fake depot."""

from collections.abc import Iterator

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from tests.e2e.serve_fake import FakeConsole
from voltyard.web import assets


@pytest.fixture(autouse=True, scope="session")
def _some_assets() -> Iterator[None]:
    """Pages name their assets; where none were built, made-up names do."""
    if not (assets.STATIC_DIR / "manifest.json").exists():
        names = {"app.js": "app-0.js", "style.css": "style-0.css", "inter.woff2": "inter-0.woff2"}
        assets.manifest.cache_clear()
        patch = pytest.MonkeyPatch()
        patch.setattr(assets, "manifest", lambda: names)
        yield
        patch.undo()
    else:
        yield


@pytest.fixture(scope="session")
def opened() -> Iterator[tuple[FakeConsole, TestClient[Litestar]]]:
    """One application for all tests of pages: making it takes longer than asking it."""
    console = FakeConsole(80, moving=False)
    with TestClient(console.app, base_url="http://testserver.local") as client:
        client.follow_redirects = False
        yield console, client


@pytest.fixture
def console(opened: tuple[FakeConsole, TestClient[Litestar]]) -> FakeConsole:
    """The depot as it was at first."""
    opened[0].reset()
    return opened[0]


@pytest.fixture
def client(
    console: FakeConsole, opened: tuple[FakeConsole, TestClient[Litestar]]
) -> TestClient[Litestar]:
    """Nobody is signed in."""
    opened[1].cookies.clear()
    return opened[1]


@pytest.fixture
def admin(client: TestClient[Litestar]) -> TestClient[Litestar]:
    client.cookies.set("voltyard_session", "token-admin")
    return client
