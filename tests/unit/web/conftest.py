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


@pytest.fixture
def console() -> FakeConsole:
    return FakeConsole(80, moving=False)


@pytest.fixture
def client(console: FakeConsole) -> Iterator[TestClient[Litestar]]:
    """Nobody is signed in."""
    with TestClient(console.app, base_url="http://testserver.local") as opened:
        opened.follow_redirects = False
        yield opened


@pytest.fixture
def admin(client: TestClient[Litestar]) -> TestClient[Litestar]:
    client.cookies.set("voltyard_session", "token-admin")
    return client
