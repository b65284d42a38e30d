"""What is kept of vehicles that speak VDV 261, and how its numbers are to be read. Pure.

Field names, their order of magnitude and the merging of changes are known; what public sources do
not say (how departures count, numbers of states, what stands for "not available") is a ``Coding``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from voltyard.errors import Invalid
from voltyard.preconditioning.model import Kind

NUMBER_MAX = 2**32 - 1
CHARGING_WORDS = (
    "ready",
    "charging",
    "impossible",
    "charging_and_preconditioning",
    "preconditioning",
    "unknown",
)
CONDITION_WORDS = ("ok", "not_ok", "not_available")
NONE_WANTED = "none"
HVAC_WORDS = (*(kind.value for kind in Kind if kind is not Kind.BATTERY), NONE_WANTED)


class DriveOff(StrEnum):
    """What ``driveoff`` counts."""

    REMAINING = "remaining"
    """Minutes until the departure."""
    MINUTE_OF_DAY = "minute_of_day"
    """Minutes since midnight of the site's clock."""


@dataclass(frozen=True, slots=True)
class Coding:
    """How numbers of VDV 261 are written and read; one for an organisation.

    ``wanted_ahead_s``: that preconditioning is wanted is told no sooner than so long before it is
    to begin, for vehicles that begin at once; None: as soon as it is known.
    ``absent`` holds what means "not available" in what vehicles send, by field. Times of vehicles
    are in units of ``time_unit_s``, energies in ``energy_unit_wh``. ``battery_holds_charge``: the
    energy for the battery is that of charging and preconditioning together. ``states_required``:
    of version 2, changes without both states are refused.
    """

    driveoff: DriveOff = DriveOff.REMAINING
    driveoff_absent: int = 65535
    wanted_yes: int = 1
    wanted_no: int = 0
    wanted_absent: int = 255
    wanted_ahead_s: float | None = None
    hvac: Mapping[str, int] = field(
        default_factory=lambda: {"ventilation": 0, "heating": 1, "cooling": 2, NONE_WANTED: 3}
    )
    ambient_offset_c: int = 0
    ambient_absent: int = 255
    target_soc_absent: int = 255
    target_distance_absent: int = 65535
    charging: Mapping[str, str] = field(
        default_factory=lambda: {
            "0": "ready",
            "1": "charging",
            "2": "impossible",
            "3": "charging_and_preconditioning",
            "4": "preconditioning",
            "255": "unknown",
        }
    )
    condition: Mapping[str, str] = field(
        default_factory=lambda: {"0": "ok", "1": "not_ok", "255": "not_available"}
    )
    absent: Mapping[str, tuple[int, ...]] = field(
        default_factory=lambda: {
            "odo": (NUMBER_MAX,),
            "bat_reqtime": (65535,),
            "bat_eamount": (65535, NUMBER_MAX),
            "prec_reqtime": (65535,),
            "prec_eamount": (65535, NUMBER_MAX),
        }
    )
    time_unit_s: float = 60.0
    energy_unit_wh: float = 1.0
    battery_holds_charge: bool = True
    states_required: bool = False
    user_agents: Mapping[str, str] = field(default_factory=dict)
    """By version ("1", "2"), how the ``User-Agent`` must begin; empty: any."""


DEFAULT = Coding()


def coding_of(content: Mapping[str, Any]) -> Coding:
    """Raises Invalid with the wrong fields."""
    try:
        made = msgspec.convert(dict(content), Coding, strict=True)
    except msgspec.ValidationError as error:
        raise Invalid("The coding is not valid.", fields={"coding": str(error)}) from error
    unknown = set(content) - set(Coding.__dataclass_fields__)
    wrong = dict.fromkeys(sorted(unknown), "is no setting") | _wrong(made)
    if wrong:
        raise Invalid("The coding is not valid.", fields=wrong)
    return made


def _wrong(coding: Coding) -> dict[str, str]:
    wrong: dict[str, str] = {}
    for name, words in (("charging", CHARGING_WORDS), ("condition", CONDITION_WORDS)):
        table: Mapping[str, str] = getattr(coding, name)
        if any(not number.isdecimal() or len(number) > 10 for number in table):
            wrong[name] = "numbers stand left of words"
        elif not set(table.values()) <= set(words):
            wrong[name] = f"the words are {', '.join(words)}"
    if set(coding.hvac) != set(HVAC_WORDS):
        wrong["hvac"] = f"needs a number for each of {', '.join(HVAC_WORDS)}"
    for name in ("time_unit_s", "energy_unit_wh"):
        if not 0.0 < getattr(coding, name) <= 1e6:
            wrong[name] = "must be above 0"
    if coding.wanted_ahead_s is not None and not 0.0 <= coding.wanted_ahead_s <= 86_400.0:
        wrong["wanted_ahead_s"] = "must be 0 to 86400"
    if not set(coding.user_agents) <= {"1", "2"}:
        wrong["user_agents"] = "is by version, 1 or 2"
    return wrong


@dataclass(frozen=True, slots=True)
class Credential:
    """``vin`` is the user of HTTP Basic. ``password_hash`` None: it shows none (BF, unsafe)."""

    vehicle_id: UUID
    org_id: UUID
    vin: str
    password_hash: str | None
    enabled: bool
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Heard:
    """All a vehicle told, its changes merged, and what it was answered last. ``fault``: what was
    wrong with its last bad message."""

    vehicle_id: UUID
    org_id: UUID
    version: int
    seq: int
    at: datetime
    fields: Mapping[str, Any]
    answer: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""
    fault_at: datetime | None = None
