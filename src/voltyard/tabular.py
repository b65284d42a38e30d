"""Tables of text (CSV) that people and programs send: read whole, every fault named by place.

Knows nothing of what the columns mean; the rooms' importers do.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

BYTES_MAX = 20_000_000
ROWS_MAX = 50_000
SEPARATORS = (",", ";", "\t")
_LOCAL_FORMS = ("%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d.%m.%y %H:%M")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")
_YES = frozenset({"1", "true", "yes", "y", "ja", "j", "x"})
_NO = frozenset({"0", "false", "no", "n", "nein"})


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong where. Row 1 is the header; row 0 is the file as a whole."""

    row: int
    column: str
    reason: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One row: trimmed text by column."""

    row: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """``readable`` is False when the header (or the whole file) makes no sense."""

    lines: tuple[Line, ...]
    faults: tuple[Fault, ...]
    readable: bool = True


class _Broken(Exception):
    """A row that is no CSV."""

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(reason)
        self.row = row
        self.reason = reason


def read(content: bytes, *, known: Sequence[str], needed: Iterable[str]) -> Table:
    """A table with a header of ``known`` columns in any order and case.

    UTF-8 (with or without BOM), UTF-16 with BOM or Windows-1252; separated by comma, semicolon
    or tab; quoted as RFC 4180 says. Blank lines are passed over. Never raises for what a file
    holds.
    """
    if len(content) > BYTES_MAX:
        return _refused(f"the file is larger than {BYTES_MAX // 1_000_000} MB")
    text = _decode(content)
    if text is None:
        return _refused("the file is neither UTF-8 nor Windows-1252 text")
    if "\0" in text:
        return _refused("the file holds binary data")
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        return _refused("the file is empty")
    separator = max(SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    return _read(_numbered(reader), known, needed)


def _decode(content: bytes) -> str | None:
    utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if utf16 else ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def _numbered(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, each with the line of the file it begins on."""
    while True:
        row = int(reader.line_num) + 1
        try:
            cells: list[str] = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _Broken(row, _in_words(error)) from error
        if any(cell.strip() for cell in cells):
            yield row, cells


def _in_words(error: csv.Error) -> str:
    said = str(error)
    if said == "unexpected end of data":
        return "a quotation mark opens here and is never closed"
    if said.endswith("expected after '\"'"):
        return "a quoted cell goes on after its closing quotation mark"
    return f"cannot be read as CSV: {said}"


def _read(
    rows: Iterator[tuple[int, list[str]]], known: Sequence[str], needed: Iterable[str]
) -> Table:
    try:
        row, cells = next(rows)
        header = [cell.strip().casefold().replace(" ", "_") for cell in cells]
        faults = _header_faults(row, header, known, needed)
        if faults:
            return Table((), tuple(faults), readable=False)
        return _lines(rows, header)
    except _Broken as broken:
        return Table((), (Fault(broken.row, "", broken.reason),), readable=False)


def _lines(rows: Iterator[tuple[int, list[str]]], header: Sequence[str]) -> Table:
    faults: list[Fault] = []
    lines: list[Line] = []
    for row, cells in rows:
        if len(lines) >= ROWS_MAX:
            return _refused(f"the file has more than {ROWS_MAX} rows")
        if any(cell.strip() for cell in cells[len(header) :]):
            faults.append(Fault(row, "", f"has {len(cells)} cells, the header {len(header)}"))
            continue
        texts = [cell.strip() for cell in cells]
        texts += [""] * (len(header) - len(texts))
        lines.append(Line(row, dict(zip(header, texts, strict=False))))
    return Table(tuple(lines), tuple(faults))


def _header_faults(
    row: int, header: Sequence[str], known: Sequence[str], needed: Iterable[str]
) -> list[Fault]:
    faults = [
        Fault(row, name, "there is no such column; known are " + ", ".join(known), name)
        for name in dict.fromkeys(header)
        if name and name not in known
    ]
    faults += [Fault(row, name, "this column is missing") for name in needed if name not in header]
    faults += [
        Fault(row, name, "this column occurs twice") for name in known if header.count(name) > 1
    ]
    return faults


def _refused(reason: str) -> Table:
    return Table((), (Fault(0, "", reason),), readable=False)


def number(text: str) -> float:
    """A number with decimal point or comma. Raises ValueError in words."""
    if not _NUMBER.fullmatch(text):
        raise ValueError("is not a number")
    return float(text.replace(",", "."))


def yes_no(text: str) -> bool:
    lowered = text.casefold()
    if lowered in _YES:
        return True
    if lowered in _NO:
        return False
    raise ValueError("is neither yes nor no")


def instant(text: str, zone: ZoneInfo) -> datetime:
    """ISO 8601, or ``31.01.2026 18:05``; in UTC. Without an offset it is local time in ``zone``.

    Raises ValueError in words, also for a local time that does not exist or exists twice.
    """
    parsed = _parsed(text)
    if parsed is None:
        raise ValueError("is not a date and time such as 2026-01-31 18:05")
    if not 1900 <= parsed.year <= 2999:
        raise ValueError("is not in the years 1900 to 2999")
    if parsed.tzinfo is not None:
        return parsed.astimezone(UTC)
    early = parsed.replace(tzinfo=zone, fold=0)
    late = parsed.replace(tzinfo=zone, fold=1)
    if early.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != parsed:
        raise ValueError("does not exist: the clocks go forward then")
    if early.utcoffset() != late.utcoffset():
        raise ValueError("exists twice: the clocks go back then; add an offset such as +01:00")
    return early.astimezone(UTC)


def _parsed(text: str) -> datetime | None:
    if len(text) > len("2026-01-31"):  # a date alone would silently become midnight
        for form in (None, *_LOCAL_FORMS):
            try:
                if form is None:
                    return datetime.fromisoformat(text)
                return datetime.strptime(text, form)  # noqa: DTZ007  (local by meaning)
            except ValueError:
                continue
    return None


def write(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A CSV text with a header and CRLF, as RFC 4180 says; formulas of spreadsheets defused."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns)
    for cells in rows:
        writer.writerow([_safe(cell) for cell in cells])
    return out.getvalue()


def _safe(text: str) -> str:
    if text.startswith(("=", "+", "-", "@", "\t", "\r")) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text
