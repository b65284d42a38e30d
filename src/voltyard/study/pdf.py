"""A study as PDF: A4, landscape, charts as vectors. Nothing but the standard fonts is needed."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any
from unicodedata import normalize
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from reportlab.graphics import shapes as rl
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from voltyard.study import charts, report
from voltyard.study.model import Outcome, Study
from voltyard.study.pictures import HEIGHT, WIDTH, Area, Dot, Line, Path, Picture, Shape
from voltyard.study.wording import Column, Wording

_MARGIN = 14 * mm
_FULL = landscape(A4)[0] - 2 * _MARGIN
_GAP = 8 * mm
_HALF = (_FULL - _GAP) / 2.0
_SCALE = _HALF / WIDTH
_TEXT, _SOFT, _LINE = HexColor("#1b2430"), HexColor("#4a5563"), HexColor("#d5dbe3")
_CARD = HexColor("#f4f6f9")
_COLOURS = {
    "axis": "#d5dbe3", "charge": "#2f6fde", "other": "#9aa7b8", "grid": "#1b2430",
    "limit": "#c8323c", "have": "#c8323c", "pv": "#b58800", "battery": "#1f9d73",
    "way": "#9aa7b8", "served": "#1f9d73", "failed": "#c8323c", "bound": "#4a5563",
    "staying": "#2f6fde", "handed": "#1f9d73",
}  # fmt: skip
_DASHES = {"limit": [5, 3], "have": [5, 3], "bound": [2, 2]}
_WIDTHS = {"axis": 0.5, "grid": 1.2, "pv": 1.4, "battery": 1.4, "staying": 1.4, "handed": 1.4}
_BODY = ParagraphStyle("body", fontName="Helvetica", fontSize=9, leading=12.5, textColor=_TEXT)
_SMALL = ParagraphStyle("small", parent=_BODY, fontSize=7.5, leading=10, textColor=_SOFT)
_H1 = ParagraphStyle("h1", parent=_BODY, fontName="Helvetica-Bold", fontSize=17, leading=21)
_H2 = ParagraphStyle(
    "h2", parent=_BODY, fontName="Helvetica-Bold", fontSize=12, leading=15, spaceBefore=8
)
_VALUE = ParagraphStyle("value", parent=_BODY, fontName="Helvetica-Bold", fontSize=14, leading=17)
_CELL = ParagraphStyle("cell", parent=_BODY, fontSize=8, leading=10)
_NUMBER = ParagraphStyle("number", parent=_CELL, alignment=2)
_LATE = ParagraphStyle(
    "late", parent=_NUMBER, fontName="Helvetica-Bold", textColor=HexColor("#b3202b")
)


def pdf(study: Study, words: Wording, title: str = "", notes: Sequence[str] = ()) -> bytes:
    """The whole report; ``notes`` are of the period. The same study gives the same bytes."""
    title = f"{words.say('Site study')}: {title or study.source}"
    meta = f"{report.period(study, words)} · {words.mode(study.mode)}"
    story: list[Any] = [_paragraph(title, _H1), _paragraph(meta, _SMALL), Spacer(1, 8)]
    story += [_cards(study, words), Spacer(1, 8)]
    story += [_paragraph(f"• {line}", _BODY) for line in words.sentences(study)]
    if notes:
        story.append(_paragraph(words.say("What the period lacks"), _H2))
        story += [_paragraph(f"• {line}", _BODY) for line in notes]
    story += [_paragraph(words.say("What if"), _H2), _table(study, words)]
    story += _missed(study, words)
    story += _loads(study, words)
    story += _figures(words.say("Ready against what is installed"), report.ladders(study, words))
    story += _growth(study, words)
    story += [Spacer(1, 10), _paragraph(words.footer(), _SMALL)]
    out = BytesIO()
    document = SimpleDocTemplate(
        out, pagesize=landscape(A4), leftMargin=_MARGIN, rightMargin=_MARGIN, topMargin=_MARGIN,
        bottomMargin=_MARGIN, title=_known(title), author="voltyard", invariant=1,
    )  # fmt: skip
    document.build(story, onFirstPage=_numbered, onLaterPages=_numbered)
    return out.getvalue()


_BARE = {"≥": ">=", "\u202f": "\u00a0", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i"}
"""Letters that have no accent to be taken off."""


def _known(text: str) -> str:
    """What the standard fonts cannot write without its accents, else as a question mark."""
    found: list[str] = []
    for letter in text:
        bare = _BARE.get(letter, letter)
        if bare == letter and letter.encode("cp1252", "ignore") == b"":
            bare = normalize("NFKD", letter).encode("ascii", "ignore").decode() or "?"
        found.append(bare)
    return "".join(found)


def _paragraph(text: str, style: ParagraphStyle) -> Any:
    return Paragraph(escape(_known(text)), style)


def _numbered(canvas: Any, document: Any) -> None:
    canvas.setFont("Helvetica", 7.5)
    canvas.setFillColor(_SOFT)
    canvas.drawRightString(landscape(A4)[0] - _MARGIN, 8 * mm, str(document.page))


def _cards(study: Study, words: Wording) -> Any:
    facts = words.facts(study)
    cells = [
        [_paragraph(f.title, _SMALL), _paragraph(f.value, _VALUE), _paragraph(f.note, _SMALL)]
        for f in facts
    ]
    found = Table([cells], colWidths=[_FULL / len(facts)] * len(facts))
    found.setStyle(
        TableStyle(
            [
                ("BACKGROUND", (0, 0), (-1, -1), _CARD),
                ("BOX", (0, 0), (-1, -1), 0.5, _LINE),
                ("INNERGRID", (0, 0), (-1, -1), 0.5, _LINE),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ]
        )
    )
    return found


def _table(study: Study, words: Wording) -> Any:
    columns = words.columns()
    head = [_paragraph(words.say("Case"), _CELL)]
    head += [_paragraph(column.title, _NUMBER) for column in columns]
    rows = [head, *(_row(found, columns, words) for found in report.all_cases(study))]
    first = 0.28 * _FULL
    widths = [first, *[(_FULL - first) / len(columns)] * len(columns)]
    found = Table(rows, colWidths=widths, repeatRows=1)
    found.setStyle(
        TableStyle(
            [
                ("LINEBELOW", (0, 0), (-1, -1), 0.5, _LINE),
                ("BACKGROUND", (0, 0), (-1, 0), _CARD),
                ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
            ]
        )
    )
    return found


def _row(found: Outcome, columns: Sequence[Column], words: Wording) -> list[Any]:
    cells = report.cells(found, columns, words)
    late = found.ready < found.stays
    return [
        _paragraph(words.case(found.name), _CELL),
        *(
            _paragraph(cell, _LATE if late and column.key == "ready" else _NUMBER)
            for cell, column in zip(cells, columns, strict=True)
        ),
    ]


def _missed(study: Study, words: Wording) -> list[Any]:
    lines = [
        _paragraph(f"• {words.case(found.name)}: {words.missed(found)}", _CELL)
        for found in report.all_cases(study)
        if found.missed
    ]
    return [_paragraph(words.say("Not ready"), _H2), *lines] if lines else []


def _loads(study: Study, words: Wording) -> list[Any]:
    zone = ZoneInfo(study.zone)
    figures = [
        (words.case(found.name), charts.load(found, words, zone))
        for found in report.all_cases(study)
    ]
    title = words.say("Load against the limit, kW")
    return _figures(title, figures, _legend(words.legend()))


def _growth(study: Study, words: Wording) -> list[Any]:
    if study.room is None:
        return []
    picture = charts.bays(study.room, study.base.chargers, words)
    figures = [(words.say("Bays needed, by vehicles"), picture)]
    advice = [_paragraph(line, _BODY) for line in words.advice(study)]
    title = words.say("When do we need more bays?")
    return _figures(title, figures, *advice, _legend(words.bay_legend()))


def _legend(kinds: Sequence[tuple[str, str]]) -> Any:
    parts = [
        f'<font color="{_COLOURS[kind]}">■</font> {escape(_known(text))}' for kind, text in kinds
    ]
    return Paragraph(" &nbsp; ".join(parts).replace("■", "\u2022\u2022"), _SMALL)


def _figures(title: str, figures: Sequence[tuple[str, Picture]], *before: Any) -> list[Any]:
    """Two beside each other; the title stays with the first row."""
    if not figures:
        return []
    cells = [[_paragraph(name, _CELL), _drawn(picture)] for name, picture in figures]
    pairs = [cells[place : place + 2] for place in range(0, len(cells), 2)]
    rows = [_pair(pair) for pair in pairs]
    return [KeepTogether([_paragraph(title, _H2), *before, Spacer(1, 4), rows[0]]), *rows[1:]]


def _pair(cells: list[list[Any]]) -> Any:
    row = [*cells, *([""] * (2 - len(cells)))]
    found = Table([row], colWidths=[_HALF + _GAP / 2.0] * 2)
    found.setStyle(TableStyle([("LEFTPADDING", (0, 0), (-1, -1), 0)]))
    return found


def _drawn(picture: Picture) -> Any:
    drawing = rl.Drawing(WIDTH * _SCALE, HEIGHT * _SCALE)
    group = rl.Group(*(_shape(shape) for shape in picture.shapes))
    group.transform = (_SCALE, 0, 0, _SCALE, 0, 0)
    drawing.add(group)
    return drawing


def _shape(shape: Shape) -> Any:
    """Upwards is up here."""
    if isinstance(shape, Line):
        return rl.Line(
            shape.x1, HEIGHT - shape.y1, shape.x2, HEIGHT - shape.y2, **_stroke(shape.kind)
        )
    if isinstance(shape, Path):
        return rl.PolyLine(_flat(shape.points), **_stroke(shape.kind))
    if isinstance(shape, Area):
        colour = HexColor(_COLOURS[shape.kind])
        return rl.Polygon(_flat(shape.points), fillColor=colour, strokeColor=None)
    if isinstance(shape, Dot):
        colour = HexColor(_COLOURS[shape.kind])
        fill = HexColor("#ffffff") if shape.kind == "failed" else colour
        return rl.Circle(shape.x, HEIGHT - shape.y, 4.5, fillColor=fill, strokeColor=colour)
    return rl.String(
        shape.x,
        HEIGHT - shape.y,
        _known(shape.text),
        fontName="Helvetica",
        fontSize=13,
        fillColor=_SOFT,
        textAnchor=shape.anchor,
    )


def _stroke(kind: str) -> dict[str, Any]:
    return {
        "strokeColor": HexColor(_COLOURS[kind]),
        "strokeWidth": _WIDTHS.get(kind, 1.2),
        "strokeDashArray": _DASHES.get(kind),
    }


def _flat(points: Sequence[tuple[float, float]]) -> list[float]:
    return [value for x, y in points for value in (x, HEIGHT - y)]
