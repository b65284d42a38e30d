"""What public sources send, read: ENTSO-E, energy-charts, aWATTar, SMARD, and a plain table. Pure.

Each reader returns points per MWh (kg per MWh for CO2), and raises Invalid naming what is wrong.
"""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import isfinite
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

from voltyard.energy.prices.model import Point
from voltyard.errors import Invalid

BODY_MAX = 20 * 1024 * 1024
POINTS_MAX = 500_000
_LONGEST_S = 3_600
BERLIN = ZoneInfo("Europe/Berlin")
_RESOLUTION = {"PT15M": 900, "PT30M": 1_800, "PT60M": 3_600, "PT1H": 3_600}


def entsoe(body: bytes, currency: str) -> list[Point]:
    """A ``Publication_MarketDocument`` (A44). In curve type A03 a position that is left out
    repeats the one before it. Day-ahead series only; of several auctions the first sequence."""
    root = _xml(body)
    if _name(root) == "Acknowledgement_MarketDocument":
        raise Invalid(f"ENTSO-E answers: {_text(root, 'text') or 'no data'}", code="no_prices")
    if _name(root) != "Publication_MarketDocument":
        raise Invalid("This is no publication of ENTSO-E.", code="price_shape")
    found: list[Point] = []
    for line in _children(root, "TimeSeries"):
        if _text(line, "classificationSequence_AttributeInstanceComponent.position") not in (
            "", "1",
        ):  # fmt: skip
            continue
        _require(_text(line, "currency_Unit.name"), currency)
        if _text(line, "price_Measure_Unit.name") not in ("", "MWH"):
            raise Invalid("Prices per MWh are needed.", code="price_unit")
        repeats = _text(line, "curveType") == "A03"
        for period in _children(line, "Period"):
            found += _period(period, repeats=repeats)
    return _checked(found)


