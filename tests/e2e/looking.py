"""What the tests in Chromium share: somebody who has logged in, and a look at a whole page."""

import os
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.e2e.browser import axe_violations
from voltyard.app import DEMO_EMAIL

LATE_MS = 90_000
SHOTS = os.environ.get("VOLTYARD_SHOTS", "")
"""A folder for pictures of each page, to be looked at by people."""

WHOLE = """() => document.body && document.readyState === 'complete'
  && document.fonts.status === 'loaded'"""


def signed_in_page(
    browser: Browser,
    url: str,
    password: str,
    theme: str,
    width: int,
    locale: str,
    email: str = DEMO_EMAIL,
) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
    )
    wishes = {"voltyard_theme": theme, "voltyard_locale": locale}
    context.add_cookies([{"name": k, "value": v, "url": url} for k, v in wishes.items()])
    context.set_default_timeout(LATE_MS)
    page = context.new_page()
    page.goto(f"{url}/login")
    page.fill("input[name=email]", email)
    page.fill("input[name=password]", password)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    return page


def looked_at(page: Page, name: str) -> list[str]:
    """What is wrong with the page as it is: axe, and whether it is wider than the screen.

    The page must be the one meant: after a click that leads elsewhere, wait for its address.
    """
    page.wait_for_function(WHOLE)
    if SHOTS:
        width, theme = page.viewport_size, page.evaluate("document.documentElement.dataset.theme")
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        size = width["width"] if width else 0
        page.screenshot(path=Path(SHOTS) / f"{name}-{theme}-{size}.png", full_page=True)
    wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    found = [f"{name}: {line}" for line in axe_violations(page)]
    return found + ([f"{name}: {wider} px wider than the screen"] if wider > 0 else [])
