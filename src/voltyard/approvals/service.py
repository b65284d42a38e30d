"""Use cases of approvals: changes held, proposals decided by a second person, switches."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import msgspec

from voltyard.approvals import store
from voltyard.approvals.carrying import Carrier, People, owner_of
from voltyard.approvals.events import ProposalChanged
from voltyard.approvals.gate import (
    BECAUSE,
    Action,
    Held,
    Proposed,
    check_base,
    fingerprint,
)
from voltyard.approvals.model import (
    CHOOSABLE,
    OPEN,
    REASON_MAX,
    WAITING_MAX,
    Change,
    Difference,
    Kind,
    Proposal,
    ProposalFilter,
    State,
    Switches,
    checked_reason,
    checked_switches,
    expires_at,
    why_not,
)
from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.errors import Conflict, Forbidden, NotFound, TooMany
from voltyard.ids import new_id
from voltyard.storage.engine import Database, Tx
from voltyard.tenancy import audit, scope
from voltyard.tenancy.access import require, system_principal
from voltyard.tenancy.model import ROLE_PERMISSIONS, Permission, Principal

ALL = ProposalFilter()
NEEDED = {
    Kind.LIMITS: Permission.SITES_WRITE,
    Kind.CONFIGURATION: Permission.CHARGERS_WRITE,
    Kind.FIRMWARE: Permission.CHARGERS_COMMAND,
}
"""What at least two people must be allowed to before a kind is switched on."""


class ApprovalService:
    """Implements ``Gate``. Switches and what waits are in memory; the database claims."""

    def __init__(self, database: Database, bus: Bus, clock: Clock, people: People) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._people = people
        self._switches: dict[UUID, Switches] = {}
        self._waiting: dict[UUID, Proposal] = {}
        self._carrier = Carrier(database, clock, people, self._ended)
        self.carries_out(Action("approvals.switches", Switches, self._switch))

    async def load(self) -> None:
        """At start, after the rooms whose changes are carried out.

        What waits is told again: a crash may have kept it from being told.
        """
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            self._switches = await store.settings(tx)
            waiting = await store.in_state(tx, State.WAITING)
        for proposal in waiting:
            await self._told(proposal)
        await self._carrier.finish()

    async def tick(self) -> None:
        """What nobody decided in time ends."""
        now = self._clock.now()
        for proposal in [p for p in self._waiting.values() if p.expires_at <= now]:
            await self._close(proposal, State.EXPIRED, system_principal(proposal.org_id))

    async def close(self) -> None:
        await self._carrier.close()

    # The gate

    def carries_out(self, action: Action[Any]) -> None:
        self._carrier.actions[action.name] = action

    def waits(self, who: Principal, kind: Kind) -> bool:
        return who.kind != "system" and self.switches(who.org_id).on(kind)

    def check(
        self, who: Principal, kind: Kind, make: Callable[[], Change], *, needed: bool = True
    ) -> None:
        if not check_base(who, make) and needed and self.waits(who, kind):
            raise Held(kind, make())

    @asynccontextmanager
    async def guarding(self, who: Principal) -> AsyncIterator[None]:
        try:
            yield
        except Held as held:
            raise Proposed(await self._propose(who, held.kind, held.change)) from None

    async def _propose(self, who: Principal, kind: Kind, change: Change) -> Proposal:
        """Kept, or the one that waits already and is the same."""
        now, switches = self._clock.now(), self.switches(who.org_id)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            proposal = Proposal(
                id=new_id(),
                org_id=who.org_id,
                site_id=change.site_id,
                kind=kind,
                action=change.action,
                permission=change.permission,
                subject=change.subject,
                payload=msgspec.to_builtins(change.data),
                base=change.base,
                differences=change.differences,
                reason=BECAUSE.get()[:REASON_MAX],
                proposer_kind=who.kind,
                proposer_id=who.id,
                proposer_name=who.name,
                owner_id=await owner_of(tx, who),
                proposed_at=now,
                expires_at=expires_at(change, switches, now),
            )
            known = await store.same(tx, proposal)
            if known is not None:
                return known
            mine = sum(p.org_id == who.org_id for p in self._waiting.values())
            if mine >= WAITING_MAX:
                raise TooMany("Too many changes wait for a second person already.")
            await store.insert(tx, proposal)
            await self._note(tx, who, "propose", proposal)
        await self._told(proposal)
        return proposal

    # Deciding

    async def approve(
        self, who: Principal, proposal_id: UUID, reason: str = "", *, remote: str = ""
    ) -> Proposal:
        """Carry it out, and tell how that went. Raises NotFound, Forbidden, Conflict."""
        claimed = await self._decide(who, proposal_id, State.RUNNING, reason, remote)
        await self._carrier.carry_out(claimed)
        return await self._stored(who.org_id, proposal_id)

    async def refuse(
        self, who: Principal, proposal_id: UUID, reason: str, *, remote: str = ""
    ) -> Proposal:
        """As ``approve``; a reason is needed."""
        checked_reason(reason, needed=True)
        return await self._decide(who, proposal_id, State.REFUSED, reason, remote)

    async def _decide(
        self, who: Principal, proposal_id: UUID, state: State, reason: str, remote: str
    ) -> Proposal:
        reason, now = checked_reason(reason), self._clock.now()
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            proposal = _found(await store.one(tx, proposal_id, lock=True))
            wrong = why_not(proposal, who, now)
            if wrong is not None:
                raise wrong
            if not await store.claim(tx, proposal_id, state, who.id, who.name, reason, now):
                raise Conflict("The proposal is decided already.", code="proposal_decided")
            decided = _found(await store.one(tx, proposal_id))
            verb = "approve" if state is State.RUNNING else "refuse"
            await self._note(tx, who, verb, decided, remote, {"reason": reason})
        await self._told(decided)
        return decided

    async def withdraw(self, who: Principal, proposal_id: UUID, *, remote: str = "") -> Proposal:
        """By the proposer, or the person behind the key that proposed it."""
        proposal = await self.one(who, proposal_id)
        if not proposal.is_of(who):
            raise Forbidden("Only the proposer withdraws it.", code="proposer_only")
        return await self._close(proposal, State.WITHDRAWN, who, remote)

    async def explain(
        self, who: Principal, proposal_id: UUID, reason: str, *, remote: str = ""
    ) -> Proposal:
        """Say why, or otherwise than before, while it waits."""
        reason = checked_reason(reason)
        proposal = await self.one(who, proposal_id)
        if not proposal.is_of(who):
            raise Forbidden("Only the proposer says why.", code="proposer_only")
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            if not await store.explain(tx, proposal_id, reason):
                raise Conflict("The proposal is decided already.", code="proposal_decided")
            after = _found(await store.one(tx, proposal_id))
            await self._note(tx, who, "explain", after, remote, {"reason": reason})
        self._waiting[proposal_id] = after
        return after

    async def again(self, who: Principal, proposal_id: UUID) -> Mapping[str, Any]:
        """Ask for the same change anew, on what is there now, as if it were entered again.

        Raises Proposed, as a rule; else what the change raises, or what came of it.
        """
        proposal = await self.one(who, proposal_id)
        if not proposal.is_of(who):
            raise Forbidden("Only the proposer asks anew.", code="proposer_only")
        if proposal.state in OPEN or proposal.state is State.DONE:
            raise Conflict(f"The proposal is {proposal.state.value}.", code="proposal_decided")
        before = BECAUSE.set(proposal.reason)
        try:
            return await self._carrier.again(who, proposal)
        finally:
            BECAUSE.reset(before)

    # Reading

    async def page(
        self, who: Principal, wanted: ProposalFilter = ALL, *, limit: int = 50, offset: int = 0
    ) -> tuple[list[Proposal], int]:
        require(who, Permission.VIEW)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            return await store.page(tx, wanted, limit=limit, offset=offset)

    async def one(self, who: Principal, proposal_id: UUID) -> Proposal:
        require(who, Permission.VIEW)
        return await self._stored(who.org_id, proposal_id)

    async def _stored(self, org_id: UUID, proposal_id: UUID) -> Proposal:
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            return _found(await store.one(tx, proposal_id))

    def may_decide(self, who: Principal, proposal: Proposal) -> bool:
        return why_not(proposal, who, self._clock.now()) is None

    def waiting_for(self, who: Principal) -> int:
        """How many wait for this very person's decision."""
        mine = (p for p in self._waiting.values() if p.org_id == who.org_id)
        return sum(self.may_decide(who, proposal) for proposal in mine)

    # Switches

    def switches(self, org_id: UUID) -> Switches:
        return self._switches.get(org_id, Switches())

    async def set_switches(self, who: Principal, wanted: Switches, *, remote: str = "") -> Switches:
        """On at once, if two people could decide; off by a second person. Raises Proposed."""
        require(who, Permission.SECURITY_WRITE)
        checked_switches(wanted)
        if who.parent_id is not None:
            raise Forbidden("The depot operator's sites and chargers are not yours to guard.")
        await self._two_people(who, wanted.kinds - self.switches(who.org_id).kinds)
        async with (
            self.guarding(who),
            scope.transaction(self._database, scope.of(who.org_id)) as tx,
        ):
            before = await store.setting(tx, who.org_id)
            off = before.kinds - wanted.kinds
            self.check(who, Kind.SWITCHES, lambda: _switching(before, wanted), needed=bool(off))
            after = replace(wanted, changed_at=self._clock.now(), changed_by=who.name)
            await store.put_setting(tx, who.org_id, after)
            detail = {
                "kinds": [sorted(before.kinds), sorted(after.kinds)],
                "expires_s": [before.expires_s, after.expires_s],
            }
            await audit.write(
                tx, who, "approvals.switch", "organisation", who.org_id, detail,
                at=self._clock.now(), remote=remote,
            )  # fmt: skip
        self._switches[who.org_id] = after
        return after

    async def _switch(self, who: Principal, wanted: Switches) -> Mapping[str, Any]:
        await self.set_switches(who, wanted)
        return {}

    async def _two_people(self, who: Principal, kinds: frozenset[Kind]) -> None:
        """Nobody shuts themselves out by mistake."""
        people = await self._people.users(system_principal(who.org_id))
        for kind in sorted(kinds):
            able = [u for u in people if u.active and NEEDED[kind] in ROLE_PERMISSIONS[u.role]]
            if len(able) < 2:
                raise Conflict(
                    "There must be two people who may do this before one has to approve it.",
                    code="one_person",
                    fields={"kinds": kind.value},
                )

    # Endings

    async def _ended(self, proposal: Proposal, state: State, outcome: Mapping[str, Any]) -> None:
        """What came of an approved one."""
        now = self._clock.now()
        async with scope.transaction(self._database, scope.of(proposal.org_id)) as tx:
            if not await store.end(tx, proposal.id, State.RUNNING, state, now, outcome):
                return
            after = _found(await store.one(tx, proposal.id))
            detail = {"state": state.value, "code": str(outcome.get("code", ""))}
            system = system_principal(proposal.org_id)
            await self._note(tx, system, "end", after, "", detail)
        await self._told(after)

    async def _close(
        self, proposal: Proposal, state: State, who: Principal, remote: str = ""
    ) -> Proposal:
        """Withdrawn or expired. Raises Conflict if it was decided meanwhile, by a person."""
        now = self._clock.now()
        async with scope.transaction(self._database, scope.of(proposal.org_id)) as tx:
            closed = await store.end(tx, proposal.id, State.WAITING, state, now)
            after = _found(await store.one(tx, proposal.id))
            if closed:
                verb = "withdraw" if state is State.WITHDRAWN else "expire"
                await self._note(tx, who, verb, after, remote)
        if not closed:
            self._waiting.pop(proposal.id, None)
            if who.kind == "system":
                return after
            raise Conflict("The proposal is decided already.", code="proposal_decided")
        await self._told(after)
        return after

    async def _note(
        self,
        tx: Tx,
        who: Principal,
        verb: str,
        proposal: Proposal,
        remote: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        told = {"subject": proposal.subject, "kind": proposal.kind.value, **(detail or {})}
        at = self._clock.now()
        await audit.write(
            tx, who, f"approval.{verb}", "proposal", proposal.id, told, at=at, remote=remote
        )

    async def _told(self, proposal: Proposal) -> None:
        if proposal.state is State.WAITING:
            self._waiting[proposal.id] = proposal
        else:
            self._waiting.pop(proposal.id, None)
        await self._bus.publish(
            ProposalChanged(
                proposal.org_id,
                proposal.site_id,
                proposal.id,
                proposal.kind.value,
                proposal.subject,
                proposal.state.value,
                proposal.proposer_name,
                proposal.decided_name,
                proposal.expires_at,
                str(proposal.outcome.get("code", "")),
                proposal.changed_at,
            )
        )


def _found(proposal: Proposal | None) -> Proposal:
    if proposal is None:
        raise NotFound("There is no such proposal.")
    return proposal


def _switching(before: Switches, wanted: Switches) -> Change:
    rows = [
        Difference("", f"switch_{kind.value}", _on(before, kind), _on(wanted, kind))
        for kind in CHOOSABLE
        if before.on(kind) != wanted.on(kind)
    ]
    return Change(
        "approvals.switches",
        Permission.SECURITY_WRITE,
        "",
        replace(wanted, changed_at=None, changed_by=""),
        fingerprint(before),
        tuple(rows),
    )


def _on(switches: Switches, kind: Kind) -> str:
    return "on" if switches.on(kind) else "off"
