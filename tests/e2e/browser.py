"""Chromium for the console's tests, or a plain word on how to get it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

CANDIDATES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO_GET_IT = (
    "The console's tests need Chromium. Install it with\n"
    "    apt-get update && apt-get install -y chromium\n"
    "or name one by VOLTYARD_CHROMIUM=/path/to/chromium."
)
AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
LATE_MS = 30_000


def chromium_path() -> str:
    """The browser to drive; RuntimeError says how to get one."""
    named = os.environ.get("VOLTYARD_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, CANDIDATES)), None)
    if not found or not Path(found).exists():
        raise RuntimeError(HOW_TO_GET_IT)
    return found


@contextmanager
def launched() -> Iterator[Browser]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium_path(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


def signed_in(
    browser: Browser,
    url: str,
    *,
    role: str = "admin",
    theme: str = "light",
    width: int = 1600,
    height: int = 1000,
    locale: str = "en",
) -> Page:
    """A page of somebody with a role; the fake depot's cookies need no log-in."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
    )
    cookies = {
        "voltyard_session": f"token-{role}",
        "voltyard_theme": theme,
        "voltyard_locale": locale,
    }
    context.add_cookies([{"name": k, "value": w, "url": url} for k, w in cookies.items()])
    context.set_default_timeout(LATE_MS)
    return context.new_page()


def axe_violations(page: Page) -> list[str]:
    """What axe-core finds wrong with the page as it is shown, one line each."""
    if not AXE.exists():
        raise RuntimeError("axe-core is missing. Run: python build_web.py")
    page.evaluate(AXE.read_text())
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary'][:300]}"
        for rule in found["violations"]
        for node in rule["nodes"][:3]
    ]
