"""Entering a described depot into voltyard, through the same services that a customer uses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from voltyard.access.commands import RuleDraft
from voltyard.access.model import Whom
from voltyard.access.service import AccessService
from voltyard.chargers.model import CurrentType, Station
from voltyard.chargers.service import ChargerService
from voltyard.fleets.commands import TokenDraft, VehicleDraft
from voltyard.fleets.model import Vehicle
from voltyard.fleets.service import FleetService
from voltyard.ids import new_id
from voltyard.simulator.depot import DepotSpec, GuestsSpec, StaySpec, VehicleSpec, slug
from voltyard.simulator.evse import EvseSpec, StationSpec
from voltyard.sites.commands import AreaDraft, BayDraft, SiteDraft
from voltyard.sites.model import Node
from voltyard.sites.service import SiteService
from voltyard.tenancy.access import on_behalf
from voltyard.tenancy.model import AdmittedSite, Principal, Role
from voltyard.tenancy.operators import OperatorService
from voltyard.tenancy.service import NewUser
from voltyard.timetable.model import Duty
from voltyard.timetable.service import TimetableService

SOURCE = "simulated"


@dataclass(frozen=True, slots=True)
class Rooms:
    """The services that furnishing needs."""

    sites: SiteService
    chargers: ChargerService
    fleets: FleetService
    timetable: TimetableService
    operators: OperatorService
    access: AccessService


async def furnish(rooms: Rooms, who: Principal, depot: DepotSpec) -> UUID:
    """Site, bays, stations, tree, vehicles with tokens, and duties as the timetable has them."""
    site = await rooms.sites.create_site(who, SiteDraft(depot.name, depot.timezone))
    evses: dict[UUID, UUID] = {}
    bays: dict[tuple[str, int], UUID] = {}
    areas, area_of = await _areas(rooms, who, site.id, depot), depot.areas
    short = _short_names([spec.identity for spec in depot.stations])
    for position, spec in enumerate(depot.stations):
        station = await rooms.chargers.create_station(
            who, spec.identity, site_id=site.id, password=spec.password
        )
        for evse in spec.evses:
            area = area_of[spec.identity]
            area_id = None if area is None else areas[area]
            draft = BayDraft(f"{short[position]}/{evse.number}", area_id, position)
            bay = await rooms.sites.save_bay(who, site.id, draft)
            bays[spec.identity, evse.number] = bay.id
            evses[evse.id] = await _evse(rooms, who, station, spec, evse, bay.id)
    nodes = [replace(n, evse_id=evses[n.evse_id] if n.evse_id else None) for n in depot.nodes]
    await rooms.sites.replace_tree(who, site.id, nodes)
    for node in nodes:
        if node.evse_id is not None:
            await _bind(rooms, who, node)
    if depot.guests is not None:
        await _admit_guests(rooms, who, site.id, depot.guests, areas)
    everybody = _Everybody(who, await _operators(rooms, who, site.id, depot, areas))
    for principal in everybody.principals:
        specs = [
            vehicle
            for vehicle in depot.vehicles
            if everybody.of(depot, vehicle.name) == principal and not depot.is_guest(vehicle.name)
        ]
        vehicles = await _vehicles(rooms, principal, specs)
        duties = [
            _duty(site.id, principal.org_id, stay, vehicles, bays)
            for stay in depot.duties
            if everybody.of(depot, stay.vehicle) == principal
        ]
        if duties:
            await rooms.timetable.save_all(principal, duties)
    return site.id


@dataclass(frozen=True, slots=True)
class _Everybody:
    """Who enters what: the depot operator, or it at work in one of its operators."""

    own: Principal
    operators: Mapping[str, Principal]

    @property
    def principals(self) -> Sequence[Principal]:
        return [self.own, *self.operators.values()]

    def of(self, depot: DepotSpec, vehicle: str) -> Principal:
        operator = depot.operator_of(vehicle)
        return self.own if operator is None else self.operators[operator.name]


async def _operators(
    rooms: Rooms,
    who: Principal,
    site_id: UUID,
    depot: DepotSpec,
    areas: Mapping[str, UUID],
) -> Mapping[str, Principal]:
    made: dict[str, Principal] = {}
    for spec in depot.operators:
        email = f"{slug(spec.name).lower()}@fleet.example"
        place = AdmittedSite(site_id, tuple(areas[name] for name in spec.areas))
        operator = await rooms.operators.create(
            who,
            spec.name,
            NewUser(email, spec.name, Role.ADMIN, "not a person's password"),
            places=[place],
            best_priority=spec.best_priority,
        )
        made[spec.name] = on_behalf(who, operator.organisation.id)
    return made


async def _admit_guests(
    rooms: Rooms, who: Principal, site_id: UUID, guests: GuestsSpec, areas: Mapping[str, UUID]
) -> None:
    """First where and when they may charge, then that they may not."""
    by_day = RuleDraft(
        f"Guests in {guests.area}",
        Whom.GUESTS,
        allow=True,
        area_id=areas[guests.area],
        weekdays=guests.weekdays,
        from_minute=guests.from_minute,
        until_minute=guests.until_minute,
        keep_free=guests.keep_free,
    )
    await rooms.access.save(who, site_id, by_day)
    await rooms.access.save(who, site_id, RuleDraft("No guests", Whom.GUESTS, allow=False))


def _short_names(identities: Sequence[str]) -> list[str]:
    """The last part of each identity where that tells them apart."""
    tails = [identity.rpartition("-")[2] for identity in identities]
    return tails if len(set(tails)) == len(tails) else list(identities)


async def _areas(rooms: Rooms, who: Principal, site_id: UUID, depot: DepotSpec) -> dict[str, UUID]:
    """The areas of its stations, by name."""
    names = dict.fromkeys(name for name in depot.areas.values() if name is not None)
    made: dict[str, UUID] = {}
    for position, name in enumerate(names):
        made[name] = (await rooms.sites.save_area(who, site_id, AreaDraft(name, position))).id
    return made


async def _evse(
    rooms: Rooms,
    who: Principal,
    station: Station,
    spec: StationSpec,
    evse: EvseSpec,
    bay_id: UUID,
) -> UUID:
    saved = await rooms.chargers.save_evse(
        who,
        station.id,
        evse.number,
        name=f"{spec.identity}/{evse.number}",
        bay_id=bay_id,
        current_type=CurrentType.DC if evse.direct_current else CurrentType.AC,
        max_power_w=evse.max_power_w,
        min_power_w=evse.min_power_w,
        phases=evse.phases,
    )
    return saved.id


async def _bind(rooms: Rooms, who: Principal, node: Node) -> None:
    assert node.evse_id is not None
    evse = rooms.chargers.evse(node.evse_id)
    assert evse is not None
    await rooms.chargers.save_evse(who, evse.station_id, evse.number, node_id=node.id)


async def _vehicles(
    rooms: Rooms, who: Principal, specs: Sequence[VehicleSpec]
) -> Mapping[str, Vehicle]:
    """Vehicles by name; one that another depot brought already is used as it is."""
    known = {vehicle.name: vehicle for vehicle in await rooms.fleets.all(who.org_id)}
    made: dict[str, Vehicle] = {}
    for spec in specs:
        if spec.name in known:
            continue
        vehicle = await rooms.fleets.save_vehicle(who, _vehicle(spec))
        token = TokenDraft(spec.token.value, _kind(spec), vehicle.id, spec.name)
        await rooms.fleets.save_token(who, token)
        made[spec.name] = vehicle
    return known | made


def _kind(spec: VehicleSpec) -> str:
    return "mac" if spec.token.autocharge else "rfid"


def _vehicle(spec: VehicleSpec) -> VehicleDraft:
    battery = spec.battery
    return VehicleDraft(
        name=spec.name,
        vehicle_class=spec.vehicle_class,
        battery_wh=battery.capacity_wh,
        max_power_w=battery.max_power_w,
        min_power_w=battery.min_power_w,
        charge_curve=battery.curve,
        efficiency=battery.efficiency,
    )


def _duty(
    site_id: UUID,
    org_id: UUID,
    stay: StaySpec,
    vehicles: Mapping[str, Vehicle],
    bays: Mapping[tuple[str, int], UUID],
) -> Duty:
    return Duty(
        id=new_id(),
        org_id=org_id,
        site_id=site_id,
        external_id=stay.external_id,
        arrival_at=stay.planned_arrival_at,
        departure_at=stay.planned_departure_at,
        vehicle_id=vehicles[stay.vehicle].id,
        soc_arrival_pct=stay.planned_soc_pct,
        target_soc_pct=stay.target_soc_pct,
        priority=stay.priority,
        bay_id=bays[stay.station, stay.evse],
        source=SOURCE,
    )
