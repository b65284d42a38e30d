"""What a charger says of its local list: whether it has one, how long it may be, its version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from voltyard.chargers.commands import ReadConfiguration, ReadLocalListVersion, StationLink
from voltyard.chargers.model import ConfigRow
from voltyard.errors import ChargerRefused

TIMEOUT_S = 30.0
PROFILE_16 = "localauthlistmanagement"


@dataclass(frozen=True, slots=True)
class Ability:
    """``per_message`` and ``entries_max`` are None where the charger does not say."""

    supported: bool
    enabled: bool = True
    entries_max: int | None = None
    per_message: int | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """Where a version keeps it (1.6 §9.3; 2.0.1 LocalAuthListCtrlr)."""

    enabled: str
    per_message: str
    entries: str | None = None
    profiles: str | None = None

    @property
    def all(self) -> tuple[str, ...]:
        named = (self.enabled, self.per_message, self.entries, self.profiles)
        return tuple(name for name in named if name is not None)


_DEVICE_MODEL = Keys("LocalAuthListCtrlr.Enabled", "LocalAuthListCtrlr.ItemsPerMessage")
KEYS: Mapping[str, Keys] = {
    "1.6": Keys(
        "LocalAuthListEnabled",
        "SendLocalListMaxLength",
        "LocalAuthListMaxLength",
        "SupportedFeatureProfiles",
    ),
    "2.0.1": _DEVICE_MODEL,
    "2.1": _DEVICE_MODEL,
}


async def ability(link: StationLink) -> Ability:
    """Asked in one call. 2.0.1 tells how many entries there may be in reports alone."""
    keys = KEYS[link.version]
    try:
        result = await link.send(ReadConfiguration(keys.all), timeout_s=TIMEOUT_S)
    except ChargerRefused:
        return Ability(supported=link.version == "1.6")
    rows = _by_name(result.detail.get("rows", ()))
    enabled, each = rows.get(keys.enabled), rows.get(keys.per_message)
    if link.version != "1.6":
        told = enabled is not None or each is not None
        return Ability(told, _yes(enabled), None, _number(each))
    profiles = rows.get(keys.profiles or "")
    named = profiles is None or not profiles.strip() or PROFILE_16 in profiles.lower()
    return Ability(named, _yes(enabled), _number(rows.get(keys.entries or "")), _number(each))


async def version(link: StationLink) -> int | None:
    """None where the charger has no list at all."""
    try:
        result = await link.send(ReadLocalListVersion(), timeout_s=TIMEOUT_S)
    except ChargerRefused:
        return None
    number = int(result.detail["version"])
    return None if number < 0 else number


def _by_name(rows: Sequence[ConfigRow]) -> dict[str, str]:
    return {
        (f"{row.component}.{row.name}" if row.component else row.name): row.value
        for row in rows
        if row.value is not None
    }


def _yes(text: str | None) -> bool:
    return text is None or text.strip().lower() not in ("false", "0", "no")


def _number(text: str | None) -> int | None:
    clean = "" if text is None else text.strip()
    return int(clean) if clean.isdecimal() and 0 < int(clean) < 2**31 else None
