"""Use cases of fleets: vehicles, the tokens that name them, and looking a token up."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.errors import Invalid, NotFound
from voltyard.fleets import store
from voltyard.fleets.bounds import bound
from voltyard.fleets.commands import TokenDraft, VehicleDraft, token_from, vehicle_from
from voltyard.fleets.events import TokensChanged, VehiclesChanged
from voltyard.fleets.importing import (
    FleetReport,
    read_tokens,
    read_vehicles,
    write_tokens,
    write_vehicles,
)
from voltyard.fleets.model import Token, TokenFilter, Vehicle
from voltyard.ids import new_id
from voltyard.sessions.model import IdToken
from voltyard.sites.events import SiteChanged
from voltyard.storage.engine import Database, Tx
from voltyard.tenancy import audit
from voltyard.tenancy.access import on_behalf, require
from voltyard.tenancy.admission import admissions, depot_operator
from voltyard.tenancy.events import OperatorsChanged
from voltyard.tenancy.integrity import refusals
from voltyard.tenancy.model import Permission, Principal
from voltyard.tenancy.scope import of, transaction

T = TypeVar("T")

CLASHES = {
    "vehicles_org_id_name_key": ("name", "A vehicle of this name exists."),
    "tokens_value": ("value", "This token exists."),
}


@dataclass(slots=True)
class _Fleet:
    """An organisation's vehicles and tokens in memory, with those of the operators below it.

    ``tokens`` of operators say where they charge as the operator is admitted, not as written.
    """

    org_ids: frozenset[UUID] = frozenset()
    vehicles: dict[UUID, Vehicle] = field(default_factory=dict)
    by_name: dict[str, Vehicle] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)


class FleetService:
    """Vehicles and tokens. A fleet is read once and kept until something in it changes."""

    def __init__(self, database: Database, bus: Bus, clock: Clock) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._note = audit.Notes(clock)
        self._fleets: dict[UUID, _Fleet] = {}
        self._changes = 0
        bus.subscribe(OperatorsChanged, self._on_operators, name="fleets.operators")
        bus.subscribe(SiteChanged, self._on_site, name="fleets.site")

    # For other rooms: from memory

    async def lookup_token(self, org_id: UUID, token: IdToken) -> Token | None:
        """The token of that value, whatever its case; blocked and expired ones too."""
        return (await self._fleet(org_id)).tokens.get(token.value.strip().casefold())

    async def lookup(self, org_id: UUID, token: IdToken) -> tuple[Token | None, Vehicle | None]:
        """The token of that value and the vehicle it stands for."""
        fleet = await self._fleet(org_id)
        found = fleet.tokens.get(token.value.strip().casefold())
        if found is None or found.vehicle_id is None:
            return found, None
        return found, fleet.vehicles.get(found.vehicle_id)

    async def vehicles(self, org_id: UUID, ids: Sequence[UUID]) -> list[Vehicle]:
        """Those of ``ids`` that are there."""
        fleet = await self._fleet(org_id)
        return [fleet.vehicles[i] for i in ids if i in fleet.vehicles]

    async def vehicle_of(self, org_id: UUID, vehicle_id: UUID) -> Vehicle | None:
        return (await self._fleet(org_id)).vehicles.get(vehicle_id)

    async def by_name(self, org_id: UUID, name: str) -> Vehicle | None:
        """By its name, whatever its case."""
        return (await self._fleet(org_id)).by_name.get(name.strip().casefold())

    async def all(self, org_id: UUID) -> list[Vehicle]:
        """By name; of a depot operator those of its operators, too."""
        return list((await self._fleet(org_id)).vehicles.values())

    async def own(self, org_id: UUID) -> list[Vehicle]:
        """By name, without those of operators."""
        return [vehicle for vehicle in await self.all(org_id) if vehicle.org_id == org_id]

    async def all_tokens(self, org_id: UUID) -> list[Token]:
        """As ``all``; those of operators with where the operator is admitted."""
        return list((await self._fleet(org_id)).tokens.values())

    async def own_tokens(self, org_id: UUID) -> list[Token]:
        return [token for token in await self.all_tokens(org_id) if token.org_id == org_id]

    async def _fleet(self, org_id: UUID) -> _Fleet:
        known = self._fleets.get(org_id)
        if known is not None:
            return known
        seen = self._changes
        async with transaction(self._database, of(org_id)) as tx:
            admitted = await admissions(tx, org_id)
            vehicles = await store.all_vehicles(tx)
            tokens = await store.all_tokens(tx)
        fleet = _Fleet(
            frozenset({org_id, *admitted}),
            {vehicle.id: vehicle for vehicle in vehicles},
            {vehicle.name.casefold(): vehicle for vehicle in vehicles if vehicle.org_id == org_id},
            {token.value.casefold(): bound(token, admitted.get(token.org_id)) for token in tokens},
        )
        if seen == self._changes:
            self._fleets[org_id] = fleet
        return fleet

    # Vehicles

    async def list_vehicles(
        self,
        principal: Principal,
        *,
        text: str = "",
        vehicle_class: str = "",
        active: bool | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[list[Vehicle], int]:
        """By name, and how many match in all. ``text`` is in name, licence plate or VIN."""
        require(principal, Permission.VIEW)
        conditions: list[str] = []
        params: dict[str, object] = {}
        if text:
            conditions.append(
                "(strpos(lower(name), :text) > 0 OR strpos(lower(coalesce(licence_plate, '')),"
                " :text) > 0 OR strpos(lower(coalesce(vin, '')), :text) > 0)"
            )
            params["text"] = text.lower()
        if vehicle_class:
            conditions.append("vehicle_class = :class")
            params["class"] = vehicle_class
        if active is not None:
            conditions.append("active = :active")
            params["active"] = active
        async with transaction(self._database, of(principal.org_id)) as tx:
            return await store.find_vehicles(tx, conditions, params, limit=limit, offset=offset)

    async def vehicle(self, principal: Principal, vehicle_id: UUID) -> Vehicle:
        require(principal, Permission.VIEW)
        async with transaction(self._database, of(principal.org_id)) as tx:
            return await _vehicle(tx, vehicle_id)

    async def classes(self, principal: Principal) -> list[str]:
        """The vehicle classes in use."""
        require(principal, Permission.VIEW)
        fleet = await self._fleet(principal.org_id)
        return sorted({v.vehicle_class for v in fleet.vehicles.values() if v.vehicle_class})

    async def _owner(self, principal: Principal, kind: type[T], thing_id: UUID | None) -> Principal:
        """``principal``, acting in the operator whose thing it is. NotFound unless it is shown."""
        if thing_id is None:
            return principal
        async with transaction(self._database, of(principal.org_id)) as tx:
            found = await (_vehicle if kind is Vehicle else _token)(tx, thing_id)
        return on_behalf(principal, found.org_id)

    async def save_vehicle(
        self,
        principal: Principal,
        draft: VehicleDraft,
        vehicle_id: UUID | None = None,
        *,
        remote: str = "",
    ) -> Vehicle:
        """Create it, or change the one of ``vehicle_id``. Invalid, Conflict, NotFound."""
        require(principal, Permission.FLEET_WRITE)
        principal = await self._owner(principal, Vehicle, vehicle_id)
        vehicle = vehicle_from(draft, vehicle_id or new_id(), principal.org_id)
        with refusals(CLASHES):
            async with transaction(self._database, of(principal.org_id)) as tx:
                before = await _vehicle(tx, vehicle_id) if vehicle_id else None
                if before is None:
                    await store.insert_vehicles(tx, [vehicle])
                else:
                    await store.update_vehicles(tx, [vehicle])
                made = {"name": vehicle.name}
                await self._note_saved(tx, principal, before, vehicle, made, remote)
        await self.changed(principal.org_id, (vehicle.id,))
        return vehicle

    async def delete_vehicle(
        self, principal: Principal, vehicle_id: UUID, *, remote: str = ""
    ) -> None:
        """With its tokens; its duties and sessions stay, without a vehicle."""
        require(principal, Permission.FLEET_WRITE)
        principal = await self._owner(principal, Vehicle, vehicle_id)
        async with transaction(self._database, of(principal.org_id)) as tx:
            vehicle = await _vehicle(tx, vehicle_id)
            await store.delete_vehicle(tx, vehicle_id)
            detail = {"name": vehicle.name}
            await self._note(tx, principal, "vehicle.delete", vehicle_id, detail, remote)
        await self.changed(principal.org_id, (vehicle_id,), tokens=True)

    # Tokens

    async def list_tokens(
        self,
        principal: Principal,
        *,
        text: str = "",
        vehicle_id: UUID | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[list[Token], int]:
        """By value, and how many match in all; ``text`` as in ``TokenFilter``."""
        wanted = TokenFilter(text, vehicle_id)
        return await self.find_tokens(principal, wanted, limit=limit, offset=offset)

    async def find_tokens(
        self, principal: Principal, wanted: TokenFilter, *, limit: int = 100, offset: int = 0
    ) -> tuple[list[Token], int]:
        """By value, and how many match in all."""
        require(principal, Permission.VIEW)
        conditions, params = store.token_conditions(wanted, self._clock.now())
        async with transaction(self._database, of(principal.org_id)) as tx:
            return await store.find_tokens(tx, conditions, params, limit=limit, offset=offset)

    async def block_token(
        self, principal: Principal, token_id: UUID, *, blocked: bool, remote: str = ""
    ) -> Token:
        """Block it or let it charge again; NotFound."""
        require(principal, Permission.FLEET_WRITE)
        principal = await self._owner(principal, Token, token_id)
        async with transaction(self._database, of(principal.org_id)) as tx:
            before = await _token(tx, token_id)
            after = replace(before, blocked=blocked)
            if after != before:
                await store.update_tokens(tx, [after])
                made = {"value": after.value}
                await self._note_saved(tx, principal, before, after, made, remote)
        if after != before:
            await self.changed(principal.org_id, tokens=True)
        return after

    async def token(self, principal: Principal, token_id: UUID) -> Token:
        require(principal, Permission.VIEW)
        async with transaction(self._database, of(principal.org_id)) as tx:
            return await _token(tx, token_id)

    async def save_token(
        self,
        principal: Principal,
        draft: TokenDraft,
        token_id: UUID | None = None,
        *,
        remote: str = "",
    ) -> Token:
        """Create it, or change the one of ``token_id``. Invalid, Conflict, NotFound."""
        require(principal, Permission.FLEET_WRITE)
        principal = await self._owner(principal, Token, token_id)
        token = token_from(draft, token_id or new_id(), principal.org_id)
        with refusals(CLASHES):
            async with transaction(self._database, of(principal.org_id)) as tx:
                await _check_vehicle(tx, token)
                before = await _token(tx, token_id) if token_id else None
                if before is None:
                    await store.insert_tokens(tx, [token])
                else:
                    await store.update_tokens(tx, [token])
                made = {"value": token.value}
                await self._note_saved(tx, principal, before, token, made, remote)
        await self.changed(principal.org_id, tokens=True)
        return token

    async def delete_token(self, principal: Principal, token_id: UUID, *, remote: str = "") -> None:
        require(principal, Permission.FLEET_WRITE)
        principal = await self._owner(principal, Token, token_id)
        async with transaction(self._database, of(principal.org_id)) as tx:
            token = await _token(tx, token_id)
            await store.delete_token(tx, token_id)
            detail = {"value": token.value}
            await self._note(tx, principal, "token.delete", token_id, detail, remote)
        await self.changed(principal.org_id, tokens=True)

    # Both

    async def check_vehicles(self, principal: Principal, content: bytes) -> FleetReport:
        """A dry run of a CSV file of vehicles."""
        require(principal, Permission.VIEW)
        return read_vehicles(content, principal.org_id, await self.own(principal.org_id))

    async def check_tokens(
        self, principal: Principal, content: bytes, zone: ZoneInfo
    ) -> FleetReport:
        """A dry run of a CSV file of tokens; times without an offset are local in ``zone``."""
        require(principal, Permission.VIEW)
        org_id = principal.org_id
        vehicles = {v.name.casefold(): v for v in await self.own(org_id)}
        return read_tokens(content, org_id, await self.own_tokens(org_id), vehicles, zone)

    async def import_vehicles(
        self, principal: Principal, content: bytes, *, remote: str = ""
    ) -> FleetReport:
        """All rows or none. Invalid (code ``import_faults``, fields ``row 7 name``)."""
        report = await self.check_vehicles(principal, content)
        _refuse(report)
        await self._import(principal, report, remote)
        return report

    async def import_tokens(
        self, principal: Principal, content: bytes, zone: ZoneInfo, *, remote: str = ""
    ) -> FleetReport:
        """All rows or none, as ``import_vehicles``."""
        report = await self.check_tokens(principal, content, zone)
        _refuse(report)
        await self._import(principal, report, remote)
        return report

    async def export_vehicles(self, principal: Principal) -> str:
        require(principal, Permission.VIEW)
        return write_vehicles(await self.own(principal.org_id))

    async def export_tokens(self, principal: Principal) -> str:
        require(principal, Permission.VIEW)
        names = {v.id: v.name for v in await self.own(principal.org_id)}
        return write_tokens(await self.own_tokens(principal.org_id), names)

    async def _import(self, principal: Principal, report: FleetReport, remote: str) -> None:
        require(principal, Permission.FLEET_WRITE)
        both = (*report.new, *report.changed)
        tokens = any(isinstance(thing, Token) for thing in both)
        what = "tokens" if tokens else "vehicles"
        detail = {"new": len(report.new), "changed": len(report.changed), "of": what}
        with refusals(CLASHES):
            async with transaction(self._database, of(principal.org_id)) as tx:
                await store.insert_vehicles(tx, _only(report.new, Vehicle))
                await store.update_vehicles(tx, _only(report.changed, Vehicle))
                await store.insert_tokens(tx, _only(report.new, Token))
                await store.update_tokens(tx, _only(report.changed, Token))
                org_id = principal.org_id
                await self._note(tx, principal, "fleet.import", org_id, detail, remote)
        touched = tuple(thing.id for thing in both if isinstance(thing, Vehicle))
        await self.changed(principal.org_id, touched, tokens=tokens)

    async def _note_saved(
        self,
        tx: Tx,
        principal: Principal,
        before: Vehicle | Token | None,
        after: Vehicle | Token,
        made: Mapping[str, str],
        remote: str,
    ) -> None:
        """``made`` is what the audit tells of a new one; of a changed one it tells the changes."""
        kind = "token" if isinstance(after, Token) else "vehicle"
        action = f"{kind}.create" if before is None else f"{kind}.update"
        detail = made if before is None else audit.changes(before, after)
        await self._note(tx, principal, action, after.id, detail, remote)

    async def changed(
        self, org_id: UUID, vehicle_ids: tuple[UUID, ...] = (), *, tokens: bool = False
    ) -> None:
        """Forget the fleet in memory and tell, the depot operator's too; after each commit."""
        self._forget(org_id)
        now = self._clock.now()
        async with transaction(self._database, of(org_id)) as tx:
            above = await depot_operator(tx, org_id)
        for each in (org_id,) if above is None else (org_id, above):
            if vehicle_ids:
                await self._bus.publish(VehiclesChanged(each, vehicle_ids, now))
            if tokens:
                await self._bus.publish(TokensChanged(each, now))

    def _forget(self, org_id: UUID) -> None:
        self._changes += 1
        self._fleets = {
            key: fleet for key, fleet in self._fleets.items() if org_id not in fleet.org_ids
        }

    async def _on_site(self, event: SiteChanged) -> None:
        """Areas in which operators' tokens charge may be others now."""
        self._forget(event.org_id)

    async def _on_operators(self, event: OperatorsChanged) -> None:
        """Its tokens may charge elsewhere now, or not any more."""
        self._forget(event.org_id)
        await self._bus.publish(TokensChanged(event.org_id, event.at))


async def _vehicle(tx: Tx, vehicle_id: UUID) -> Vehicle:
    vehicle = await store.vehicle(tx, vehicle_id)
    if vehicle is None:
        raise NotFound("There is no such vehicle.")
    return vehicle


async def _check_vehicle(tx: Tx, token: Token) -> None:
    """It stands for a vehicle of the same organisation."""
    if token.vehicle_id is None:
        return
    vehicle = await store.vehicle(tx, token.vehicle_id)
    if vehicle is None or vehicle.org_id != token.org_id:
        raise Invalid("There is no such vehicle.", fields={"vehicle_id": "is unknown"})


async def _token(tx: Tx, token_id: UUID) -> Token:
    token = await store.token(tx, token_id)
    if token is None:
        raise NotFound("There is no such token.")
    return token


def _refuse(report: FleetReport) -> None:
    if report.faults:
        fields = {f"row {f.row} {f.column}".strip(): f.reason for f in report.faults}
        raise Invalid(
            "the file was not imported: it has faults", code="import_faults", fields=fields
        )


def _only(things: Iterable[object], kind: type[T]) -> list[T]:
    return [thing for thing in things if isinstance(thing, kind)]
