"""VDV 261 messages: read from vehicles, checked, merged, and answered. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from voltyard.errors import Invalid
from voltyard.preconditioning.model import Kind, Reported
from voltyard.preconditioning.vdv261.model import (
    NONE_WANTED,
    NUMBER_MAX,
    Coding,
    Credential,
    DriveOff,
    Heard,
)

VERSIONS = (1, 2)
SEQ_MAX = 255
BODY_MAX = 8_192
NUMBERS: Final = (
    "odo",
    "bat_reqtime",
    "bat_eamount",
    "prec_reqtime",
    "prec_eamount",
    "chrg_stat",
)
STATES: Final = ("h2_stat", "bat_stat")
"""Of version 2."""
_VIN = re.compile(r"[0-9A-Z]{11,17}")
_MAC = re.compile(r"(?:[0-9A-F]{2}){6}")
_MINUTES_MAX = 65_534


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``fields`` holds only what it names; None where it says "not available"."""

    seq: int
    vin: str
    fields: Mapping[str, int | str | None]


@dataclass(frozen=True, slots=True)
class Told:
    """What a vehicle is to know. None: nothing is known; ``wanted`` None: nobody says."""

    departure_at: datetime | None = None
    wanted: bool | None = None
    wanted_at: datetime | None = None
    """When it is to begin."""
    kind: Kind | None = None
    ambient_c: float | None = None
    target_soc_pct: float | None = None


def clean_vin(text: str) -> str:
    """In capitals. Invalid when it cannot be one: 11 to 17 letters and digits."""
    vin = text.strip().upper()
    if _VIN.fullmatch(vin) is None:
        said = "needs 11 to 17 letters and digits"
        raise Invalid("This is no vehicle identification number.", fields={"vin": said})
    return vin


def mac(text: str) -> str:
    """An EVCCID without separators, in capitals; empty where it is none."""
    plain = re.sub(r"[:\-.\s]", "", text.upper()).removeprefix("VID")
    return plain if _MAC.fullmatch(plain) else ""


def read(body: bytes, version: int, coding: Coding) -> Message:
    """Unknown fields are passed over. Raises Invalid naming every wrong field."""
    given = _object(body)
    wrong: dict[str, str] = {}
    seq = given.get("seq")
    if type(seq) is not int or not 0 <= seq <= SEQ_MAX:
        wrong["seq"] = f"needs a whole number from 0 to {SEQ_MAX}"
    vin = given.get("vin")
    if not isinstance(vin, str) or _VIN.fullmatch(vin.upper()) is None:
        wrong["vin"] = "needs 11 to 17 letters and digits"
    fields: dict[str, int | str | None] = {}
    names = (*NUMBERS, *STATES) if version >= 2 else NUMBERS
    for name in names:
        if name in given:
            fields[name] = _number(name, given[name], coding, wrong)
    if "evccid" in given:
        fields["evccid"] = _evccid(given["evccid"], wrong)
    if version >= 2 and coding.states_required and type(seq) is int and seq > 0:
        wrong |= {name: "is needed in changes" for name in STATES if name not in given}
    if wrong:
        raise Invalid("The message is not valid.", fields=wrong)
    assert isinstance(seq, int)
    assert isinstance(vin, str)
    return Message(seq, vin.upper(), fields)


def _object(body: bytes) -> dict[str, Any]:
    if len(body) > BODY_MAX:
        raise Invalid(f"The message is longer than {BODY_MAX} bytes.", code="too_long")
    try:
        given = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("The body is not JSON.", code="malformed", detail=str(error)) from error
    if not isinstance(given, dict):
        raise Invalid("The body is not a JSON object.", code="malformed")
    return given


def _number(name: str, value: Any, coding: Coding, wrong: dict[str, str]) -> int | None:
    if value is None:
        return None
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not 0 <= value <= NUMBER_MAX:
        wrong[name] = f"needs a whole number from 0 to {NUMBER_MAX}"
        return None
    return None if value in coding.absent.get(name, ()) else int(value)


def _evccid(value: Any, wrong: dict[str, str]) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not mac(value):
        wrong["evccid"] = "needs a MAC address"
        return None
    return mac(value)


