"""Approved changes carried out, once, in the name of whoever proposed them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import msgspec

from voltyard.approvals import store
from voltyard.approvals.gate import Action
from voltyard.approvals.model import OUTDATED, Proposal, State
from voltyard.clock import Clock
from voltyard.errors import Forbidden, VoltyardError
from voltyard.storage.engine import Database, Tx
from voltyard.tenancy import scope
from voltyard.tenancy.access import SYSTEM_ID, system_principal
from voltyard.tenancy.approved import ApprovedPrincipal
from voltyard.tenancy.login import principal_of
from voltyard.tenancy.model import ApiKey, Principal, User

log = logging.getLogger(__name__)

INTERRUPTED = "interrupted"
KEYS_DEEP = 10
Ended = Callable[[Proposal, State, Mapping[str, Any]], Awaitable[None]]


class People(Protocol):
    """``TenancyService`` is one."""

    async def user(self, principal: Principal, user_id: UUID) -> User: ...

    async def users(self, principal: Principal) -> list[User]: ...

    async def keys(self, principal: Principal) -> list[ApiKey]: ...


class Carrier:
    """A proposal that is ``running`` is run here to its end: done, failed or outdated."""

    def __init__(self, database: Database, clock: Clock, people: People, ended: Ended) -> None:
        self._database = database
        self._clock = clock
        self._people = people
        self._ended = ended
        self.actions: dict[str, Action[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def carry_out(self, proposal: Proposal) -> None:
        """Goes on also if nobody waits for it any more."""
        task = asyncio.get_running_loop().create_task(
            self._run(proposal), name=f"proposal {proposal.id}"
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def close(self) -> None:
        """What is under way is waited for: it would be told failed at the next start."""
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, proposal: Proposal) -> None:
        state, outcome = State.FAILED, _failure(INTERRUPTED, "It was interrupted.")
        try:
            who = await self._proposer(proposal)
            result = await self.again(who, proposal)
            state, outcome = State.DONE, msgspec.to_builtins({"result": dict(result)})
        except VoltyardError as error:
            state = State.OUTDATED if error.code == OUTDATED else State.FAILED
            outcome = _failure(error.code, error.message, error.fields)
        finally:
            await self._ended(proposal, state, outcome)

    async def again(self, who: Principal, proposal: Proposal) -> Mapping[str, Any]:
        """The change itself, as it was kept. What it raises is its own."""
        action = self.actions.get(proposal.action)
        if action is None:
            raise VoltyardError("This change is not known any more.", code="unknown_action")
        return await action.run(who, msgspec.convert(proposal.payload, action.data))

    async def _proposer(self, proposal: Proposal) -> ApprovedPrincipal:
        """With the rights they have now. Raises Forbidden if they may not get in any more."""
        who = await self._known(proposal)
        parts = {field.name: getattr(who, field.name) for field in fields(who)}
        return ApprovedPrincipal(
            **parts,
            proposal_id=proposal.id,
            approved_by=proposal.decided_name,
            base=proposal.base,
        )

    async def _known(self, proposal: Proposal) -> Principal:
        system, wanted = system_principal(proposal.org_id), proposal.proposer_id
        gone = Forbidden("Whoever proposed it has no access any more.", code="proposer_gone")
        if proposal.proposer_kind == "user":
            found = await self._people.user(system, wanted)
            if not found.active:
                raise gone
            return principal_of(found)
        now = self._clock.now()
        for key in await self._people.keys(system):
            if key.id == wanted and _opens(key, now):
                return Principal(key.org_id, "key", key.id, key.name, key.scopes)
        raise gone

    async def finish(self) -> None:
        """At start: what a former process left under way was done, or is told failed.

        A change whose audit was committed with it is proven; of others nobody knows.
        """
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            left = await store.in_state(tx, State.RUNNING)
        for proposal in left:
            action = self.actions.get(proposal.action)
            async with scope.transaction(self._database, scope.of(proposal.org_id)) as tx:
                since = proposal.decided_at or proposal.proposed_at
                proven = await store.carried_out(tx, proposal.id, since)
            if action is not None and action.provable and proven:
                await self._ended(proposal, State.DONE, {"result": {}})
            else:
                log.warning("proposal %s was interrupted", proposal.id)
                said = "The server stopped meanwhile: look whether it was done, or propose anew."
                await self._ended(proposal, State.FAILED, _failure(INTERRUPTED, said))


def _opens(key: ApiKey, now: datetime) -> bool:
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now)


def _failure(code: str, message: str, wrong: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {"code": code, "message": message, "fields": dict(wrong or {})}


async def owner_of(tx: Tx, who: Principal) -> UUID | None:
    """The person behind a principal: of an API key who made it, even by another key."""
    kind, at = who.kind, who.id
    for _ in range(KEYS_DEEP):
        if kind == "user":
            return at
        made = None if kind != "key" else await store.key_made_by(tx, at)
        if made is None or made[1] == SYSTEM_ID:
            return None
        kind, at = made
    return None
