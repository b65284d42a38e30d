"""Learns charge curves from sessions that ended, and lends them to plans."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.energy import learnt, store
from voltyard.energy.learnt import Learnt, Observed
from voltyard.energy.ports import VehicleSource
from voltyard.errors import NotFound
from voltyard.fleets.model import Vehicle
from voltyard.sessions.events import SessionEnded
from voltyard.sessions.model import MeterSample
from voltyard.sites.model import ElectricalTree
from voltyard.storage.engine import Database
from voltyard.tenancy import scope

NEAR = timedelta(seconds=90)
"""What was granted so shortly before and after a reading is what was allowed at it."""


class Curves(Protocol):
    async def curve(self, org_id: UUID, session_id: UUID) -> Sequence[MeterSample]: ...


class Trees(Protocol):
    async def tree(self, site_id: UUID) -> ElectricalTree: ...


class CurveLearning:
    """Vehicles with what their type was seen to take. Types without a name teach nothing."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        vehicles: VehicleSource,
        curves: Curves,
        trees: Trees,
    ) -> None:
        self._database = database
        self._clock = clock
        self._vehicles = vehicles
        self._curves = curves
        self._trees = trees

    def listen(self, bus: Bus) -> None:
        bus.subscribe(SessionEnded, self.on_ended, name="energy.learn_curve")

    async def vehicles(self, org_id: UUID, ids: Sequence[UUID]) -> Sequence[Vehicle]:
        """As plans take them."""
        found = await self._vehicles.vehicles(org_id, ids)
        known = await self.learnt(org_id, {vehicle.vehicle_class for vehicle in found} - {""})
        return [learnt.applied(vehicle, known.get(vehicle.vehicle_class)) for vehicle in found]

    async def learnt(self, org_id: UUID, classes: set[str] | None = None) -> Mapping[str, Learnt]:
        """By vehicle type; of all of them when none is named."""
        if classes is not None and not classes:
            return {}
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            rows = await store.learnt_curves(tx, None if classes is None else sorted(classes))
        return {row.vehicle_class: row for row in rows}

    async def forget(self, org_id: UUID, vehicle_class: str) -> bool:
        """Whether there was something to forget."""
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            return await store.drop_learnt_curve(tx, vehicle_class)

    async def on_ended(self, event: SessionEnded) -> None:
        if event.vehicle_id is None or event.site_id is None or event.evse_id is None:
            return
        found = await self._vehicles.vehicles(event.org_id, [event.vehicle_id])
        vehicle = next(iter(found), None)
        if vehicle is None or not vehicle.vehicle_class or vehicle.max_power_w is None:
            return
        readings = await self._observed(event)
        seen = learnt.taken(readings, vehicle.max_power_w)
        if not seen.held_w and not seen.whole_w:
            return
        async with scope.transaction(self._database, scope.of(event.org_id)) as tx:
            (known,) = await store.learnt_curves(tx, [vehicle.vehicle_class], lock=True) or (None,)
            more = learnt.with_session(
                known, vehicle.vehicle_class, event.session_id, seen, self._clock.now()
            )
            if more.sessions and more != known:
                await store.save_learnt_curve(tx, event.org_id, more)

    async def _observed(self, event: SessionEnded) -> list[Observed]:
        """Readings with power and charge, and what was allowed: the charger's own word, else what
        was granted at the outlet's node around that time."""
        assert event.site_id is not None
        assert event.evse_id is not None
        samples = await self._curves.curve(event.org_id, event.session_id)
        full = [s for s in samples if s.power_w is not None and s.soc_pct is not None]
        if not full:
            return []
        try:
            leaf = (await self._trees.tree(event.site_id)).leaf_of_evse.get(event.evse_id)
        except NotFound:
            leaf = None
        granted: list[tuple[datetime, float]] = []
        if leaf is not None:
            async with scope.transaction(self._database, scope.of(event.org_id)) as tx:
                granted = await store.granted(tx, leaf.id, full[0].at - NEAR, full[-1].at + NEAR)
        return [one for sample in full for one in _observation(sample, granted)]


def _observation(
    sample: MeterSample, granted: Sequence[tuple[datetime, float]]
) -> Iterator[Observed]:
    allowed = [w for w in (sample.offered_w, _allowed_w(granted, sample.at)) if w is not None]
    if allowed and sample.power_w is not None and sample.soc_pct is not None:
        yield Observed(sample.soc_pct, sample.power_w, min(allowed))


def _allowed_w(granted: Sequence[tuple[datetime, float]], at: datetime) -> float | None:
    """The lowest grant around a reading; None where none is known."""
    times = [when for when, _ in granted]
    near = granted[bisect_left(times, at - NEAR) : bisect_right(times, at + NEAR)]
    return min((power_w for _, power_w in near), default=None)
