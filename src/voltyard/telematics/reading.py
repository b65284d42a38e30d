"""Observations as others write them in JSON: our own shape, and others led to it by paths. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from voltyard.errors import Invalid
from voltyard.telematics.model import Charging, Told

ITEMS_MAX = 1_000
DEPTH_MAX = 8
Name = Annotated[str, msgspec.Meta(max_length=200)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """One observation. Of which vehicle: ``vehicle_id``, else ``vin``, ``external_id`` or
    ``name`` (its name or number plate with us)."""

    observed_at: Instant
    vehicle_id: UUID | None = None
    vin: Name = ""
    name: Name = ""
    external_id: Name = ""
    soc_pct: float | None = None
    odometer_km: float | None = None
    range_km: float | None = None
    plugged: bool | None = None
    charging: Charging | None = None
    latitude: float | None = None
    longitude: float | None = None
    departure_at: Instant | None = None


def told_of(item: Item) -> Told:
    return Told(**{name: getattr(item, name) for name in Item.__struct_fields__})


def items_of(
    body: bytes,
    fields: Mapping[str, str],
    usual: Mapping[str, str],
    now: datetime | None = None,
) -> list[Told | str]:
    """What a message holds: one object, a list, or an object with ``observations``.

    ``fields`` are paths to our fields; ``usual`` holds where they are not told (a topic that names
    the vehicle); ``now`` stands for a missing time. An item that cannot be read is its fault.
    Raises Invalid for what is no JSON, or too much.
    """
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid("The message is no JSON.", fields={"body": str(error)[:200]}) from None
    if isinstance(found, dict) and isinstance(found.get("observations"), list):
        found = found["observations"]
    items = found if isinstance(found, list) else [found]
    if len(items) > ITEMS_MAX:
        raise Invalid(f"At most {ITEMS_MAX} observations at once.", code="too_many_items")
    return [_item(item, fields, usual, now) for item in items]


def _item(
    raw: object, fields: Mapping[str, str], usual: Mapping[str, str], now: datetime | None
) -> Told | str:
    if not isinstance(raw, dict):
        return "is no object"
    values: dict[str, Any] = {**usual, **{k: v for k, v in raw.items() if v is not None}}
    for name, path in fields.items():
        at = _at(raw, path)
        if at is not None:
            values[name] = at
    for name in ("observed_at", "departure_at"):
        if isinstance(values.get(name), int | float) and not isinstance(values[name], bool):
            values[name] = _instant(float(values[name]))
    if isinstance(values.get("external_id"), int):
        values["external_id"] = str(values["external_id"])
    if now is not None:
        values.setdefault("observed_at", now)
    try:
        return told_of(msgspec.convert(values, Item, strict=False))
    except (msgspec.ValidationError, OverflowError) as error:
        return str(error)[:300]


def _instant(number: float) -> datetime | None:
    """Seconds, or milliseconds, since 1970."""
    try:
        return datetime.fromtimestamp(number / 1000.0 if abs(number) > 1e11 else number, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _at(raw: object, path: str) -> Any:
    found = raw
    for word in path.split(".")[:DEPTH_MAX]:
        if isinstance(found, Mapping):
            found = found.get(word)
        elif isinstance(found, Sequence) and word.isdecimal() and not isinstance(found, str):
            found = found[int(word)] if int(word) < len(found) else None
        else:
            return None
    return found


def name_in_topic(pattern: str, topic: str) -> str:
    """What stands where the pattern has its first ``+``: how the vehicle is named there."""
    for wanted, found in zip(pattern.split("/"), topic.split("/"), strict=False):
        if wanted == "+":
            return found
    return ""
