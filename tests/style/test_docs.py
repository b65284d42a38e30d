"""What the documents name is there: pages, files, commands with their options, settings."""

import argparse
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from voltyard import cli
from voltyard.config import Settings

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "src" / "voltyard"
PAGES = [
    *sorted((REPOSITORY / "docs").rglob("*.md")),
    *(REPOSITORY / f"{name}.md" for name in ("README", "ARCHITECTURE", "CONTRIBUTING")),
]
CODE = re.compile(r"```[a-z]*\n(.*?)```|`([^`\n]+)`", re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
COMMAND = re.compile(r"(?:^|\s)voltyard ((?:--?[\w-]+ )*)([a-z][a-z-]*)([^\n#|]*)", re.MULTILINE)
FILE = re.compile(r"(?<![\w/.-])(?:[\w.-]+/)+[\w.-]+\.(?:py|md|toml|sh|json|ts|html)")
OF_A_READER = ("somewhere", "path/to", "dist/")
"""Begins what stands for a file of the reader's own."""


def code(page: Path) -> Iterator[str]:
    for match in CODE.finditer(page.read_text()):
        yield match[1] if match[1] is not None else match[2]


def subcommands() -> dict[str, argparse.ArgumentParser]:
    parser = cli._parser()
    (found,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return dict(found.choices)


def name(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    assert [link for link in targets if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_and_their_options_exist(page: Path) -> None:
    known, wrong = subcommands(), []
    for text in code(page):
        for _, command, rest in COMMAND.findall(text.replace("\\\n", " ")):
            if command not in known:
                wrong.append(f"voltyard {command}")
                continue
            options = known[command]._option_string_actions
            wrong += [
                f"voltyard {command} {option}"
                for option in re.findall(r"(?<!\S)\[?(--[a-z-]+)", rest)
                if option not in options
            ]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_make_targets_exist(page: Path) -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    known = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {t for text in code(page) for t in re.findall(r"(?:^|\s)make ([a-z-]+)", text)}
    assert named - known == set()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_exist(page: Path) -> None:
    roots = (REPOSITORY, PACKAGE, PACKAGE / "ocpp", page.parent, REPOSITORY / "docs")
    named = {
        file
        for text in code(page)
        for file in FILE.findall(text)
        if not file.startswith(OF_A_READER)
    }
    assert [f for f in sorted(named) if not any((root / f).exists() for root in roots)] == []


def test_the_guide_names_every_setting_with_its_default() -> None:
    table = (REPOSITORY / "docs/operate/run.md").read_text().partition("| `VOLTYARD_…`")[2]
    rows = [line for line in table.partition("\n\n")[0].splitlines() if line.startswith("| `")]
    named = {
        word.lower() for row in rows for word in re.findall(r"`([A-Z0-9_]+)`", row.split("|")[1])
    }
    assert named == {field.name for field in fields(Settings)}