def merged(
    before: Heard | None, message: Message, version: int, known: Credential, at: datetime
) -> Heard:
    """All that is known now. ``seq`` 0 is complete, others are changes on top of what was told.

    Values are absolute: a change that comes twice, or after a lost one, does no harm.
    """
    fresh = message.seq == 0 or before is None or before.version != version
    base = {} if fresh or before is None else dict(before.fields)
    return Heard(
        vehicle_id=known.vehicle_id,
        org_id=known.org_id,
        version=version,
        seq=message.seq,
        at=at,
        fields=base | dict(message.fields),
        answer={} if before is None else before.answer,
        fault="" if before is None else before.fault,
        fault_at=None if before is None else before.fault_at,
    )


def reported(heard: Heard, vin: str, coding: Coding) -> Reported:
    """In the room's words and units."""
    fields = heard.fields

    def number(name: str, unit: float) -> float | None:
        value = fields.get(name)
        return None if not isinstance(value, int) else value * unit

    return Reported(
        vehicle_id=heard.vehicle_id,
        org_id=heard.org_id,
        vin=vin,
        at=heard.at,
        version=heard.version,
        seq=heard.seq,
        evccid=str(fields.get("evccid") or ""),
        odometer_km=number("odo", 1.0),
        climate_s=number("prec_reqtime", coding.time_unit_s),
        climate_wh=number("prec_eamount", coding.energy_unit_wh),
        battery_s=number("bat_reqtime", coding.time_unit_s),
        battery_wh=number("bat_eamount", coding.energy_unit_wh),
        charging=coding.charging.get(str(fields.get("chrg_stat")), "unknown"),
        battery_ok=_condition(fields.get("bat_stat"), coding),
        hydrogen_ok=_condition(fields.get("h2_stat"), coding),
    )


def _condition(value: object, coding: Coding) -> bool | None:
    word = coding.condition.get(str(value), "not_available")
    return None if word == "not_available" else word == "ok"


def answer(
    message: Message, version: int, told: Told, coding: Coding, now: datetime, zone: ZoneInfo
) -> dict[str, int | str]:
    """Always complete. What nobody knows is written as "not available"."""
    hvac = NONE_WANTED if told.kind is None else told.kind.value
    wanted = {None: coding.wanted_absent, True: coding.wanted_yes, False: coding.wanted_no}
    ambient = coding.ambient_absent
    if told.ambient_c is not None:
        ambient = round(told.ambient_c) + coding.ambient_offset_c
    found: dict[str, int | str] = {
        "seq": message.seq,
        "vin": message.vin,
        "driveoff": _drive_off(told.departure_at, coding, now, zone),
        "prec_dsrd": wanted[told.wanted and not _too_soon(told, coding, now)],
        "prec_hvac": coding.hvac.get(hvac, coding.hvac[NONE_WANTED]),
        "ambienttemp": ambient,
    }
    if version >= 2:
        soc_pct = told.target_soc_pct
        found["target_soc"] = coding.target_soc_absent if soc_pct is None else round(soc_pct)
        found["target_dist"] = coding.target_distance_absent
    return found


def _too_soon(told: Told, coding: Coding, now: datetime) -> bool:
    """Whether a vehicle that begins at once must not know yet."""
    if coding.wanted_ahead_s is None or told.wanted_at is None:
        return False
    return now < told.wanted_at - timedelta(seconds=coding.wanted_ahead_s)


def _drive_off(departure_at: datetime | None, coding: Coding, now: datetime, zone: ZoneInfo) -> int:
    if departure_at is None:
        return coding.driveoff_absent
    if coding.driveoff is DriveOff.MINUTE_OF_DAY:
        local = departure_at.astimezone(zone)
        return local.hour * 60 + local.minute
    left_s = max(0.0, (departure_at - now).total_seconds())
    return min(_MINUTES_MAX, int(left_s // 60))


def written(found: Mapping[str, int | str]) -> bytes:
    """As US-ASCII, never empty."""
    return msgspec.json.encode(found)
