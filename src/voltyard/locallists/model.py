"""The lists of tokens that chargers keep: what should be on one, and how to get it there. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from voltyard.chargers.commands import ListEntry, SendLocalList
from voltyard.fleets.model import Token, Vehicle
from voltyard.sessions.model import Authorisation, AuthorisationStatus, IdToken, TokenKind

VERSION_MAX = 2_000_000_000
ENTRIES_MAX = 10_000
PER_MESSAGE = 100
"""Where a charger does not say how many it takes."""
LONGEST: Mapping[str, int] = {"1.6": 20, "2.0.1": 36, "2.1": 255}
_PREFIX = len("VID:")


class ListState(StrEnum):
    """``disabled``: the charger has lists, and its own setting says not to use one."""

    UNKNOWN = "unknown"
    UNSUPPORTED = "unsupported"
    DISABLED = "disabled"
    PENDING = "pending"
    SYNCED = "synced"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class LocalList:
    """What a charger holds, as far as is known.

    ``entries``: name of each token → how it stands there. ``left_out``: tokens that did not fit.
    ``drifts``: how often the charger had another list than it should.
    """

    station_id: UUID
    org_id: UUID
    state: ListState = ListState.UNKNOWN
    version: int = 0
    entries: Mapping[str, str] = field(default_factory=dict)
    entries_max: int | None = None
    per_message: int | None = None
    left_out: int = 0
    read_at: datetime | None = None
    checked_at: datetime | None = None
    synced_at: datetime | None = None
    drifts: int = 0
    drifted_at: datetime | None = None
    failure: str = ""
    clear_cache: bool = False
    cache_cleared_at: datetime | None = None
    cache_word: str = ""


@dataclass(frozen=True, slots=True)
class Outlet:
    """One outlet of a station and the area it stands in."""

    number: int
    area_id: UUID | None


Wanted = Mapping[str, ListEntry]


def wanted(
    tokens: Iterable[tuple[Token, Vehicle | None]],
    site_id: UUID | None,
    outlets: Sequence[Outlet],
    version: str,
    now: datetime,
    most: int | None,
) -> tuple[Wanted, int]:
    """What should be on a station's list, and how many tokens do not fit on it.

    Tokens that may charge come before those that are blocked, which are listed so that they are
    refused without a connection too; tokens of vehicles come before others.
    """
    rows = [
        entry
        for token, vehicle in tokens
        if (entry := _entry(token, vehicle, site_id, outlets, now)) is not None
    ]
    fitting = [row for row in rows if _length(row[1].token) <= LONGEST.get(version, 20)]
    fitting.sort(key=lambda row: row[0])
    kept = fitting[: ENTRIES_MAX if most is None else max(0, most)]
    return {name_of(entry.token): entry for _, entry in kept}, len(rows) - len(kept)


def _entry(
    token: Token,
    vehicle: Vehicle | None,
    site_id: UUID | None,
    outlets: Sequence[Outlet],
    now: datetime,
) -> tuple[tuple[bool, bool, str], ListEntry] | None:
    """The entry of a token and its rank; None if it is not for this station, or not now."""
    if token.kind == TokenKind.NONE or (token.valid_until and token.valid_until <= now):
        return None
    if token.valid_from is not None and token.valid_from > now:
        return None
    numbers = _numbers(token, site_id, outlets)
    if numbers is None:
        return None
    blocked = token.blocked or (vehicle is not None and not vehicle.active)
    status = AuthorisationStatus.BLOCKED if blocked else AuthorisationStatus.ACCEPTED
    answer = Authorisation(
        status, group=token.group_id, until_at=token.valid_until, evse_numbers=numbers
    )
    rank = (blocked, token.vehicle_id is None, token.value)
    return rank, ListEntry(IdToken(token.value, TokenKind(token.kind)), answer)


def _numbers(
    token: Token, site_id: UUID | None, outlets: Sequence[Outlet]
) -> tuple[int, ...] | None:
    """The outlets a token is limited to; empty for all of them, None if there is none."""
    if token.anywhere or (site_id is not None and site_id in token.site_ids):
        return ()
    found = tuple(
        outlet.number
        for outlet in outlets
        if outlet.area_id is not None and outlet.area_id in token.area_ids
    )
    if not found:
        return None
    return () if len(found) == len(outlets) else found


def _length(token: IdToken) -> int:
    return len(token.value) + (_PREFIX if token.kind is TokenKind.VID else 0)


def name_of(token: IdToken) -> str:
    """How a token is kept among the entries."""
    return f"{token.kind.value} {token.value}"


def token_of(name: str) -> IdToken:
    kind, _, value = name.partition(" ")
    return IdToken(value, TokenKind(kind))


def standing(entry: ListEntry) -> str:
    """What of an entry matters: another text is another entry."""
    answer = entry.authorisation
    assert answer is not None
    until = "" if answer.until_at is None else answer.until_at.isoformat()
    numbers = ",".join(map(str, answer.evse_numbers))
    return f"{answer.status.value}|{answer.group}|{until}|{numbers}"


def standings(wanted: Wanted) -> dict[str, str]:
    return {name: standing(entry) for name, entry in wanted.items()}


def differs(known: LocalList, wanted: Wanted) -> bool:
    return dict(known.entries) != standings(wanted)


@dataclass(frozen=True, slots=True)
class Step:
    """One message, and what the charger holds once it has taken it."""

    command: SendLocalList
    entries: Mapping[str, str]


def steps(known: LocalList, wanted: Wanted, floor: int, *, full: bool) -> list[Step]:
    """The messages that bring a list to what is wanted; none if it is that already.

    ``floor`` is the version the charger tells: each message has a higher one. A full list that
    is longer than one message begins with a full message and goes on with changes (2.0.1 D01).
    """
    want = standings(wanted)
    held = {} if full else dict(known.entries)
    changes = [entry for name, entry in wanted.items() if held.get(name) != want[name]]
    gone = [ListEntry(token_of(name), None) for name in held if name not in wanted]
    if not full and (changes or gone) and (not held or len(changes) + len(gone) > len(wanted)):
        return steps(known, wanted, floor, full=True)
    size = known.per_message or PER_MESSAGE
    rows = [*gone, *changes]
    parts = [tuple(rows[at : at + size]) for at in range(0, len(rows), size)]
    if full and not parts:
        parts = [()]
    version = max(known.version, floor, 0)
    if version + len(parts) > VERSION_MAX:
        version, full, parts = 0, True, parts
    found: list[Step] = []
    for place, part in enumerate(parts):
        version += 1
        for entry in part:
            name = name_of(entry.token)
            if entry.authorisation is None:
                held.pop(name, None)
            else:
                held[name] = want[name]
        command = SendLocalList(version, part, full=full and place == 0)
        found.append(Step(command, dict(held)))
    return found


class Difference(StrEnum):
    """How an entry stands on a charger beside how it should."""

    SAME = "same"
    MISSING = "missing"
    CHANGED = "changed"
    EXTRA = "extra"


@dataclass(frozen=True, slots=True)
class Compared:
    """One token of a list; each standing is None where the token is not on that side."""

    name: str
    held: str | None
    wanted: str | None

    @property
    def difference(self) -> Difference:
        if self.held is None:
            return Difference.MISSING
        if self.wanted is None:
            return Difference.EXTRA
        return Difference.SAME if self.held == self.wanted else Difference.CHANGED


def compared(known: LocalList, want: Mapping[str, str]) -> list[Compared]:
    """What a charger holds beside the standings it should hold, by token."""
    names = sorted({*known.entries, *want}, key=lambda name: token_of(name).value.casefold())
    return [Compared(name, known.entries.get(name), want.get(name)) for name in names]


def next_version(known: LocalList, wanted: Wanted) -> int:
    """The version a charger's list will have once it is as it should be."""
    todo = steps(known, wanted, known.version, full=False)
    return todo[-1].command.version if todo else known.version


