"""Proposals over the real database: nothing happens without a second person, and nothing twice."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from voltyard.approvals import store
from voltyard.approvals.gate import BECAUSE, Action, Proposed, fingerprint
from voltyard.approvals.model import (
    Change,
    Difference,
    Kind,
    Proposal,
    ProposalFilter,
    State,
    Switches,
)
from voltyard.approvals.service import ApprovalService
from voltyard.bus import Bus
from voltyard.clock import seeded
from voltyard.errors import Conflict, Forbidden, Invalid, NotFound, VoltyardError
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy import audit, scope
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.approved import ApprovedPrincipal
from voltyard.tenancy.audit import AuditFilter
from voltyard.tenancy.login import principal_of
from voltyard.tenancy.model import Permission, Principal, Role
from voltyard.tenancy.passwords import PasswordBook, in_place
from voltyard.tenancy.service import NewUser, TenancyService

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
PASSWORD = "seven buses at dawn"


class Hands:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.at = AT

    def now(self) -> datetime:
        return self.at


@dataclass(frozen=True, slots=True)
class Turn:
    """A dial is turned to a value."""

    value: int


@dataclass
class Yard:
    """A dial that only two people together turn up; down it goes at once."""

    database: PostgresDatabase
    clock: Any
    people: TenancyService
    approvals: ApprovalService
    org: Principal
    who: dict[str, Principal]
    value: int = 0
    turned: list[tuple[str, str]] = field(default_factory=list)
    fails: VoltyardError | None = None
    breaks: bool = False

    async def turn(self, who: Principal, value: int) -> None:
        async with (
            self.approvals.guarding(who),
            scope.transaction(self.database, scope.of(who.org_id)) as tx,
        ):
            await tx.execute("SELECT pg_advisory_xact_lock(1)")
            self.approvals.check(
                who, Kind.LIMITS, lambda: self._change(value), needed=value > self.value
            )
            if self.fails is not None:
                raise self.fails
            await audit.write(tx, who, "dial.turn", "dial", value, at=self.clock.now())
            self.value = value
        approver = who.approved_by if isinstance(who, ApprovedPrincipal) else ""
        self.turned.append((who.name, approver))
        if self.breaks:
            raise RuntimeError("the machine stops here")

    def _change(self, value: int) -> Change:
        row = Difference("Dial", "value", str(self.value), str(value))
        base = fingerprint(self.value)
        return Change("dial", Permission.SITES_WRITE, "Dial", Turn(value), base, (row,))

    async def carry_out(self, who: Principal, data: Turn) -> Mapping[str, Any]:
        await self.turn(who, data.value)
        return {"value": data.value}

    async def proposed(self, name: str, value: int) -> Proposal:
        with pytest.raises(Proposed) as held:
            await self.turn(self.who[name], value)
        return held.value.proposal

    async def restarted(self) -> "Yard":
        made = ApprovalService(self.database, Bus(), self.clock, self.people)
        again = replace(self, approvals=made, turned=list(self.turned), breaks=False)
        made.carries_out(Action("dial", Turn, again.carry_out))
        await made.load()
        return again


@pytest.fixture
async def yard(database: PostgresDatabase) -> Yard:
    clock: Any = Hands()
    people = TenancyService(database, clock, PasswordBook(in_place, time_cost=1, memory_kib=64))
    admin = NewUser("ada@example.org", "Ada", Role.ADMIN, PASSWORD)
    organisation, _ = await people.create_organisation("Depot", admin)
    org = system_principal(organisation.id)
    for name, role in (("Bea", Role.ADMIN), ("Tim", Role.TECHNICIAN), ("Vera", Role.VIEWER)):
        await people.create_user(org, NewUser(f"{name}@example.org", name, role, PASSWORD))
    who = {user.name: principal_of(user) for user in await people.users(org)}
    key = await people.create_key(who["Ada"], "Ada's key", frozenset(Permission))
    who["Key"] = await people.login.principal_of_key(key.text)
    approvals = ApprovalService(database, Bus(), clock, people)
    made = Yard(database, clock, people, approvals, org, who)
    approvals.carries_out(Action("dial", Turn, made.carry_out))
    await approvals.load()
    await approvals.set_switches(who["Ada"], Switches(frozenset({Kind.LIMITS})))
    return made


async def test_off_by_default_and_voltyard_itself_never_waits(yard: Yard) -> None:
    assert Switches().kinds == frozenset()
    await yard.turn(yard.org, 5)
    assert yard.turned == [("voltyard", "")]


async def test_a_raise_waits_for_somebody_else_and_a_cut_does_not(yard: Yard) -> None:
    yard.value = 5
    await yard.turn(yard.who["Ada"], 3)
    BECAUSE.set("The new transformer is in.")
    proposal = await yard.proposed("Ada", 9)
    BECAUSE.set("")
    assert yard.value == 3
    assert (proposal.state, proposal.reason) == (State.WAITING, "The new transformer is in.")
    assert proposal.differences == (Difference("Dial", "value", "3", "9"),)
    assert proposal.expires_at == AT + timedelta(days=1)
    assert (await yard.proposed("Ada", 9)).id == proposal.id  # pressed twice
    for name in ("Ada", "Key", "Tim", "Vera"):
        with pytest.raises(Forbidden):
            await yard.approvals.approve(yard.who[name], proposal.id)
    assert [yard.approvals.waiting_for(yard.who[n]) for n in ("Ada", "Bea", "Tim")] == [0, 1, 0]
    done = await yard.approvals.approve(yard.who["Bea"], proposal.id, "Seen it.")
    assert (done.state, done.outcome) == (State.DONE, {"result": {"value": 9}})
    assert (yard.value, yard.turned[-1]) == (9, ("Ada", "Bea"))
    with pytest.raises(Conflict):
        await yard.approvals.approve(yard.who["Bea"], proposal.id)
    entries, _ = await yard.people.audit(yard.org, AuditFilter(action="dial"))
    assert '"approved_by":"Bea"' in entries[0].detail
    told, _ = await yard.people.audit(yard.org, AuditFilter(object_id=str(proposal.id)))
    verbs = [entry.action for entry in reversed(told)]
    assert verbs == ["approval.propose", "approval.approve", "approval.end"]


async def test_who_made_a_key_does_not_approve_what_it_proposed(yard: Yard) -> None:
    second = await yard.people.create_key(yard.who["Key"], "A key's key", frozenset(Permission))
    yard.who["Key 2"] = await yard.people.login.principal_of_key(second.text)
    for value, name in ((2, "Key"), (3, "Key 2")):
        proposal = await yard.proposed(name, value)
        assert proposal.owner_id == yard.who["Ada"].id
        with pytest.raises(Forbidden):
            await yard.approvals.approve(yard.who["Ada"], proposal.id)
    done = await yard.approvals.approve(yard.who["Bea"], proposal.id)
    assert (done.state, yard.value) == (State.DONE, 3)
    revoked = await yard.proposed("Key 2", 8)
    await yard.people.revoke_key(yard.who["Ada"], yard.who["Key 2"].id)
    done = await yard.approvals.approve(yard.who["Bea"], revoked.id)
    assert (done.state, done.outcome["code"], yard.value) == (State.FAILED, "proposer_gone", 3)


async def test_refused_withdrawn_and_expired_ones_never_run(yard: Yard) -> None:
    refused, withdrawn, late = [await yard.proposed("Ada", value) for value in (1, 2, 3)]
    with pytest.raises(Invalid):
        await yard.approvals.refuse(yard.who["Bea"], refused.id, " ")
    with pytest.raises(Forbidden):
        await yard.approvals.refuse(yard.who["Ada"], refused.id, "Mine.")
    with pytest.raises(Forbidden):
        await yard.approvals.withdraw(yard.who["Bea"], withdrawn.id)
    await yard.approvals.explain(yard.who["Ada"], refused.id, "Why not.")
    told = await yard.approvals.refuse(yard.who["Bea"], refused.id, "Too much.")
    assert (told.state, told.reason, told.decision) == (State.REFUSED, "Why not.", "Too much.")
    taken = await yard.approvals.withdraw(yard.who["Ada"], withdrawn.id)
    assert (taken.state, taken.decided_by) == (State.WITHDRAWN, None)
    yard.clock.at = late.expires_at
    with pytest.raises(Conflict):
        await yard.approvals.approve(yard.who["Bea"], late.id)
    await yard.approvals.tick()
    assert (await yard.approvals.one(yard.who["Bea"], late.id)).state is State.EXPIRED
    for proposal in (refused, withdrawn, late):
        with pytest.raises(Conflict):
            await yard.approvals.approve(yard.who["Bea"], proposal.id)
    assert yard.turned == []
    page, total = await yard.approvals.page(yard.who["Bea"], ProposalFilter(waiting=False))
    assert (total, {p.id for p in page}) == (3, {refused.id, withdrawn.id, late.id})
    with pytest.raises(Proposed) as anew:
        await yard.approvals.again(yard.who["Ada"], late.id)
    assert (anew.value.proposal.payload, anew.value.proposal.id != late.id) == ({"value": 3}, True)


async def test_what_has_changed_meanwhile_is_not_done_but_told(yard: Yard) -> None:
    proposal = await yard.proposed("Ada", 7)
    await yard.turn(yard.org, 2)
    told = await yard.approvals.approve(yard.who["Bea"], proposal.id)
    assert (told.state, told.outcome["code"], yard.value) == (
        State.OUTDATED,
        "proposal_outdated",
        2,
    )
    with pytest.raises(Proposed) as anew:
        await yard.approvals.again(yard.who["Ada"], proposal.id)
    assert anew.value.proposal.differences == (Difference("Dial", "value", "2", "7"),)


async def test_a_failure_is_told_and_not_tried_again(yard: Yard) -> None:
    proposal = await yard.proposed("Ada", 7)
    yard.fails = Conflict("Stuck.", code="stuck")
    told = await yard.approvals.approve(yard.who["Bea"], proposal.id)
    assert (told.state, told.outcome["message"]) == (State.FAILED, "Stuck.")
    yard.fails = None
    again = await yard.restarted()
    assert (await again.approvals.one(yard.who["Bea"], proposal.id)).state is State.FAILED
    assert yard.turned == []


@pytest.mark.parametrize("committed", [True, False])
async def test_a_crash_in_the_middle_ends_in_a_word(yard: Yard, *, committed: bool) -> None:
    proposal = await yard.proposed("Ada", 7)
    bea = yard.who["Bea"]
    async with scope.transaction(yard.database, scope.of(bea.org_id)) as tx:
        assert await store.claim(
            tx, proposal.id, State.RUNNING, bea.id, bea.name, "", yard.clock.now()
        )
        if committed:
            parts = {name: getattr(yard.who["Ada"], name) for name in Principal.__match_args__}
            ada = ApprovedPrincipal(
                **parts, proposal_id=proposal.id, approved_by="Bea", base=proposal.base
            )
            await audit.write(tx, ada, "dial.turn", "dial", 7, at=yard.clock.now())
    again = await yard.restarted()
    found = await again.approvals.one(bea, proposal.id)
    assert found.state is (State.DONE if committed else State.FAILED)
    assert again.turned == []
    with pytest.raises(Conflict):
        await again.approvals.approve(bea, proposal.id)


async def test_a_defect_leaves_no_proposal_running(yard: Yard) -> None:
    proposal = await yard.proposed("Ada", 7)
    yard.breaks = True
    with pytest.raises(RuntimeError):
        await yard.approvals.approve(yard.who["Bea"], proposal.id)
    found = await yard.approvals.one(yard.who["Bea"], proposal.id)
    assert (found.state, found.outcome["code"]) == (State.FAILED, "interrupted")


async def test_switching_off_waits_and_nobody_shuts_themselves_out(yard: Yard) -> None:
    ada, bea = yard.who["Ada"], yard.who["Bea"]
    more = Switches(frozenset({Kind.LIMITS, Kind.FIRMWARE}), 3600)
    assert (await yard.approvals.set_switches(ada, more)).kinds == more.kinds
    with pytest.raises(Proposed) as held:
        await yard.approvals.set_switches(ada, Switches())
    assert yard.approvals.switches(ada.org_id).kinds == more.kinds
    rows = [(row.what, row.before, row.after) for row in held.value.proposal.differences]
    assert rows == [("switch_limits", "on", "off"), ("switch_firmware", "on", "off")]
    done = await yard.approvals.approve(bea, held.value.proposal.id)
    assert (done.state, yard.approvals.switches(ada.org_id).kinds) == (State.DONE, frozenset())
    await yard.people.update_user(yard.org, bea.id, active=False)
    with pytest.raises(Conflict, match="two people"):
        await yard.approvals.set_switches(ada, Switches(frozenset({Kind.LIMITS})))
    with pytest.raises(Forbidden):
        await yard.approvals.set_switches(yard.who["Tim"], Switches())
    with pytest.raises(Invalid):
        await yard.approvals.set_switches(ada, Switches(expires_s=1))


async def test_the_database_itself_refuses_the_proposer_and_other_tenants(yard: Yard) -> None:
    proposal = await yard.proposed("Key", 7)
    for who in (yard.who["Key"], yard.who["Ada"]):
        with pytest.raises(IntegrityError, match="proposals_second_person"):
            async with scope.transaction(yard.database, scope.of(who.org_id)) as tx:
                await store.claim(tx, proposal.id, State.RUNNING, who.id, "", "", AT)
    other, _ = await yard.people.create_organisation(
        "Other", NewUser("eve@example.org", "Eve", Role.ADMIN, PASSWORD)
    )
    eve = replace(yard.who["Bea"], org_id=other.id)
    for attempt in (yard.approvals.one, yard.approvals.approve, yard.approvals.withdraw):
        with pytest.raises(NotFound):
            await attempt(eve, proposal.id)
    assert (await yard.approvals.page(eve))[1] == 0
    assert yard.approvals.waiting_for(eve) == 0


@pytest.mark.parametrize("seed", range(3))
async def test_no_path_runs_twice_or_without_a_second_person(yard: Yard, seed: int) -> None:
    """Random steps of everybody, several at once, with restarts in between."""
    chance = seeded(seed, "approvals")
    names = sorted(yard.who)
    for _ in range(40):
        page, _ = await yard.approvals.page(yard.who["Bea"], limit=200)
        steps: list[Awaitable[object]] = []
        for _ in range(chance.randint(1, 4)):
            who = yard.who[chance.choice(names)]
            if not page or chance.random() < 0.3:
                steps.append(yard.turn(who, chance.randint(0, 20)))
                continue
            one, verb = chance.choice(page), chance.choice("aaaarwgt")
            if verb == "a":
                steps.append(yard.approvals.approve(who, one.id))
                steps.append(yard.approvals.approve(yard.who["Bea"], one.id))
            elif verb == "r":
                steps.append(yard.approvals.refuse(who, one.id, "No."))
            elif verb == "w":
                steps.append(yard.approvals.withdraw(who, one.id))
            elif verb == "g":
                steps.append(yard.approvals.again(who, one.id))
            else:
                yard.clock.at += timedelta(hours=chance.choice((1, 9)))
                steps.append(yard.approvals.tick())
        for result in await asyncio.gather(*steps, return_exceptions=True):
            assert not isinstance(result, BaseException) or isinstance(
                result, VoltyardError | Proposed
            ), result
        if chance.random() < 0.1:
            yard = await yard.restarted()
    await _judge(yard)


async def _judge(yard: Yard) -> None:
    """By the audit, which nobody can change: every raise has one proposal and two people."""
    entries, _ = await yard.people.audit(yard.org, AuditFilter(action="dial"), limit=1000)
    page, _ = await yard.approvals.page(yard.who["Bea"], limit=1000)
    by_id = {str(p.id): p for p in page}
    owners = {"Key": "Ada"}
    value, used = 0, set[str]()
    for entry in reversed(entries):
        after = int(entry.object_id)
        if after > value:
            ours = next(p for key, p in by_id.items() if key in entry.detail)
            assert str(ours.id) not in used
            used.add(str(ours.id))
            assert ours.state is State.DONE
            assert ours.decided_by not in (None, ours.proposer_id, ours.owner_id)
            assert owners.get(ours.proposer_name, ours.proposer_name) != ours.decided_name
        value = after
    done = {str(p.id) for p in page if p.state is State.DONE}
    assert done == used
    assert not [p for p in page if p.state is State.RUNNING]