def _period(period: ElementTree.Element, *, repeats: bool) -> list[Point]:
    seconds = _RESOLUTION.get(_text(period, "resolution"))
    span = _children(period, "timeInterval")
    if seconds is None or not span:
        raise Invalid("A resolution of 15, 30 or 60 minutes is needed.", code="price_shape")
    start_at, end_at = _instant(_text(span[0], "start")), _instant(_text(span[0], "end"))
    told = {
        int(_float(_text(point, "position"))): _float(_text(point, "price.amount"))
        for point in _children(period, "Point")
    }
    found: list[Point] = []
    last: float | None = None
    for index in range(min(POINTS_MAX, int((end_at - start_at).total_seconds()) // seconds)):
        value = told.get(index + 1, last if repeats else None)
        last = value
        if value is not None:
            found.append(Point(start_at + timedelta(seconds=index * seconds), seconds, value))
    return found


def energy_charts(body: bytes, currency: str) -> list[Point]:
    """``/price`` (``unix_seconds`` and ``price``) or ``/co2eq`` (``co2eq``, g per kWh)."""
    content = _json(body)
    times, values = content.get("unix_seconds"), content.get("price", content.get("co2eq"))
    if not isinstance(times, list) or not isinstance(values, list) or len(times) != len(values):
        raise Invalid("unix_seconds and price are needed, equally long.", code="price_shape")
    if "price" in content:
        unit = str(content.get("unit", "")).replace(" ", "").upper()
        if unit and unit != f"{currency}/MWH":
            raise Invalid(f"{currency} per MWh is needed, not {unit}.", code="price_unit")
    return _timed([(_float(at), value) for at, value in zip(times, values, strict=True)])


def awattar(body: bytes, currency: str) -> list[Point]:
    """``/v1/marketdata``: start and end in milliseconds, ``marketprice`` with its unit."""
    rows = _json(body).get("data")
    if not isinstance(rows, list):
        raise Invalid("data is needed: a list.", code="price_shape")
    found: list[Point] = []
    for row in rows:
        if not isinstance(row, dict):
            raise Invalid("Each price is an object.", code="price_shape")
        unit = str(row.get("unit", "")).replace(" ", "").upper()
        if unit != f"{currency}/MWH":
            raise Invalid(f"{currency} per MWh is needed, not {unit}.", code="price_unit")
        start_s, end_s = _float(row.get("start_timestamp")), _float(row.get("end_timestamp"))
        value = _float(row.get("marketprice"))
        found.append(Point(_at(start_s / 1e3), int((end_s - start_s) / 1e3), value))
    return _checked(found)


def smard(body: bytes, currency: str) -> list[Point]:
    """The portal's CSV: German or English, first price column; ``-`` where there is none."""
    text = body.decode("utf-8-sig", "replace")
    rows = _rows(text, ";")
    if len(rows) < 2 or len(rows[0]) < 3:
        raise Invalid("A table with begin, end and price is needed.", code="price_shape")
    sign = {"EUR": "€"}.get(currency, currency)
    head = rows[0][2]
    if f"{sign}/MWh" not in head and f"{currency}/MWh" not in head:
        raise Invalid(f"{currency} per MWh is needed, not: {head}", code="price_unit")
    decimal = "," if rows[0][0].startswith("Datum") else "."
    found: list[Point] = []
    before: datetime | None = None
    for row in rows[1:]:
        if len(row) < 3 or not row[0].strip():
            continue
        at = _local(row[0], before)
        before = at
        if row[2].strip() in ("-", ""):
            continue
        thousands = "." if decimal == "," else ","
        value = _float(row[2].replace(thousands, "").replace(decimal, "."))
        found.append(Point(at, _step(row[0], row[1]), value))
    return _checked(found)


def _local(text: str, before: datetime | None) -> datetime:
    """The portal writes Berlin's wall clock: in autumn the hour that comes twice, comes twice."""
    naive = _wall(text).replace(tzinfo=BERLIN)
    at = naive.astimezone(UTC)
    if before is not None and at <= before:
        at = naive.replace(fold=1).astimezone(UTC)
    return at


def _step(begin: str, end: str) -> int:
    seconds = int((_wall(end) - _wall(begin)).total_seconds())
    return seconds if seconds in (900, 3_600) else 900 if seconds % 3_600 else 3_600


def _wall(text: str) -> datetime:
    for form in ("%d.%m.%Y %H:%M", "%b %d, %Y %I:%M %p", "%Y-%m-%d %H:%M"):
        try:
            return datetime.strptime(text.strip(), form)  # noqa: DTZ007 - Berlin's wall clock
        except ValueError:
            continue
    raise Invalid(f"This is no time: {text[:40]}", code="price_shape")


def smard_series(body: bytes, currency: str) -> list[Point]:
    """``chart_data``: pairs of milliseconds and value (null where there is none)."""
    rows = _json(body).get("series")
    if not isinstance(rows, list) or not all(isinstance(r, list) and len(r) == 2 for r in rows):
        raise Invalid("series is needed: pairs.", code="price_shape")
    return _timed([(_float(at) / 1e3, value) for at, value in rows])


def table(body: bytes, currency: str) -> list[Point]:
    """A plain CSV: ``start_at`` (with offset), ``price_per_mwh``, optionally ``minutes``."""
    text = body.decode("utf-8-sig", "replace")
    first = text.split("\n", 1)[0]
    head, *rows = _rows(text, ";" if ";" in first else ",") or [[]]
    found: list[Point] = []
    for cells in rows:
        row = dict(zip(head, cells, strict=False))
        if not cells:
            continue
        if "start_at" not in row or "price_per_mwh" not in row:
            raise Invalid("Columns start_at and price_per_mwh are needed.", code="price_shape")
        minutes = _float(row.get("minutes") or 60)
        value = _float(row["price_per_mwh"])
        found.append(Point(_instant(row["start_at"] or ""), int(minutes * 60), value))
    return _checked(found)


def _rows(text: str, delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error as error:
        raise Invalid(f"This is no table: {error}.", code="price_shape") from error


def _timed(pairs: Sequence[tuple[float, Any]]) -> list[Point]:
    """Each lasts as long as its neighbours: a longer pause after one is a gap. Null: none."""
    ordered = sorted(pairs, key=lambda pair: pair[0])
    steps = [int(b[0] - a[0]) for a, b in pairwise(ordered)]
    usual = min((step for step in steps if step > 0), default=_LONGEST_S)
    found: list[Point] = []
    lasts = usual
    for index, (at, value) in enumerate(ordered):
        lasts = _lasts(steps, index, lasts, usual)
        if value is not None:
            found.append(Point(_at(at), lasts, _float(value)))
    return _checked(found)


def _lasts(steps: Sequence[int], index: int, before: int, usual: int) -> int:
    """Its step if it is the usual one or a neighbour's; else as long as the one before it."""
    own = steps[index] if index < len(steps) else 0
    beside = [steps[i] for i in (index - 1, index + 1) if 0 <= i < len(steps)]
    return min(own, _LONGEST_S) if own == usual or (own > 0 and own in beside) else before


def _checked(found: list[Point]) -> list[Point]:
    if not found:
        raise Invalid("There is no price in it.", code="no_prices")
    if len(found) > POINTS_MAX:
        raise Invalid("These are too many prices.", code="price_shape")
    for point in found:
        if not 60 <= point.seconds <= 86_400 or point.start_at.timestamp() % 60:
            raise Invalid("A price lasts from a minute to a day.", code="price_shape")
    return sorted(found, key=lambda point: point.start_at)


def _require(told: str, currency: str) -> None:
    if told and told != currency:
        raise Invalid(f"Prices are in {told}, the site pays in {currency}.", code="price_unit")


def _xml(body: bytes) -> ElementTree.Element:
    if len(body) > BODY_MAX or b"<!DOCTYPE" in body[:2_000] or b"<!ENTITY" in body:
        raise Invalid("This is no plain XML.", code="price_shape")
    try:
        return ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise Invalid("This is no XML.", code="price_shape", detail=str(error)) from None


def _name(element: ElementTree.Element) -> str:
    return re.sub(r"^\{.*\}", "", element.tag)


def _children(parent: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [child for child in parent.iter() if child is not parent and _name(child) == name]


def _text(parent: ElementTree.Element, name: str) -> str:
    found = next(iter(_children(parent, name)), None)
    return "" if found is None or found.text is None else found.text.strip()


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(body[:BODY_MAX])
    except (ValueError, RecursionError):
        raise Invalid("This is no JSON.", code="price_shape") from None
    if not isinstance(content, dict):
        raise Invalid("An object is needed.", code="price_shape")
    return content


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Invalid(f"This is no time: {text[:40]}", code="price_shape") from None
    if at.tzinfo is None:
        raise Invalid("Times need their offset from UTC.", code="price_shape")
    return at.astimezone(UTC)


def _at(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        raise Invalid("A time makes no sense.", code="price_shape") from None


def _float(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise Invalid(f"This is no number: {str(value)[:40]}", code="price_shape") from None
    if isinstance(value, bool) or not isfinite(number):
        raise Invalid(f"This is no number: {str(value)[:40]}", code="price_shape")
    return number