Reach = tuple[frozenset[UUID], frozenset[UUID]] | None
"""Where a token may charge: sites and areas; None for everywhere."""


def reaches(tokens: Iterable[tuple[Token, Vehicle | None]], now: datetime) -> dict[str, Reach]:
    """Every token that may charge now, and where."""
    return {
        token.value.casefold(): (
            None if token.anywhere else (frozenset(token.site_ids), frozenset(token.area_ids))
        )
        for token, vehicle in tokens
        if not token.blocked
        and (vehicle is None or vehicle.active)
        and (token.valid_from is None or token.valid_from <= now)
        and (token.valid_until is None or token.valid_until > now)
    }


def holds_more(known: LocalList, reach: Mapping[str, Reach]) -> bool:
    """Whether a charger was told to accept a token that may not charge at all any more."""
    return any(
        standing.startswith(AuthorisationStatus.ACCEPTED.value)
        and token_of(name).value.casefold() not in reach
        for name, standing in known.entries.items()
    )


def revoked(before: Mapping[str, Reach], after: Mapping[str, Reach]) -> bool:
    """Whether any token may charge at fewer places than it could."""
    for value, had in before.items():
        if value not in after:
            return True
        has = after[value]
        if has is None:
            continue
        if had is None or not (had[0] <= has[0] and had[1] <= has[1]):
            return True
    return False
