"""Logging to standard error: one format for every line, for people or as JSON for machines."""

import logging
import sys
from datetime import UTC, datetime

import msgspec

QUIET = ("uvicorn", "alembic", "asyncio", "websockets", "numba", "litestar", "httpx", "httpcore")
"""Libraries heard from WARNING on. Below it they would write down headers, cookies among them."""

USELESS = "XDG_RUNTIME_DIR is not set"


class _Plain(logging.Formatter):
    """One line an entry: what a charger put into a message cannot begin a line of its own."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%SZ}"

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = _one_line(record.message)
        return super().formatMessage(record)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(entry).decode()


def setup(level: str = "INFO", *, as_json: bool = False) -> None:
    """Once, at the start of a process, before what may warn is imported.

    Libraries' loggers lose handlers of their own; Python's warnings become lines too.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if as_json else _Plain())
    handler.addFilter(lambda record: USELESS not in record.getMessage())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    for name in QUIET:
        library = logging.getLogger(name)
        library.handlers[:] = []
        library.propagate = True
        library.setLevel(logging.WARNING)


def _one_line(text: str) -> str:
    """Line ends and other control characters as escapes; a warning's own last line end goes."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text.rstrip("\n")
    )
