"""A study's result as a file: HTML, PDF, CSV or JSON, written off the loop."""

import asyncio
import json
from collections.abc import Sequence
from enum import StrEnum

from voltyard.study import report
from voltyard.study.model import Study
from voltyard.study.wording import Wording


class Format(StrEnum):
    PDF = "pdf"
    HTML = "html"
    CSV = "csv"
    JSON = "json"


MEDIA = {
    Format.PDF: "application/pdf",
    Format.HTML: "text/html; charset=utf-8",
    Format.CSV: "text/csv; charset=utf-8",
    Format.JSON: "application/json",
}


async def exported(
    study: Study, kind: Format, words: Wording, title: str = "", notes: Sequence[str] = ()
) -> bytes:
    """``notes`` are of the period."""
    return await asyncio.to_thread(_written, study, kind, words, title, notes)


def _written(study: Study, kind: Format, words: Wording, title: str, notes: Sequence[str]) -> bytes:
    if kind is Format.PDF:
        from voltyard.study.pdf import pdf  # loaded when first asked for: it takes memory

        return pdf(study, words, title, notes)
    if kind is Format.HTML:
        return report.html(study, words, title, notes).encode()
    if kind is Format.CSV:
        return report.as_csv(study).encode()
    return json.dumps(report.as_json(study), indent=2).encode()
