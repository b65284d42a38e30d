"""The console's texts against their German catalogue.

python -m tests.unit.web.catalogue     adds new texts to the .po file, untranslated
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

import voltyard.study
import voltyard.web

WEB = Path(voltyard.web.__file__).parent
STUDY = Path(voltyard.study.__file__).parent
PO = WEB / "locale" / "de" / "LC_MESSAGES" / "voltyard.po"
ERRORS = ("NotFound", "Invalid", "Forbidden", "Conflict", "Unauthenticated", "TooMany")
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "N_": None,
    "gettext": None,
    "_say": None,
    "ngettext": (1, 2),
    **dict.fromkeys(ERRORS, (1,)),
}


def source() -> Catalog:
    """Every text of the templates and modules."""
    found = Catalog(locale="de", project="voltyard", charset="utf-8")
    method_map = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
    options = {"**/templates/**.html": {"trimmed": "true", "silent": "false"}}
    for folder, keywords in ((WEB, KEYWORDS), (STUDY, {**KEYWORDS, "say": None})):
        for file_name, _line, message, _comments, _context in extract_from_dir(
            folder, method_map, options, keywords
        ):
            if message and message != "":
                found.add(message, locations=[(file_name, 1)])
    return found


def german() -> Catalog:
    if not PO.exists():
        return Catalog(locale="de", project="voltyard", charset="utf-8")
    with PO.open("rb") as stored:
        return read_po(stored, locale="de")


def main() -> None:
    catalogue = german()
    catalogue.update(source(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    catalogue.fuzzy = False
    catalogue.header_comment = "# German texts of the console."
    catalogue.project, catalogue.version = "voltyard", "1"
    catalogue.last_translator = catalogue.language_team = "The voltyard authors"
    catalogue.msgid_bugs_address = ""
    catalogue.creation_date = catalogue.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    PO.parent.mkdir(parents=True, exist_ok=True)
    with PO.open("wb") as target:
        write_po(
            target, catalogue, width=100, omit_header=False, no_location=True, sort_output=True
        )
    missing = [message.id for message in catalogue if message.id and not message.string]
    print(f"{len(catalogue)} texts, {len(missing)} without German", file=sys.stderr)


if __name__ == "__main__":
    main()
