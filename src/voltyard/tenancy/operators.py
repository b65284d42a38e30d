"""Fleet operators of a depot operator: created, admitted to sites, disabled; acting in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.errors import Forbidden, Invalid, NotFound
from voltyard.storage.engine import Database, Tx
from voltyard.tenancy import audit, store
from voltyard.tenancy.access import acting_name, on_behalf, require
from voltyard.tenancy.events import OperatorsChanged
from voltyard.tenancy.fields import clean_name
from voltyard.tenancy.integrity import refusals
from voltyard.tenancy.model import AdmittedSite, Organisation, Permission, Principal
from voltyard.tenancy.scope import SYSTEM, of, transaction
from voltyard.tenancy.service import CLASHES, NewUser, TenancyService

OPERATORS_MAX = 500


@dataclass(frozen=True, slots=True)
class Operator:
    """A fleet operator and where its vehicles charge."""

    organisation: Organisation
    places: tuple[AdmittedSite, ...] = ()


class OperatorService:
    """What a depot operator does with the organisations below it. They see none of this."""

    def __init__(self, database: Database, bus: Bus, clock: Clock, tenancy: TenancyService) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._tenancy = tenancy
        self._note = audit.Notes(clock)

    async def operators(self, principal: Principal) -> list[Operator]:
        """By name; empty in a fleet operator."""
        require(principal, Permission.VIEW)
        async with transaction(self._database, of(principal.org_id)) as tx:
            found = await store.operators(tx, principal.org_id)
            places = await store.admitted_below(tx, principal.org_id)
        return [Operator(each, tuple(places.get(each.id, ()))) for each in found]

    async def operator(self, principal: Principal, operator_id: UUID) -> Operator:
        """NotFound for anything but an operator of one's own."""
        require(principal, Permission.VIEW)
        async with transaction(self._database, of(principal.org_id)) as tx:
            found = await _below(tx, principal, operator_id)
            return Operator(found, tuple(await store.admitted(tx, operator_id)))

    async def names(self, principal: Principal) -> Mapping[UUID, str]:
        """Of all operators, for whatever is flagged by them; empty in a fleet operator."""
        async with transaction(self._database, of(principal.org_id)) as tx:
            return {each.id: each.name for each in await store.operators(tx, principal.org_id)}

    async def acting(self, principal: Principal, operator_id: UUID) -> Principal:
        """The same person or key at work in an operator; NotFound when it is not theirs."""
        require(principal, Permission.PEOPLE_WRITE)
        async with transaction(self._database, of(principal.org_id)) as tx:
            await _below(tx, principal, operator_id)
            own = await store.organisation(tx, principal.org_id)
        name = principal.name if own is None else acting_name(principal.name, own.name)
        return replace(on_behalf(principal, operator_id), name=name)

    async def enter(self, principal: Principal, operator_id: UUID, session_token: str) -> None:
        """From now on the log-in works in the operator. NotFound when it is not theirs."""
        who = await self.acting(principal, operator_id)
        async with transaction(self._database, of(operator_id)) as tx:
            await self._note(tx, who, "operator.enter", operator_id, {}, "")
        await self._tenancy.login.act(session_token, operator_id)

    async def leave(self, session_token: str) -> None:
        """The log-in is at home again."""
        await self._tenancy.login.act(session_token, None)

    async def create(
        self,
        principal: Principal,
        name: str,
        admin: NewUser,
        *,
        timezone: str = "Europe/Berlin",
        locale: str = "en",
        places: Sequence[AdmittedSite] = (),
        best_priority: int = 1,
        remote: str = "",
    ) -> Operator:
        """An operator with its first administrator. Invalid, Conflict; Forbidden for one below."""
        require(principal, Permission.PEOPLE_WRITE)
        if principal.parent_id is not None:
            raise Forbidden("A fleet operator has no operators.")
        if len(await self.operators(principal)) >= OPERATORS_MAX:
            raise Invalid(f"There are at most {OPERATORS_MAX} operators.")
        made, user, hashed = await self._tenancy.prepared(
            name, admin, timezone, locale, principal.org_id
        )
        made = replace(made, best_priority=_priority(best_priority))
        async with transaction(self._database, of(principal.org_id)) as tx:
            await _check_places(tx, places)
        with refusals(CLASHES):
            async with transaction(self._database, SYSTEM) as tx:
                await self._tenancy.found(tx, made, user, hashed, remote)
                await store.admit(tx, principal.org_id, made.id, places)
                detail = {"name": made.name, "admin": user.email, "sites": len(places)}
                await self._note(tx, principal, "operator.create", made.id, detail, remote)
        await self._tell(principal.org_id, made.id)
        return Operator(made, tuple(places))

    async def update(
        self,
        principal: Principal,
        operator_id: UUID,
        *,
        name: str | None = None,
        active: bool | None = None,
        places: Sequence[AdmittedSite] | None = None,
        best_priority: int | None = None,
        remote: str = "",
    ) -> Operator:
        """What is None stays. One that is not active is logged out, and its tokens blocked."""
        require(principal, Permission.PEOPLE_WRITE)
        async with transaction(self._database, of(principal.org_id)) as tx:
            before = await _below(tx, principal, operator_id, lock=True)
            had = tuple(await store.admitted(tx, operator_id))
            after = replace(
                before,
                name=before.name if name is None else clean_name(name),
                active=before.active if active is None else active,
                best_priority=_priority(best_priority or before.best_priority),
            )
            await store.update_organisation(tx, after)
            if places is not None:
                await _check_places(tx, places)
                await store.admit(tx, principal.org_id, operator_id, places)
            has = had if places is None else tuple(places)
            changed = audit.changes(before, after)
            if has != had:
                changed["places"] = [_plain(had), _plain(has)]
            await self._note(tx, principal, "operator.update", operator_id, changed, remote)
        await self._tell(principal.org_id, operator_id)
        return Operator(after, has)

    async def _tell(self, org_id: UUID, operator_id: UUID) -> None:
        await self._bus.publish(OperatorsChanged(org_id, operator_id, self._clock.now()))


async def _below(
    tx: Tx, principal: Principal, operator_id: UUID, *, lock: bool = False
) -> Organisation:
    found = await store.organisation(tx, operator_id, lock=lock)
    if found is None or found.parent_id != principal.org_id:
        raise NotFound("There is no such operator.")
    return found


def _priority(best: int) -> int:
    if not 1 <= best <= 9:
        raise Invalid("The priority is not valid.", fields={"best_priority": "1 to 9"})
    return best


async def _check_places(tx: Tx, places: Sequence[AdmittedSite]) -> None:
    known = await store.areas_of_sites(tx, [place.site_id for place in places])
    if len({place.site_id for place in places}) != len(places):
        raise Invalid("A site is named twice.", fields={"sites": "each once"})
    for place in places:
        if place.site_id not in known:
            raise Invalid("There is no such site.", fields={"site_id": "is unknown"})
        if not set(place.area_ids) <= known[place.site_id]:
            raise Invalid("There is no such area.", fields={"area_ids": "no area of this site"})


def _plain(places: Sequence[AdmittedSite]) -> list[dict[str, object]]:
    return [
        {"site_id": str(place.site_id), "area_ids": [str(area) for area in place.area_ids]}
        for place in places
    ]
