"""A frame's JSON as fields a person reads: words for names, units, instants on the local clock."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from typing import Any

import msgspec

from voltyard.chargers.speech import ReadField

DEPTH_MAX = 12
FIELDS_MAX = 5_000
TEXT_MAX = 2_000
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:?\d\d)?")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_KEPT = frozenset(
    {"EVSE", "CSMS", "CSR", "URL", "VIN", "ICCID", "IMSI", "APN", "VPN", "OCSP", "SoC"}
)
UNITS: Mapping[str, str] = {
    "duration": "s",
    "interval": "s",
    "startPeriod": "s",
    "meterStart": "Wh",
    "meterStop": "Wh",
    "retryInterval": "s",
    "messageTimeout": "s",
    "timeSpentCharging": "s",
    "energyAmount": "Wh",
    "evMaxPower": "W",
    "evMaxCurrent": "A",
    "evMaxVoltage": "V",
    "evMinCurrent": "A",
    "evEnergyCapacity": "Wh",
    "stateOfCharge": "%",
    "setpoint": "W",
}
_BY_RATE = frozenset({"limit", "minChargingRate", "limit_L2", "limit_L3"})
_DEFAULT_MEASURAND = "Energy.Active.Import.Register"


def fields(action: str, kind: str, payload: str, zone: tzinfo) -> list[ReadField]:
    """As (depth, name, text, note); what is no JSON is one field of its text."""
    if not payload or payload == "{}":
        return []
    try:
        decoded = msgspec.json.decode(payload.encode())
    except (msgspec.DecodeError, UnicodeEncodeError):
        return [ReadField(0, "Text", payload[:TEXT_MAX])]
    if not isinstance(decoded, dict | list):
        return [ReadField(0, "Text", str(decoded)[:TEXT_MAX])]
    found: list[ReadField] = []
    for field in _walk(decoded, "", 0, "", zone):
        found.append(field)
        if len(found) >= FIELDS_MAX:
            break
    return found


def words(name: str) -> str:
    """``chargingProfilePurpose`` → ``Charging profile purpose``."""
    parts = [part for part in _HUMP.sub(" ", name.replace("_", " ")).split(" ") if part]
    text = " ".join(part.upper() if part.upper() in _KEPT else part.lower() for part in parts)
    return text[:1].upper() + text[1:]


def _walk(value: Any, name: str, depth: int, rate: str, zone: tzinfo) -> Iterator[ReadField]:
    if depth > DEPTH_MAX:
        yield ReadField(depth, words(name), msgspec.json.encode(value).decode()[:TEXT_MAX])
    elif isinstance(value, dict):
        yield from _object(value, name, depth, rate, zone)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            numbered = f"{name} {index + 1}" if len(value) > 1 else name
            yield from _walk(inner, numbered, depth, rate, zone)
    else:
        yield _scalar(value, name, depth, rate, zone)


def _object(
    value: Mapping[str, Any], name: str, depth: int, rate: str, zone: tzinfo
) -> Iterator[ReadField]:
    if "value" in value and name.partition(" ")[0] == "sampledValue":
        yield _sample(value, depth)
        return
    inside = depth
    if name:
        yield ReadField(depth, words(name), "")
        inside += 1
    rate = str(value.get("chargingRateUnit", rate))
    for key, inner in value.items():
        yield from _walk(inner, str(key), inside, rate, zone)


def _sample(value: Mapping[str, Any], depth: int) -> ReadField:
    """One measured value in a line: what, how much, where."""
    measurand = str(value.get("measurand", _DEFAULT_MEASURAND))
    measure = value.get("unitOfMeasure")
    measure = measure if isinstance(measure, dict) else {}
    default = "Wh" if measurand.startswith("Energy") else ""
    unit = str(value.get("unit", measure.get("unit", default)))
    if measure.get("multiplier"):
        unit = f"× 10^{measure['multiplier']} {unit}"
    where = [str(value[key]) for key in ("phase", "location", "context") if key in value]
    return ReadField(depth, measurand, f"{value['value']} {unit}".strip(), ", ".join(where))


def _scalar(value: Any, name: str, depth: int, rate: str, zone: tzinfo) -> ReadField:
    base = name.partition(" ")[0]
    if value is None:
        return ReadField(depth, words(name), "–")
    if isinstance(value, bool):
        return ReadField(depth, words(name), "yes" if value else "no")
    if isinstance(value, int | float):
        unit = rate if base in _BY_RATE else UNITS.get(base, "")
        return ReadField(depth, words(name), f"{value} {unit}".strip())
    text = str(value)[:TEXT_MAX]
    local = _local(text, zone)
    return ReadField(
        depth, words(name), text if local is None else local, "" if local is None else text
    )


def _local(text: str, zone: tzinfo) -> str | None:
    """An instant on the local clock; one without an offset is UTC by OCPP, and said so."""
    if _INSTANT.fullmatch(text) is None:
        return None
    try:
        at = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    if at.tzinfo is None:
        return None
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")
