"""Pictures of every page in both themes, wide and narrow, to be looked at by people.

python -m tests.e2e.take_screenshots /tmp/shots [name …]
"""

import sys
from pathlib import Path

from tests.e2e.browser import axe_violations, launched, signed_in
from tests.e2e.pages import OUTSIDE, PAGES
from tests.e2e.serve_fake import FakeConsole, serving

LOOKS = [("light", 1600), ("dark", 1600), ("light", 390), ("dark", 390)]


def main() -> None:
    target, wanted = Path(sys.argv[1]), sys.argv[2:]
    target.mkdir(parents=True, exist_ok=True)
    with serving(FakeConsole(80)) as url, launched() as browser:
        for theme, width in LOOKS:
            inside = signed_in(browser, url, theme=theme, width=width, height=900)
            outside = signed_in(browser, url, role="nobody", theme=theme, width=width)
            for page in (inside, outside):
                page.on("console", lambda message: print("  console:", message.text))
                page.on("pageerror", lambda error: print("  error:", error))
            for name, path in (PAGES | OUTSIDE).items():
                if wanted and name not in wanted:
                    continue
                page = outside if name in OUTSIDE else inside
                page.goto(url + path)
                page.wait_for_load_state("networkidle") if name in OUTSIDE else None
                page.wait_for_timeout(700)
                page.screenshot(path=target / f"{name}-{theme}-{width}.png")
                overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                print(name, theme, width, f"overflow {overflow}" if overflow > 0 else "")
                for line in axe_violations(page):
                    print("  axe:", line)


if __name__ == "__main__":
    main()
