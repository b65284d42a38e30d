"""Every EVSE of a site as its controller sees it: who is connected, who charges, what counts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from voltyard.chargers.commands import StationLink
from voltyard.chargers.model import CurrentType, Evse, Station
from voltyard.energy.circuit import Circuits
from voltyard.energy.confirm import Held
from voltyard.energy.headroom import BALANCED, Headroom, Wiring
from voltyard.energy.outlet import NO_TRANSACTION, Outlet
from voltyard.energy.ports import Links, LiveSession, SiteSetup
from voltyard.energy.records import GrantRow
from voltyard.energy.watch import Rules, forget, observe
from voltyard.sites.model import ElectricalTree


class Board:
    """Outlets by EVSE, in a fixed order."""

    def __init__(self, setup: SiteSetup, rules: Rules | None = None) -> None:
        self._rules = rules or Rules()
        self._links: dict[UUID, StationLink] = {}
        self.outlets: dict[UUID, Outlet] = {}
        self.wirings: dict[UUID, Wiring] = {}
        self.circuits = Circuits()
        self._of_station: dict[UUID, list[Outlet]] = {}
        self.setup = setup

    def __iter__(self) -> Iterator[Outlet]:
        return iter(self.outlets.values())

    def install(self, setup: SiteSetup, grants: Mapping[UUID, GrantRow]) -> None:
        """Take over a (changed) site; what is known of EVSEs that stay is kept."""
        stations = {station.id: station for station in setup.stations}
        outlets: dict[UUID, Outlet] = {}
        for evse in sorted(setup.evses, key=lambda evse: evse.id):
            station = stations.get(evse.station_id)
            if station is None:
                continue
            known = self.outlets.get(evse.id)
            if known is not None:
                known.evse, known.station = evse, station
                outlets[evse.id] = known
                continue
            row = grants.get(evse.id)
            ever_seen = station.connected_at is not None or station.booted_at is not None
            held = Held(evse.max_power_w) if row is None else row.held
            outlets[evse.id] = Outlet(
                evse,
                station,
                held,
                commissioned=row is not None or ever_seen,
                granted_w=0.0 if row is None else row.granted_w,
                says_idle=_says_idle(evse, station),
            )
        self.outlets = outlets
        self._of_station = {}
        for outlet in outlets.values():
            self._of_station.setdefault(outlet.station.id, []).append(outlet)
        self.wirings = {}
        alike: dict[Wiring, Wiring] = {}
        for evse_id, outlet in outlets.items():
            found = wiring(outlet.evse)
            self.wirings[evse_id] = alike.setdefault(found, found)
        self.setup = setup

    def hear(self, links: Links, station_id: UUID | None = None) -> list[Outlet]:
        """Note which chargers (or whether this one) are connected now; the outlets whose
        connection changed."""
        changed: list[Outlet] = []
        for outlet in self if station_id is None else self.of_station(station_id):
            link = links.link(outlet.station.id)
            if link is None and outlet.connected:
                outlet.went_offline()
                changed.append(outlet)
            elif link is not None and (
                not outlet.connected or self._links.get(outlet.evse.id) is not link
            ):
                told = outlet.says_idle and outlet.evse.id not in self._links
                self._links[outlet.evse.id] = link
                outlet.came_online()
                outlet.says_idle = told
                changed.append(outlet)
        return changed

    def link(self, outlet: Outlet) -> StationLink | None:
        return self._links.get(outlet.evse.id) if outlet.connected else None

    def of_station(self, station_id: UUID) -> list[Outlet]:
        return self._of_station.get(station_id, [])

    def rebooted(self, station_id: UUID) -> None:
        """Its limits may be gone: the fail-safe is installed again before anything else."""
        for outlet in self.of_station(station_id):
            if outlet.connected:
                outlet.booted()

    def fits(self, outlets: Iterable[Outlet], tree: ElectricalTree, now: datetime) -> bool:
        """Whether all that EVSEs may draw now fits every node above these."""
        room = Headroom.during(self.circuits.of(tree), now, 0.0, {}, ())
        for outlet in self.outlets.values():
            if outlet.evse.id in tree.leaf_of_evse:
                room.take(outlet.evse.id, outlet.counted_w(now), self.wirings[outlet.evse.id])
        over = set(room.exceeded())
        return not any(over.intersection(room.path(outlet.evse.id)) for outlet in outlets)

    def over(
        self, tree: ElectricalTree, now: datetime, lead_s: float, counted_w: Mapping[UUID, float]
    ) -> set[UUID]:
        """EVSEs below a node that all they may draw exceeds, now or within ``lead_s``."""
        room = Headroom.during(self.circuits.of(tree), now, lead_s, {}, ())
        known = [evse_id for evse_id in counted_w if evse_id in tree.leaf_of_evse]
        for evse_id in known:
            room.take(evse_id, counted_w[evse_id], self.wirings[evse_id])
        exceeded = set(room.exceeded())
        if not exceeded:
            return set()
        return {evse_id for evse_id in known if not exceeded.isdisjoint(room.path(evse_id))}

    def resume(self, sessions: Sequence[LiveSession]) -> None:
        """After a restart: sessions that run are the ones the stored limits were for."""
        for session in sessions:
            outlet = self.outlets.get(session.evse_id)
            if outlet is not None and outlet.session is None:
                outlet.session = session

    def follow(self, sessions: Sequence[LiveSession], now: datetime) -> bool:
        """Take over who charges where; whether a session, its vehicle or duty is another."""
        running = {session.evse_id: session for session in sessions}
        changed = False
        for evse_id, outlet in self.outlets.items():
            session = running.get(evse_id)
            before = _identity(outlet.session)
            if session is None:
                if outlet.session is not None:
                    outlet.ended()
            else:
                outlet.began(session, now)
            changed = changed or before != _identity(session)
        return changed

    def measured(self, evse_id: UUID, power_w: float, at: datetime, now: datetime) -> bool:
        """Take in a reading; True when the charger's obedience changed."""
        outlet = self.outlets.get(evse_id)
        if outlet is None:
            return False
        before = outlet.obedience.step
        allowed_w = outlet.held.at(now).ceiling_w
        outlet.obedience = observe(
            outlet.obedience, power_w, min(at, now), allowed_w, outlet.changed_at, self._rules
        )
        return outlet.obedience.step is not before

    def silent(self, evse_id: UUID) -> None:
        """Its session is over: nothing flows."""
        outlet = self.outlets.get(evse_id)
        if outlet is not None:
            outlet.obedience = forget(outlet.obedience)

    def counted_w(self, now: datetime) -> dict[UUID, float]:
        return {evse_id: outlet.counted_w(now) for evse_id, outlet in self.outlets.items()}

    def take_unsaved(self, now: datetime) -> list[GrantRow]:
        """Rows of everything that changed since they were last asked for."""
        rows: list[GrantRow] = []
        for evse_id, outlet in self.outlets.items():
            if outlet.unsaved:
                rows.append(GrantRow(evse_id, outlet.held, outlet.granted_w, now))
                outlet.unsaved = False
        return rows


def _says_idle(evse: Evse, station: Station) -> bool:
    """Whether the charger, already connected when its site is taken over, said so before."""
    return (
        station.connected
        and station.connected_at is not None
        and evse.status_at is not None
        and evse.status_at >= station.connected_at
        and evse.status in NO_TRANSACTION
    )


def wiring(evse: Evse) -> Wiring:
    """DC and three-phase AC load all phases alike; others the first phases of their rotation."""
    names = "RST"
    rotation = evse.phase_rotation.upper()
    if evse.current_type is CurrentType.DC or set(rotation) != set(names):
        return BALANCED
    used = rotation[: min(3, max(1, evse.phases))]
    return Wiring(tuple(sorted(names.index(phase) + 1 for phase in used)), evse.voltage_v)


def _identity(session: LiveSession | None) -> tuple[object, ...]:
    """What the plan depends on, as far as it does not change with every reading."""
    if session is None:
        return ()
    return (session.session_id, session.vehicle_id, session.duty_id, session.needs)
