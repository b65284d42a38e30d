"""Chromium and a served fake depot for the browser tests."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser

from build_web import build
from tests.e2e.browser import launched
from tests.e2e.serve_fake import FakeConsole, serving


@dataclass(frozen=True, slots=True)
class Served:
    console: FakeConsole
    url: str


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not for longer: while Playwright's loop runs, no other test of the process can run one."""
    build()
    with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def _still() -> Iterator[Served]:
    console = FakeConsole(80, moving=False)
    with serving(console) as url:
        yield Served(console, url)


@pytest.fixture
def depot(_still: Served) -> Served:
    """A depot where only moves what the test moves."""
    _still.console.reset()
    return _still
