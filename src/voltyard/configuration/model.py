"""Makes and templates: what chargers of a vendor and model want, and what they should be set to."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from uuid import UUID

from voltyard.chargers.model import Quirks

KEYS_MAX = 100


@dataclass(frozen=True, slots=True)
class Pattern:
    """Vendor and model with ``*`` and ``?``, case aside; ``*`` alone is any."""

    vendor: str
    model: str = "*"

    def fits(self, vendor: str, model: str) -> bool:
        return _fits(self.vendor, vendor) and _fits(self.model, model)

    @property
    def weight(self) -> tuple[int, int, str, str]:
        """More letters are more specific, those of the model first; then by name, for a certain
        order."""
        return (_letters(self.model), _letters(self.vendor), self.model, self.vendor)


@dataclass(frozen=True, slots=True)
class Make:
    """How chargers of a vendor and model want their limits. ``id`` None: shipped with voltyard."""

    pattern: Pattern
    quirks: Quirks
    note: str = ""
    id: UUID | None = None
    org_id: UUID | None = None
    changed_at: datetime | None = None
    changed_by: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """``key`` of 1.6, or ``Component[i]@evse.Variable[i]`` of 2.0.1 and 2.1."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Template:
    """``version`` empty is any. With ``repairs`` what differs is set, otherwise only shown."""

    id: UUID
    org_id: UUID
    name: str
    pattern: Pattern
    wanted: tuple[Wanted, ...]
    version: str = ""
    repairs: bool = True
    active: bool = True
    changed_at: datetime | None = None
    changed_by: str = ""

    def fits(self, vendor: str, model: str, version: str) -> bool:
        if not self.active or (self.version and self.version != version):
            return False
        return self.pattern.fits(vendor, model)


class DriftState(StrEnum):
    DRIFTED = "drifted"
    """It differs; it is only shown, or is to be set at the next look."""
    REPAIRED = "repaired"
    REBOOT_NEEDED = "reboot_needed"
    REFUSED = "refused"
    """Left alone until template or firmware change, or somebody asks for another try."""
    READ_ONLY = "read_only"
    UNKNOWN_KEY = "unknown_key"


SETTLED = frozenset({DriftState.REFUSED, DriftState.READ_ONLY, DriftState.UNKNOWN_KEY})
"""What is not tried again by itself."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A key that differs, or differed, from what its template wants; ``word`` is the charger's."""

    station_id: UUID
    org_id: UUID
    key: str
    wanted: str
    found: str | None
    state: DriftState
    template: str
    firmware: str
    tries: int
    word: str
    since: datetime
    changed_at: datetime

    def still_settled(self, wanted: str, firmware: str) -> bool:
        """Whether trying again would be the same try."""
        same = self.wanted == wanted and self.firmware == firmware
        return same and self.state in SETTLED


def same(wanted: str, found: str | None) -> bool:
    """Whether a charger means the same: numbers by value, words without case, lists as sets."""
    if found is None:
        return False
    wanted, found = wanted.strip().casefold(), found.strip().casefold()
    if wanted == found:
        return True
    if "," in wanted:
        return _items(wanted) == _items(found)
    try:
        return float(wanted) == float(found)
    except ValueError:
        return False


def _items(text: str) -> frozenset[str]:
    return frozenset(item.strip() for item in text.split(",") if item.strip())


def _fits(pattern: str, text: str) -> bool:
    return fnmatchcase(text.strip().casefold(), pattern.strip().casefold())


def _letters(pattern: str) -> int:
    return sum(1 for letter in pattern if letter not in "*?")
