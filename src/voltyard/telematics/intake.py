"""Observations taken in: which vehicle, credible or not, kept once, remembered for who plans."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.fleets.model import Vehicle
from voltyard.storage.engine import Database
from voltyard.telematics import rule, store
from voltyard.telematics.events import VehicleObserved
from voltyard.telematics.model import (
    SIGNALS,
    Asset,
    Connection,
    Flag,
    Observation,
    Outcome,
    Result,
    Told,
)
from voltyard.telematics.ports import Vehicles
from voltyard.telematics.rule import Point
from voltyard.tenancy.scope import SYSTEM, of, transaction

RESUMED = timedelta(hours=24)
SEEN_AGAIN = timedelta(hours=1)
SOURCES_MAX = 20
"""Sources of a vehicle that are remembered; of more, those that were heard last."""
ASSETS_MAX = 5_000
"""Vehicles that a connection may name; what it tells of others is looked up by name alone."""
DOUBTS: dict[str, frozenset[Flag]] = {
    "soc_pct": rule.SOC_FLAGS,
    "odometer_km": frozenset({Flag.ODOMETER_RANGE, Flag.ODOMETER_BACK}),
    "range_km": frozenset({Flag.REACH_RANGE}),
    "latitude": frozenset({Flag.POSITION_RANGE}),
    "longitude": frozenset({Flag.POSITION_RANGE}),
    "departure_at": frozenset({Flag.DEPARTURE_RANGE}),
}
UNTIMELY = frozenset({Flag.FUTURE, Flag.OLD})


@dataclass(slots=True)
class Known:
    """What is remembered of one vehicle. ``newest`` is by signal, good ones only; ``charges`` and
    ``doubts`` are by source the newest charge that is believed, and that is not."""

    points: tuple[Point, ...] = ()
    charges: dict[str, Observation] = field(default_factory=dict)
    doubts: dict[str, Observation] = field(default_factory=dict)
    doubted: dict[str, Point] = field(default_factory=dict)
    newest: dict[str, Observation] = field(default_factory=dict)
    odometers: dict[str, Observation] = field(default_factory=dict)

    def judged(self, told: Told, source: str, now: datetime) -> tuple[Flag, ...]:
        mine = (one for one in self.points if one.source == source and one.at < told.observed_at)
        driven = self.odometers.get(source)
        before_km = None
        if driven is not None and driven.observed_at <= told.observed_at:
            before_km = driven.odometer_km
        return rule.flags_of(told, next(mine, None), self.doubted.get(source), before_km, now)

    def learn(self, seen: Observation) -> None:
        if seen.soc_pct is not None:
            one = rule.point(seen)
            if one is not None:
                _newer(self.charges, seen)
                self.doubts.pop(seen.source, None)
                self.points = rule.thinned((*self.points, one))
                self.doubted.pop(seen.source, None)
            else:
                _remember(self.doubts, seen)
            if Flag.SOC_JUMP in seen.flags and seen.source in self.charges:
                self.doubted[seen.source] = Point(seen.observed_at, seen.soc_pct, seen.source)
        for name in SIGNALS:
            if good(seen, name):
                last = self.newest.get(name)
                if last is None or last.observed_at <= seen.observed_at:
                    self.newest[name] = seen
        if good(seen, "odometer_km"):
            _remember(self.odometers, seen)


def _newer(by_source: dict[str, Observation], seen: Observation) -> None:
    before = by_source.get(seen.source)
    if before is None or before.observed_at <= seen.observed_at:
        _remember(by_source, seen)


def _remember(by_source: dict[str, Observation], seen: Observation) -> None:
    by_source.pop(seen.source, None)
    by_source[seen.source] = seen
    if len(by_source) > SOURCES_MAX:
        del by_source[next(iter(by_source))]


def good(seen: Observation, name: str) -> bool:
    """Whether it tells this signal, and nothing speaks against it."""
    if getattr(seen, name) is None:
        return False
    return not (UNTIMELY | DOUBTS.get(name, frozenset())).intersection(seen.flags)


class Intake:
    """``assets`` are in memory: whose a message is asks the database nothing."""

    def __init__(self, database: Database, bus: Bus, clock: Clock, vehicles: Vehicles) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._vehicles = vehicles
        self._known: dict[UUID, Known] = {}
        self._locks: dict[UUID, asyncio.Lock] = {}
        self.assets: dict[tuple[UUID, str], Asset] = {}

    async def load(self) -> None:
        """What was told lately counts as it did."""
        async with transaction(self._database, SYSTEM) as tx:
            seen = await store.recent(tx, self._clock.now() - RESUMED)
            assets = await store.assets(tx)
        for one in seen:
            self._known.setdefault(one.vehicle_id, Known()).learn(one)
        self.assets = {(asset.connection_id, asset.external_id): asset for asset in assets}

    def told(self, vehicle_id: UUID) -> Sequence[Point]:
        """What telematics says of its charge, the newest first; for who plans."""
        known = self._known.get(vehicle_id)
        return () if known is None else known.points

    def known(self, vehicle_id: UUID) -> Known:
        return self._known.get(vehicle_id) or Known()

    def forget(self, connection_id: UUID) -> None:
        """A connection that is gone names no vehicles any more; what it told stays."""
        for key in [key for key in self.assets if key[0] == connection_id]:
            del self.assets[key]

    async def take(
        self,
        org_id: UUID,
        source: str,
        told: Sequence[Told],
        connection: Connection | None = None,
        assets: Iterable[Asset] = (),
    ) -> list[Outcome]:
        """What became of each, in their order; committed when it returns.

        Told again (the same vehicle, source and moment) it changes nothing.
        """
        lock = self._locks.setdefault(org_id, asyncio.Lock())
        async with lock:
            now = self._clock.now()
            finder = Finder(await self._vehicles.own(org_id))
            named = self._named(connection, finder, assets, told, now)
            order = sorted(range(len(told)), key=lambda index: told[index].observed_at)
            outcomes: dict[int, Outcome] = {}
            taken: list[Observation] = []
            async with transaction(self._database, of(org_id)) as tx:
                await store.put_assets(tx, org_id, named)
                for index in order:
                    found = self._judged(org_id, source, told[index], connection, finder, now)
                    if isinstance(found, Outcome):
                        outcomes[index] = found
                        continue
                    fresh = await store.put_observation(tx, found)
                    outcomes[index] = _outcome(found, fresh=fresh)
                    if fresh:
                        taken.append(found)
                        self._known.setdefault(found.vehicle_id, Known()).learn(found)
            for asset in named:
                self.assets[asset.connection_id, asset.external_id] = asset
        await self._bus.publish(*(event for seen in taken if (event := _event(seen)) is not None))
        return [outcomes[index] for index in range(len(told))]

    def _judged(
        self,
        org_id: UUID,
        source: str,
        told: Told,
        connection: Connection | None,
        finder: "Finder",
        now: datetime,
    ) -> Observation | Outcome:
        why = rule.unreadable(told)
        if why:
            return Outcome(Result.INVALID, why=why)
        if all(getattr(told, name) is None for name in SIGNALS):
            return Outcome(Result.INVALID, why="tells nothing")
        vehicle = self._whose(connection, told, finder)
        if vehicle is None:
            return Outcome(Result.UNKNOWN_VEHICLE)
        signals = {name: getattr(told, name) for name in SIGNALS}
        if connection is not None and not connection.keep_position:
            signals |= {"latitude": None, "longitude": None}
        return Observation(
            vehicle_id=vehicle.id,
            org_id=org_id,
            source=source,
            observed_at=told.observed_at,
            received_at=now,
            connection_id=None if connection is None else connection.id,
            flags=self.known(vehicle.id).judged(told, source, now),
            **signals,
        )

    def _whose(self, connection: Connection | None, told: Told, finder: "Finder") -> Vehicle | None:
        if told.vehicle_id is not None:
            return finder.by_id.get(told.vehicle_id)
        if connection is not None:
            asset = self.assets.get((connection.id, key_of(told)))
            if asset is not None and asset.vehicle_id in finder.by_id:
                return finder.by_id[asset.vehicle_id]
        return finder.find(told.vin, told.external_id, told.name)

    def _is_full(self, connection_id: UUID) -> bool:
        return sum(key[0] == connection_id for key in self.assets) >= ASSETS_MAX

    def _named(
        self,
        connection: Connection | None,
        finder: "Finder",
        assets: Iterable[Asset],
        told: Iterable[Told],
        now: datetime,
    ) -> list[Asset]:
        """Vehicles as the other system names them, as far as that is news; in memory at once, so
        that what comes with them finds its vehicle."""
        if connection is None:
            return []
        found = {asset.external_id: asset for asset in assets}
        for one in told:
            key = key_of(one)
            if key and one.vehicle_id is None and key not in found and not rule.unreadable(one):
                found[key] = Asset(connection.id, key, one.name, one.vin, seen_at=now)
        news: list[Asset] = []
        for key, asset in found.items():
            before = self.assets.get((connection.id, key))
            if before is None and self._is_full(connection.id):
                continue
            merged = _merged(before, asset, finder)
            if before is None or _differs(before, merged):
                news.append(merged)
                self.assets[connection.id, key] = merged
        return news


def key_of(told: Told) -> str:
    """How the other system names the vehicle."""
    return told.external_id or told.vin or told.name


def _merged(before: Asset | None, asset: Asset, finder: "Finder") -> Asset:
    if before is not None:
        asset = replace(asset, label=asset.label or before.label, vin=asset.vin or before.vin)
        if before.chosen:
            return replace(asset, vehicle_id=before.vehicle_id, chosen=True)
    vehicle = finder.find(asset.vin, asset.external_id, asset.label)
    return replace(asset, vehicle_id=None if vehicle is None else vehicle.id)


def _differs(before: Asset, after: Asset) -> bool:
    if before.seen_at is None or after.seen_at is None:
        return True
    same = replace(before, seen_at=after.seen_at) == after
    return not same or after.seen_at - before.seen_at >= SEEN_AGAIN


def _outcome(seen: Observation, *, fresh: bool) -> Outcome:
    result = Result.FLAGGED if seen.flags else Result.TAKEN
    return Outcome(result if fresh else Result.KNOWN, seen.vehicle_id, seen.flags)


def _event(seen: Observation) -> VehicleObserved | None:
    """What of it is credible; None where nothing is."""
    told = {
        name: getattr(seen, name)
        for name in ("soc_pct", "odometer_km", "range_km", "plugged", "charging", "departure_at")
        if good(seen, name)
    }
    if not told:
        return None
    return VehicleObserved(seen.org_id, seen.vehicle_id, seen.source, seen.observed_at, **told)


class Finder:
    """The vehicles of an organisation by how others may name them."""

    def __init__(self, vehicles: Iterable[Vehicle]) -> None:
        self.by_id = {vehicle.id: vehicle for vehicle in vehicles}
        self._by_word: dict[str, UUID | None] = {}
        for vehicle in self.by_id.values():
            words = {_plain(word or "") for word in (vehicle.name, vehicle.licence_plate)}
            for word in words - {""}:
                # Two vehicles of one word: nobody knows which is meant.
                self._by_word[word] = None if word in self._by_word else vehicle.id
        for vehicle in self.by_id.values():
            self._by_word[str(vehicle.id)] = vehicle.id
            if vehicle.vin:
                self._by_word[_plain(vehicle.vin)] = vehicle.id

    def find(self, *words: str) -> Vehicle | None:
        """By the first of these that names one."""
        for word in words:
            found = self._by_word.get(_plain(word)) if word else None
            if found is not None:
                return self.by_id[found]
        return None


def _plain(word: str) -> str:
    return " ".join(word.split()).casefold()
