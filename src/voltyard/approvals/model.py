"""Dangerous changes that wait for a second person: proposals, and what rules decide on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from voltyard.errors import Conflict, Forbidden, Invalid, VoltyardError
from voltyard.tenancy.model import Permission, Principal

REASON_MAX = 500
WAITING_MAX = 500
"""Proposals of one organisation that may wait at once."""
EXPIRES_MIN_S = 300
EXPIRES_MAX_S = 30 * 86_400
OUTDATED = "proposal_outdated"


class Kind(StrEnum):
    """What is switched on and off by itself."""

    LIMITS = "limits"
    CONFIGURATION = "configuration"
    FIRMWARE = "firmware"
    SWITCHES = "switches"
    """Switching approval off, which always needs it."""


CHOOSABLE = (Kind.LIMITS, Kind.CONFIGURATION, Kind.FIRMWARE)


class State(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    """Approved and being carried out."""
    DONE = "done"
    FAILED = "failed"
    OUTDATED = "outdated"
    """Approved, but what it rested on had changed: nothing was done."""
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


OPEN = frozenset({State.WAITING, State.RUNNING})


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing before and after, as people read it; empty is nothing there.

    ``of`` names it, ``what`` is a word that pages translate, or a key that they show.
    """

    of: str
    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody is about to do, exactly: ``data`` is what ``action`` is carried out with.

    ``base`` is the fingerprint of what it rests on; ``permission`` is what doing it takes, and so
    what approving it takes. ``until_at``: later it would be another change.
    """

    action: str
    permission: Permission
    subject: str
    data: object
    base: str
    differences: tuple[Difference, ...] = ()
    site_id: UUID | None = None
    until_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """``owner_id`` is the person behind the proposer: themselves, or who made the API key."""

    id: UUID
    org_id: UUID
    site_id: UUID | None
    kind: Kind
    action: str
    permission: Permission
    subject: str
    payload: Any
    base: str
    differences: tuple[Difference, ...]
    reason: str
    proposer_kind: str
    proposer_id: UUID
    proposer_name: str
    owner_id: UUID | None
    proposed_at: datetime
    expires_at: datetime
    state: State = State.WAITING
    decided_by: UUID | None = None
    decided_name: str = ""
    decided_at: datetime | None = None
    decision: str = ""
    ended_at: datetime | None = None
    outcome: Mapping[str, Any] = field(default_factory=dict)

    @property
    def changed_at(self) -> datetime:
        """When it came into the state it is in."""
        return self.ended_at or self.decided_at or self.proposed_at

    def is_of(self, who: Principal) -> bool:
        """Whether it is their own: by their hand, or by a key of theirs."""
        return who.id in (self.proposer_id, self.owner_id)


@dataclass(frozen=True, slots=True)
class Switches:
    """Which kinds wait in an organisation, and how long a proposal does."""

    kinds: frozenset[Kind] = frozenset()
    expires_s: int = 86_400
    changed_at: datetime | None = None
    changed_by: str = ""

    def on(self, kind: Kind) -> bool:
        return kind is Kind.SWITCHES or kind in self.kinds


@dataclass(frozen=True, slots=True)
class ProposalFilter:
    """None or empty means any. ``waiting``: only those that wait, or only those that do not."""

    waiting: bool | None = None
    kind: Kind | None = None
    state: State | None = None
    text: str = ""


def expires_at(change: Change, switches: Switches, now: datetime) -> datetime:
    """When it ends undecided."""
    usual = now + timedelta(seconds=switches.expires_s)
    if change.until_at is None or change.until_at <= now:
        return usual
    return min(usual, change.until_at)


def why_not(proposal: Proposal, who: Principal, now: datetime) -> VoltyardError | None:
    """Why somebody may not approve or refuse it; None if they may."""
    if proposal.state is not State.WAITING:
        return Conflict(f"The proposal is {proposal.state.value}.", code="proposal_decided")
    if now >= proposal.expires_at:
        return Conflict("The proposal has expired.", code="proposal_decided")
    if who.kind != "user":
        return Forbidden("A person who is signed in decides, no API key.", code="second_person")
    if proposal.is_of(who):
        return Forbidden("A second person decides, not the proposer.", code="second_person")
    if not who.may(proposal.permission):
        return Forbidden("You may not do this.", fields={"permission": proposal.permission.value})
    return None


def checked_switches(wanted: Switches) -> Switches:
    """Raises Invalid."""
    wrong: dict[str, str] = {}
    if not EXPIRES_MIN_S <= wanted.expires_s <= EXPIRES_MAX_S:
        wrong["expires_s"] = f"{EXPIRES_MIN_S} to {EXPIRES_MAX_S} seconds"
    if not wanted.kinds <= frozenset(CHOOSABLE):
        wrong["kinds"] = "limits, configuration, firmware"
    if wrong:
        raise Invalid("This cannot be set.", fields=wrong)
    return wanted


def checked_reason(text: str, *, needed: bool = False) -> str:
    """Raises Invalid."""
    text = text.strip()
    if len(text) > REASON_MAX or (needed and not text):
        why = f"1 to {REASON_MAX} characters" if needed else f"at most {REASON_MAX} characters"
        raise Invalid("Say why, in a sentence.", fields={"reason": why})
    return text
