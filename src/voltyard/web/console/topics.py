"""The state of each live topic as flat records of short fields (numbers rounded as shown)."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from uuid import UUID
from zlib import crc32
from zoneinfo import ZoneInfo

from voltyard.chargers.model import FrameFilter
from voltyard.errors import NotFound
from voltyard.tenancy.model import Principal
from voltyard.web.console import views as v
from voltyard.web.console.data import ConsoleData, LiveRecord, LiveValue

Records = dict[str, LiveRecord]
LOG_ROWS = 60


class TopicReader:
    """Reads one topic's records; the hub finds what changed."""

    def __init__(self, data: ConsoleData) -> None:
        self._data = data

    async def __call__(self, who: Principal, topic: str) -> Mapping[str, LiveRecord]:
        """NotFound for an unknown topic, or one that is not theirs."""
        kind, _, name = topic.partition(":")
        if kind == "alerts":
            return await self._alerts(who)
        readers = {
            "board": self._board,
            "load": self._load,
            "tree": self._tree,
            "station": self._station,
            "log": self._log,
        }
        if kind not in readers:
            raise NotFound("There is no such topic.")
        try:
            object_id = UUID(name)
        except ValueError as error:
            raise NotFound("There is no such topic.") from error
        return await readers[kind](who, object_id)

    async def _board(self, who: Principal, site_id: UUID) -> Records:
        board = await self._data.board(who, site_id)
        zone = ZoneInfo(board.site.timezone)
        records: Records = {tile.key: tile_record(tile, zone) for tile in board.tiles}
        records["head"] = head_record(board.head) | {"at": f"{board.now.astimezone(zone):%H:%M}"}
        return records

    async def _load(self, who: Principal, site_id: UUID) -> Records:
        load = await self._data.load_now(who, site_id)
        columns = zip(
            load.at_s,
            load.measured_w,
            load.plan_w,
            load.limit_w,
            load.reserved_w,
            load.other_w or [None] * len(load.at_s),
            strict=True,
        )
        return {
            f"{at_s}": {"m": kw(m), "p": kw(p), "l": kw(limit), "r": kw(r), "o": kw(o)}
            for at_s, m, p, limit, r, o in columns
        }

    async def _tree(self, who: Principal, site_id: UUID) -> Records:
        tree = await self._data.tree(who, site_id)
        return {
            str(node.id): {
                "p": kw(node.power_w),
                "l": kw(node.limit_w),
                "r": kw(node.reserved_w),
                "u": use_pct(node.power_w, node.limit_w),
            }
            for node in tree.nodes
        }

    async def _station(self, who: Principal, station_id: UUID) -> Records:
        station = await self._data.station(who, station_id)
        records: Records = {
            "row": {
                "on": station.row.connected,
                "p": kw(station.row.power_w),
                "st": station.row.state.value,
            }
        }
        records.update({f"e{evse.number}": evse_record(evse) for evse in station.evses})
        commands = await self._data.commands(who, station_id, 10)
        records["commands"] = {
            "rev": "|".join(f"{command.id}{command.progress}" for command in commands)
        }
        return records

    async def _log(self, who: Principal, station_id: UUID) -> Records:
        page = await self._data.frames(who, station_id, FrameFilter(), v.Paging(1, LOG_ROWS))
        return {frame.id: frame_record(frame) for frame in page.rows}

    async def _alerts(self, who: Principal) -> Records:
        page = await self._data.alerts(who, v.AlertFilter("open"), v.Paging(1, 50))
        newest = max(page.rows, key=lambda row: row.opened_at, default=None)
        return {
            "sum": {
                "n": page.total,
                "c": sum(row.severity.value == "critical" for row in page.rows),
                "id": None if newest is None else str(newest.id),
                "t": None if newest is None else newest.detail or newest.title,
                "v": None if newest is None else newest.severity.value,
            }
        }


def tile_record(tile: v.BoardTile, zone: ZoneInfo) -> LiveRecord:
    return {
        "st": tile.state.value,
        "v": tile.vehicle,
        "s": whole(tile.soc_pct),
        "tg": whole(tile.target_soc_pct),
        "p": kw(tile.power_w),
        "r": None if tile.ready_at is None else hour(tile.ready_at, zone),
        "d": None if tile.departs_at is None else hour(tile.departs_at, zone),
        "o": tile.outlook.value,
        "sf": kw(tile.shortfall_wh) if tile.shortfall_wh else None,
        "n": tile.note or None,
        "op": None if tile.operator_id is None else str(tile.operator_id),
    }


def head_record(head: v.BoardHead) -> dict[str, LiveValue]:
    lists = (
        [(row.duty_id, round(row.shortfall_wh, -3)) for row in head.at_risk],
        [(row.station_id, row.faulted) for row in head.out_of_reach],
        [(row.duty_id, row.outlook, whole(row.soc_pct)) for row in head.departures],
    )
    return {
        "p": kw(head.power_w),
        "l": kw(head.limit_w),
        "pl": kw(head.plan_w),
        "rs": kw(head.reserved_w),
        "u": use_pct(head.power_w, head.limit_w),
        "over": head.over_limit,
        "ok": head.duties_ready + head.duties_on_time,
        "rd": head.duties_ready,
        "n": head.duties,
        "risk": len(head.at_risk),
        "off": head.offline,
        "flt": head.faulted,
        "ch": head.charging,
        "rev": f"{crc32(str(lists).encode()):x}",
    }


def evse_record(evse: v.EvseView) -> LiveRecord:
    return {
        "st": evse.state.value,
        "w": evse.status_word,
        "p": kw(evse.power_w),
        "g": kw(evse.granted_w),
        "cf": kw(evse.confirmed_w),
        "a": tenth(evse.current_a),
        "vt": whole(evse.voltage_v),
        "s": whole(evse.soc_pct),
        "e": tenth(None if evse.energy_wh is None else evse.energy_wh / 1000),
        "v": evse.vehicle,
    }


def frame_record(frame: v.FrameRow) -> LiveRecord:
    return {
        "at": frame.at.timestamp(),
        "dir": frame.direction,
        "k": frame.kind,
        "a": frame.action,
        "m": frame.message_id,
        "t": frame.summary,
        "er": frame.error_code,
        "ms": whole(frame.latency_ms),
    }


@lru_cache(4_096)
def hour(at: datetime, zone: ZoneInfo) -> str:
    """A site's departures are asked for every second and seldom change."""
    return f"{at.astimezone(zone):%H:%M}"


def kw(power_w: float | None) -> float | None:
    """Rounded as it is shown: a decimal only below ten."""
    if power_w is None:
        return None
    power_kw = power_w / 1000
    return round(power_kw, 1) if abs(power_kw) < 9.95 else round(power_kw)


def whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def tenth(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def use_pct(power_w: float, limit_w: float | None) -> int | None:
    """How much of the limit is used; None without a limit."""
    return None if not limit_w else min(999, round(100 * power_w / limit_w))
