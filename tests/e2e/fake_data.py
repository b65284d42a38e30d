"""A deterministic depot in memory for the console's tests: up to 1,000 outlets that move."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import sin
from typing import Any
from uuid import UUID, uuid5

from tests.e2e.fake_lists import DISCHARGE, NEEDS, FakeLists
from voltyard.chargers.model import StationFilter, StationState
from voltyard.clock import Clock, seeded
from voltyard.errors import NotFound
from voltyard.sites.model import NodeKind
from voltyard.tenancy.model import Principal
from voltyard.web.console import views as v

SPACE = UUID("6f1d9d2e-5a5b-4a3e-9d55-0b6f7a5f0001")
SITE_ID = uuid5(SPACE, "site")
START = datetime(2026, 1, 14, 23, 40, tzinfo=UTC)
AREAS = ("Hall A", "Hall B", "Yard north", "Yard south", "Wash and service")
STATES = (
    [v.TileState.CHARGING] * 11
    + [v.TileState.WAITING] * 4
    + [v.TileState.READY] * 5
    + [v.TileState.FREE] * 2
    + [v.TileState.PLUGGED, v.TileState.OFFLINE, v.TileState.FAULTED, v.TileState.BLOCKED]
)
WITH_VEHICLE = {
    v.TileState.CHARGING,
    v.TileState.WAITING,
    v.TileState.READY,
    v.TileState.PLUGGED,
    v.TileState.OFFLINE,
}


def area_id(index: int) -> UUID:
    return uuid5(SPACE, f"area {index}")


def station_id(index: int) -> UUID:
    return uuid5(SPACE, f"station {index}")


def duty_id(index: int) -> UUID:
    return uuid5(SPACE, f"duty {index}")


class FakeDepot(FakeLists):
    """``moving`` changes charging outlets each second of the clock; ``busy``: all are charging."""

    def __init__(
        self, clock: Clock, evses: int = 80, *, moving: bool = True, busy: bool = False
    ) -> None:
        super().__init__()
        self._clock = clock
        self._evses = evses
        self._moving = moving
        self._states = [v.TileState.CHARGING] if busy else STATES
        self.overrides: dict[str, Mapping[str, Any]] = {}
        self._base = [self._tile(index) for index in range(evses)]

    def now(self) -> datetime:
        return START + timedelta(seconds=self._tick())

    def _tick(self) -> float:
        return self._clock.monotonic_s() if self._moving else 0.0

    def _tile(self, index: int) -> v.BoardTile:
        chance = seeded(7, "tile", index)
        state = self._states[chance.randrange(len(self._states))]
        soc_pct = {v.TileState.READY: 95.0}.get(state, float(chance.randrange(24, 88)))
        departs_at = START + timedelta(minutes=chance.randrange(250, 480))
        present = state in WITH_VEHICLE
        risky = present and chance.random() < 0.06 and state is not v.TileState.READY
        outlook = v.Outlook.NONE
        if present:
            outlook = v.Outlook.READY if state is v.TileState.READY else v.Outlook.ON_TIME
        return v.BoardTile(
            key=f"e{index}",
            bay=f"{'ABNSW'[index * 5 // self._evses]}-{index % (self._evses // 5 or 1) + 1:02d}",
            area_id=area_id(index * 5 // self._evses),
            state=state,
            evse_id=uuid5(SPACE, f"evse {index}"),
            station_id=station_id(index // 2),
            station=f"CP-{index // 2 + 1:03d}",
            outlet=str(index % 2 + 1),
            vehicle=f"BUS-{200 + index}" if present else None,
            soc_pct=soc_pct if present else None,
            target_soc_pct=95.0 if present else None,
            power_w=float(chance.randrange(24_000, 148_000))
            if state is v.TileState.CHARGING
            else 0.0,
            granted_w=150_000.0 if state is v.TileState.CHARGING else 0.0,
            ready_at=departs_at - timedelta(minutes=25) if present and not risky else None,
            departs_at=departs_at if present else None,
            outlook=v.Outlook.AT_RISK if risky else outlook,
            shortfall_wh=float(chance.randrange(9, 60)) * 1000 if risky else 0.0,
            duty_id=duty_id(index) if present else None,
            note="GroundFailure" if state is v.TileState.FAULTED else "",
        )

    def tiles(self) -> tuple[v.BoardTile, ...]:
        tick = int(self._tick())
        return tuple(self._moved(index, tile, tick) for index, tile in enumerate(self._base))

    def _moved(self, index: int, tile: v.BoardTile, tick: int) -> v.BoardTile:
        if tile.key in self.overrides:
            return replace(tile, **self.overrides[tile.key])
        if not self._moving or tile.power_w is None or tile.soc_pct is None:
            return tile
        if tile.state is not v.TileState.CHARGING:
            return tile
        power_w = max(11_000.0, tile.power_w + 6_000 * sin(tick * 1.7 + index))
        soc_pct = min(95.0, tile.soc_pct + tick / 40)
        return replace(tile, power_w=power_w, soc_pct=soc_pct)

    def site(self) -> v.SiteView:
        return v.SiteView(SITE_ID, "Depot Nord", "Europe/Berlin")

    async def sites(self, who: Principal) -> tuple[v.SiteView, ...]:
        return (self.site(),)

    def _check_site(self, site_id: UUID) -> None:
        if site_id != SITE_ID:
            raise NotFound("There is no such site.")

    async def board(self, who: Principal, site_id: UUID) -> v.BoardView:
        self._check_site(site_id)
        tiles = self.tiles()
        areas = tuple(v.AreaView(area_id(i), name) for i, name in enumerate(AREAS))
        return v.BoardView(self.site(), self.now(), areas, tiles, self._head(tiles))

    def _head(self, tiles: tuple[v.BoardTile, ...]) -> v.BoardHead:
        with_duty = sorted((t for t in tiles if t.departs_at), key=lambda t: str(t.departs_at))
        risky = [t for t in with_duty if t.outlook is v.Outlook.AT_RISK]
        away = [t for t in tiles if t.state in {v.TileState.OFFLINE, v.TileState.FAULTED}]
        limit_w = 37_500.0 * self._evses
        power_w = sum(t.power_w or 0.0 for t in tiles)
        power_w = min(power_w, limit_w * (0.93 + 0.02 * sin(self._tick())))
        return v.BoardHead(
            power_w=power_w,
            limit_w=limit_w,
            plan_w=limit_w * 0.94,
            reserved_w=len(away) * 11_000.0,
            duties=len(with_duty),
            duties_ready=sum(t.outlook is v.Outlook.READY for t in with_duty),
            duties_on_time=sum(t.outlook is v.Outlook.ON_TIME for t in with_duty),
            evses=len(tiles),
            charging=sum(t.state is v.TileState.CHARGING for t in tiles),
            offline=sum(t.state is v.TileState.OFFLINE for t in tiles),
            faulted=sum(t.state is v.TileState.FAULTED for t in tiles),
            at_risk=tuple(_risk(t) for t in risky),
            out_of_reach=tuple(_away(t) for t in away),
            departures=tuple(_departure(t) for t in with_duty[:10]),
        )

    async def load_now(self, who: Principal, site_id: UUID) -> v.LoadSeries:
        now = self.now()
        return await self.load(who, site_id, now - timedelta(minutes=2), now)

    async def load(
        self, who: Principal, site_id: UUID, since: datetime, until: datetime
    ) -> v.LoadSeries:
        self._check_site(site_id)
        now, limit_w = self.now(), 37_500.0 * self._evses
        step_s = 60 if until - since <= timedelta(minutes=5) else 300
        first = int(since.timestamp()) // step_s * step_s
        at_s = tuple(range(first, int(until.timestamp()) + 1, step_s))
        plan_w = tuple(limit_w * _night(t) for t in at_s)
        measured_w = tuple(
            None if t > now.timestamp() else p * (0.97 + 0.03 * sin(t / 700))
            for t, p in zip(at_s, plan_w, strict=True)
        )
        limits_w = tuple(limit_w * (0.8 if (t // 3600) % 24 in (16, 17, 18) else 1) for t in at_s)
        reserved_w = tuple(33_000.0 if t % 9000 < 3000 else 0.0 for t in at_s)
        return v.LoadSeries(now, at_s, measured_w, plan_w, limits_w, reserved_w)

    async def tree(self, who: Principal, site_id: UUID) -> v.TreeView:
        self._check_site(site_id)
        return v.TreeView(self.site(), self.now(), tuple(self._nodes()))

    def _nodes(self) -> list[v.NodeView]:
        tiles, limit_w = self.tiles(), 37_500.0 * self._evses
        power_w = self._head(tiles).power_w
        nodes = [self._node("Grid connection", NodeKind.GRID, 0, power_w, limit_w)]
        for half in range(2):
            part = tiles[half * len(tiles) // 2 : (half + 1) * len(tiles) // 2]
            name = f"Transformer {half + 1}"
            nodes.append(self._node(name, NodeKind.TRANSFORMER, 1, power_w / 2, limit_w * 0.6))
            for pair in range(0, min(len(part), 24), 2):
                both = part[pair : pair + 2]
                cabinet_w = min(sum(t.power_w or 0.0 for t in both), 150_000.0)
                station = both[0].station
                nodes.append(
                    replace(
                        self._node(f"Cabinet {station}", NodeKind.CABINET, 2, cabinet_w, 150_000.0),
                        station_id=both[0].station_id,
                    )
                )
        return nodes

    def _node(
        self, name: str, kind: NodeKind, depth: int, power_w: float, limit_w: float
    ) -> v.NodeView:
        node_id = uuid5(SPACE, f"node {name}")
        limits = self.limits.get(node_id) or (
            v.LimitView(index=0, power_w=limit_w, source="contract"),
        )
        return v.NodeView(node_id, kind, name, depth, power_w, limit_w, 11_000.0, limits=limits)

    async def timetable(
        self, who: Principal, site_id: UUID, since: datetime, until: datetime
    ) -> v.Timetable:
        self._check_site(site_id)
        tiles = sorted(
            (t for t in self.tiles() if t.departs_at and t.duty_id), key=lambda t: str(t.departs_at)
        )
        rows = tuple(self._row(tile) for tile in tiles)
        return v.Timetable(self.site(), self.now(), since, until, rows)

    def _row(self, tile: v.BoardTile) -> v.TimetableRow:
        assert tile.departs_at is not None
        assert tile.duty_id is not None
        now, chance = self.now(), seeded(3, tile.key)
        arrives_at = START - timedelta(minutes=chance.randrange(20, 330))
        ends_at = tile.ready_at or tile.departs_at
        done = tuple(
            v.Stretch(at, at + timedelta(minutes=30), 60_000.0 + 50_000 * sin(index))
            for index, at in enumerate(_halves(arrives_at + timedelta(minutes=20), now))
        )
        plan = tuple(
            v.Stretch(at, at + timedelta(minutes=30), 70_000.0 + 40_000 * sin(index * 2))
            for index, at in enumerate(_halves(now, ends_at))
        )
        return v.TimetableRow(
            tile.duty_id,
            tile.vehicle or "",
            arrives_at,
            tile.departs_at,
            tile.outlook,
            bay=tile.bay,
            present=True,
            ready_at=tile.ready_at,
            soc_pct=tile.soc_pct,
            target_soc_pct=tile.target_soc_pct,
            shortfall_wh=tile.shortfall_wh,
            energy_wh=123_400.0,
            plan=plan,
            delivered=done,
        )

    async def stations(
        self, who: Principal, wanted: StationFilter, paging: v.Paging
    ) -> v.Page[v.StationRow]:
        rows = [self._station_row(index) for index in range(self._evses // 2)]
        rows.insert(0, self._pending())
        text = wanted.text.casefold()
        found = [
            row
            for row in rows
            if text in f"{row.identity} {row.vendor} {row.model}".casefold()
            and (wanted.state is None or row.state is wanted.state)
            and (wanted.connected is None or row.connected is wanted.connected)
        ]
        return v.Page(tuple(found[paging.offset : paging.offset + paging.size]), len(found), paging)

    def _pending(self) -> v.StationRow:
        state = self.decided.get("pending", StationState.PENDING)
        return v.StationRow(
            station_id(9_999), "CP-NEW", state, True, vendor="Acme", model="X2", ocpp_version="1.6"
        )

    def _station_row(self, index: int) -> v.StationRow:
        tiles = self.tiles()[index * 2 : index * 2 + 2]
        online = all(tile.state is not v.TileState.OFFLINE for tile in tiles)
        return v.StationRow(
            station_id(index),
            f"CP-{index + 1:03d}",
            StationState.APPROVED,
            online,
            site="Depot Nord",
            vendor="Nordlicht",
            model="Cabinet 150",
            firmware="4.2.1",
            ocpp_version="2.0.1" if index % 3 == 0 else "1.6",
            last_seen_at=self.now() - timedelta(seconds=7 if online else 4_000),
            power_w=sum(tile.power_w or 0 for tile in tiles),
            evse_states=tuple(tile.state for tile in tiles),
            flags=("ignores_limits",) if index == 4 else (),
        )

    async def station(self, who: Principal, wanted_id: UUID) -> v.StationView:
        if wanted_id == station_id(9_999):
            return v.StationView(self._pending(), (), serial="SN-55", remote="10.8.3.7")
        for index in range(self._evses // 2):
            if station_id(index) == wanted_id:
                return self._station_view(index)
        raise NotFound("There is no such charger.")

    def _station_view(self, index: int) -> v.StationView:
        tiles = self.tiles()[index * 2 : index * 2 + 2]
        settings = (
            v.SettingRow("HeartbeatInterval", "300"),
            v.SettingRow("MeterValueSampleInterval", "10"),
            v.SettingRow("NumberOfConnectors", "2", readonly=True),
            v.SettingRow("ChargeProfileMaxStackLevel", "10", readonly=True),
        )
        return v.StationView(
            self._station_row(index),
            tuple(_evse(number, tile) for number, tile in enumerate(tiles, 1)),
            serial=f"SN-{4400 + index}",
            remote="10.8.0.17",
            connected_at=START - timedelta(days=2),
            booted_at=START - timedelta(days=2),
            failsafe_w=37_500.0,
            settings=settings,
            settings_at=START - timedelta(hours=3),
        )


def _evse(number: int, tile: v.BoardTile) -> v.EvseView:
    assert tile.evse_id is not None
    charging = tile.state is v.TileState.CHARGING
    return v.EvseView(
        tile.evse_id,
        number,
        tile.state,
        bay=tile.bay,
        status_word=tile.state.value.capitalize(),
        error_code=tile.note,
        power_w=tile.power_w,
        granted_w=tile.granted_w,
        confirmed_w=tile.granted_w,
        max_power_w=150_000.0,
        current_a=(tile.power_w or 0) / 690,
        voltage_v=690.0,
        soc_pct=tile.soc_pct,
        energy_wh=88_200.0 if charging else None,
        vehicle=tile.vehicle,
        transaction_ref=f"tx-{number}" if charging else None,
        connectors=("CCS2",),
        needs=NEEDS if number == 1 else None,
        missing_wh=46_200.0,
        discharge=DISCHARGE if number == 1 else None,
        exported_wh=8_400.0 if number == 1 else 0.0,
    )


def _risk(tile: v.BoardTile) -> v.DepartureRow:
    return replace(_departure(tile), limited_by="Transformer 1", fix_w=30_000.0)


def _away(tile: v.BoardTile) -> v.OfflineRow:
    assert tile.station_id is not None
    faulted = tile.state is v.TileState.FAULTED
    return v.OfflineRow(
        tile.station_id,
        tile.station,
        START - timedelta(minutes=18),
        0.0 if faulted else 37_500.0,
        faulted=faulted,
        reason=tile.note,
    )


def _departure(tile: v.BoardTile) -> v.DepartureRow:
    assert tile.duty_id is not None
    assert tile.departs_at is not None
    return v.DepartureRow(
        tile.duty_id,
        tile.vehicle or "",
        tile.departs_at,
        tile.bay,
        tile.soc_pct,
        tile.target_soc_pct,
        tile.outlook,
        tile.shortfall_wh,
    )


def _night(at_s: int) -> float:
    hour = (at_s / 3600 + 1) % 24
    if hour >= 18:
        return min(0.92, 0.2 + (hour - 18) * 0.18)
    return 0.92 - max(0.0, hour - 2) * 0.16 if hour < 7 else 0.04


def _halves(start_at: datetime, end_at: datetime) -> list[datetime]:
    found, at = [], start_at
    while at < end_at:
        found.append(at)
        at += timedelta(minutes=30)
    return found
