"""Chargers as the console shows them: list, page, message log, commands."""

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain
from uuid import UUID

import msgspec

from voltyard.chargers import commands as c
from voltyard.chargers.model import (
    CommandRecord,
    Evse,
    Frame,
    FrameFilter,
    StationFilter,
    StationState,
    StationView,
)
from voltyard.errors import Invalid, NotFound, VoltyardError
from voltyard.fleets.model import Vehicle
from voltyard.ids import new_id
from voltyard.sessions.live import EvseLive
from voltyard.sessions.model import IdToken, TokenKind
from voltyard.tenancy.model import Principal
from voltyard.web.auth import require
from voltyard.web.console import views as v
from voltyard.web.console.commands import BY_NAME
from voltyard.web.console.source.board import tile_state
from voltyard.web.console.source.history import HistorySource
from voltyard.web.console.source.parts import Services, cut, outlook_of

SUMMARY_MAX = 160
STATION_CAP_ID = 900_000
STATION_CAP_LEVEL = 1
REFUSED = {"rejected", "not_supported", "refused"}
FAILED = {"failed", "timeout", "offline", "error", "charger_timeout", "charger_offline", "busy"}
RUNNING = {"requested", "sent", "running", "pending"}


class StationSource(HistorySource):
    """``stations``, ``station``, ``frames``, ``frame``, ``commands`` and ``run_command``."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._running: set[asyncio.Task[None]] = set()

    async def stations(
        self, who: Principal, wanted: StationFilter, paging: v.Paging
    ) -> v.Page[v.StationRow]:
        found = self.rooms.chargers.list_stations(who.org_id, wanted)
        sites = await self.site_names(who)
        page = cut(found, paging)
        shown = [self.rooms.live.station(view.station.id) for view in page.rows]
        ready = await self._ready(who, chain.from_iterable(shown))
        rows = tuple(self._station_row(view, sites, ready) for view in page.rows)
        return v.Page(rows, page.total, paging)

    async def station(self, who: Principal, station_id: UUID) -> v.StationView:
        view = self.rooms.chargers.station_view(who.org_id, station_id)
        sites = await self.site_names(who)
        config = await self.rooms.chargers.config(who.org_id, station_id)
        vehicles = await self.vehicles_by_id(who)
        lives = {live.evse_id: live for live in self.rooms.live.station(station_id)}
        site_id = view.station.site_id
        bays: dict[UUID, str] = {}
        power = None
        if site_id is not None:
            bays = {bay.id: bay.name for bay in (await self.place(who, site_id)).bays}
            power = self.rooms.energy.view(who.org_id, site_id)
        powers = power.evses if power else {}
        ready = await self._ready(who, lives.values())
        mine = [powers[evse.id] for evse in view.evses if evse.id in powers]
        return v.StationView(
            row=self._station_row(view, sites, ready),
            evses=tuple(
                self._asked(
                    who,
                    _evse(
                        evse, lives.get(evse.id), bays, vehicles, view, powers.get(evse.id), ready
                    ),
                    lives.get(evse.id),
                )
                for evse in view.evses
            ),
            serial=view.station.serial or "",
            remote=view.remote or "",
            connected_at=view.station.connected_at,
            booted_at=view.station.booted_at,
            failsafe_w=sum(part.fallback_w for part in mine) if mine else None,
            reserved_w=sum(max(0.0, part.counted_w - part.granted_w) for part in mine),
            settings=tuple(
                v.SettingRow(_key(entry.row), entry.row.value, entry.row.readonly)
                for entry in config
            ),
            settings_at=max((entry.read_at for entry in config), default=None),
        )

    def _asked(self, who: Principal, evse: v.EvseView, live: EvseLive | None) -> v.EvseView:
        """With what its vehicle asks for, and what it was ordered to give."""
        session = None if live is None else live.session
        if session is None or not session.open:
            return evse
        return replace(
            evse,
            needs=session.needs,
            missing_wh=None if session.needs is None else session.needs.missing_wh(session.net_wh),
            discharge=self.discharge_of(who, session.id),
            exported_wh=session.energy_exported_wh,
        )

    async def _ready(self, who: Principal, lives: Iterable[EvseLive]) -> frozenset[UUID]:
        """Outlets whose vehicle has what its duty needs, as the board calls it."""
        found = set()
        for live in lives:
            if live.duty_id is None or live.site_id is None:
                continue
            duty = (await self.duties_of_the_day(who, live.site_id)).get(live.duty_id)
            if outlook_of(duty, None, live.soc_pct) is v.Outlook.READY:
                found.add(live.evse_id)
        return frozenset(found)

    async def decide_station(
        self, who: Principal, station_id: UUID, state: StationState, site_id: UUID | None
    ) -> None:
        if state is StationState.APPROVED:
            await self.rooms.chargers.approve(who, station_id, site_id=site_id)
        elif state is StationState.REJECTED:
            await self.rooms.chargers.reject(who, station_id)
        elif state is StationState.RETIRED:
            await self.rooms.chargers.retire(who, station_id)
        else:
            raise Invalid("A charger is approved, rejected or retired.")

    async def frames(
        self, who: Principal, station_id: UUID, wanted: FrameFilter, paging: v.Paging
    ) -> v.Page[v.FrameRow]:
        """The total is known only as far as one page ahead: counting a log is not worth it."""
        found = await self.rooms.chargers.frames(
            who.org_id,
            station_id,
            wanted,
            limit=paging.size + 1,
            offset=paging.offset,
        )
        rows = tuple(_frame_row(frame) for frame in found[: paging.size])
        return v.Page(rows, paging.offset + len(found), paging)

    async def frame(self, who: Principal, station_id: UUID, frame_id: str) -> v.FrameView:
        at, direction, kind, message_id = _parts(frame_id)
        near = await self.rooms.chargers.frames(
            who.org_id,
            station_id,
            FrameFilter(
                text=message_id, from_at=at - timedelta(hours=1), until_at=at + timedelta(hours=1)
            ),
            limit=100,
        )
        same = [frame for frame in near if frame.message_id == message_id]
        mine = next(
            (f for f in same if f.at == at and f.direction == direction and f.kind == kind), None
        )
        if mine is None:
            raise NotFound("There is no such message.")
        other = next((f for f in same if f.direction != direction and f.kind != kind), None)
        return v.FrameView(
            _frame_row(mine),
            mine.payload,
            None if other is None else _frame_row(other),
            "" if other is None else other.payload,
        )

    async def commands(
        self, who: Principal, station_id: UUID, limit: int = 20
    ) -> tuple[v.CommandRow, ...]:
        found = await self.rooms.chargers.commands(who.org_id, station_id, limit=limit)
        return tuple(_command_row(record) for record in found)

    async def run_command(
        self, who: Principal, station_id: UUID, name: str, params: Mapping[str, str]
    ) -> UUID:
        spec = BY_NAME.get(name)
        if spec is None:
            raise NotFound("There is no such command.")
        require(who, spec.permission)
        self.rooms.chargers.station_view(who.org_id, station_id)
        command = build_command(name, params, self.now())
        await self.rooms.chargers.permit(who, station_id, command)
        task = asyncio.create_task(self._send(who, station_id, command))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return new_id()

    async def _send(self, who: Principal, station_id: UUID, command: c.Command) -> None:
        """How it went is in the command's record, whatever it was."""
        try:
            await self.rooms.chargers.command(station_id, command, who.name)
        except VoltyardError:
            return

    def _station_row(
        self, view: StationView, sites: Mapping[UUID, str], ready: frozenset[UUID]
    ) -> v.StationRow:
        station = view.station
        lives = self.rooms.live.station(station.id)
        return v.StationRow(
            id=station.id,
            identity=station.identity,
            state=station.state,
            connected=station.connected,
            name=station.name,
            site=sites.get(station.site_id, "") if station.site_id else "",
            vendor=station.vendor or "",
            model=station.model or "",
            firmware=station.firmware or "",
            ocpp_version=station.ocpp_version or "",
            last_seen_at=station.last_seen_at,
            power_w=sum(live.power_w or 0.0 for live in lives),
            evse_states=tuple(tile_state(live, ready=live.evse_id in ready) for live in lives),
            flags=tuple(flag.flag for flag in view.flags),
        )


def _key(row: object) -> str:
    component = getattr(row, "component", "")
    name = str(getattr(row, "name", ""))
    instance = getattr(row, "instance", "")
    full = f"{component}.{name}" if component else name
    return f"{full}[{instance}]" if instance else full


def _evse(
    evse: Evse,
    live: EvseLive | None,
    bays: Mapping[UUID, str],
    vehicles: Mapping[UUID, Vehicle],
    view: StationView,
    power: object,
    ready: frozenset[UUID],
) -> v.EvseView:
    session = live.session if live else None
    vehicle = vehicles.get(live.vehicle_id) if live and live.vehicle_id else None
    connectors = view.connectors.get(evse.id, ())
    return v.EvseView(
        id=evse.id,
        number=evse.number,
        state=tile_state(live, ready=evse.id in ready) if live else v.TileState.OFFLINE,
        name=evse.name,
        bay=bays.get(evse.bay_id, "") if evse.bay_id else "",
        status_word=live.status.value if live else evse.status.value,
        status_at=live.status_at if live else evse.status_at,
        error_code=(live.error_code if live else evse.error_code) or "",
        power_w=live.power_w if live else None,
        granted_w=getattr(power, "granted_w", None),
        confirmed_w=getattr(power, "counted_w", None),
        max_power_w=evse.max_power_w,
        voltage_v=evse.voltage_v if evse.current_type.value == "ac" else None,
        soc_pct=live.soc_pct if live else None,
        energy_wh=live.energy_wh if live else None,
        vehicle=vehicle.name if vehicle else None,
        session_id=session.id if session and session.open else None,
        transaction_ref=session.transaction_ref if session and session.open else None,
        connectors=tuple(f"{state.number}: {state.status.value}" for state in connectors),
    )


def _frame_row(frame: Frame) -> v.FrameRow:
    return v.FrameRow(
        id=_frame_id(frame),
        at=frame.at,
        direction=frame.direction,
        kind=frame.kind,
        action=frame.action,
        message_id=frame.message_id,
        summary=frame.payload[:SUMMARY_MAX],
        error_code=frame.error_code,
        latency_ms=frame.latency_ms,
        flags=frame.flags,
    )


def _frame_id(frame: Frame) -> str:
    text = f"{frame.at.isoformat()}|{frame.direction}|{frame.kind}|{frame.message_id}"
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _parts(frame_id: str) -> tuple[datetime, str, str, str]:
    try:
        text = urlsafe_b64decode(frame_id + "=" * (-len(frame_id) % 4)).decode()
        at, direction, kind, message_id = text.split("|", 3)
        return datetime.fromisoformat(at), direction, kind, message_id
    except (ValueError, UnicodeDecodeError):
        raise NotFound("There is no such message.") from None


def _command_row(record: CommandRecord) -> v.CommandRow:
    return v.CommandRow(
        id=record.id,
        name=_snake(record.action),
        at=record.requested_at,
        by=record.requested_by,
        progress=_progress(record),
        params={k: _plain(value) for k, value in record.request.items() if value is not None},
        result=record.word or ("" if record.answered_at is None else record.status),
        latency_ms=record.latency_ms,
        details=_details(record.response or {}),
    )


def _progress(record: CommandRecord) -> v.CommandProgress:
    if record.status in REFUSED:
        return v.CommandProgress.REFUSED
    if record.answered_at is None and record.status not in FAILED:
        return v.CommandProgress.RUNNING
    if record.status in FAILED:
        return v.CommandProgress.FAILED
    return v.CommandProgress.DONE


def _details(response: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    shown: list[tuple[str, str]] = []
    for name, value in list(response.items())[:50]:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        shown.append((name, text[:500]))
    return tuple(shown)


_NAMES = {
    "read_composite_schedule": "read_schedule",
    "set_availability": "availability",
}


def _snake(action: str) -> str:
    """``RemoteStart`` → ``remote_start``, by the console's names."""
    text = "".join(f"_{ch.lower()}" if ch.isupper() else ch for ch in action).lstrip("_")
    return _NAMES.get(text, text)


def _plain(value: object) -> str:
    """A token by its value."""
    return str(value["value"]) if isinstance(value, dict) and "value" in value else str(value)


def build_command(name: str, params: Mapping[str, str], now: datetime) -> c.Command:
    """The command of a filled form. Raises Invalid that names the field."""
    return _BUILDERS[name](_Form(params), now)


class _Form:
    """Typed access to a form's fields."""

    def __init__(self, params: Mapping[str, str]) -> None:
        self._params = params

    def text(self, name: str) -> str:
        value = self._params.get(name, "").strip()
        if not value:
            raise Invalid("Something is missing.", fields={name: "is needed"})
        return value

    def whole(self, name: str) -> int:
        return int(self.number(name))

    def number(self, name: str) -> float:
        try:
            return float(self.text(name).replace(",", "."))
        except ValueError:
            raise Invalid("This is not a number.", fields={name: "is not a number"}) from None


def _set_limit(form: _Form, now: datetime) -> c.Command:
    """A cap on the whole station. It can only lower what the controller grants: a limit on one
    outlet would stand above the controller's own and could lift it."""
    return c.SetLimit(
        purpose=c.LimitPurpose.STATION_MAX,
        evse_number=0,
        profile_id=STATION_CAP_ID,
        stack_level=STATION_CAP_LEVEL,
        limit_w=form.number("power_kw") * 1000.0,
        valid_s=form.whole("minutes") * 60,
        start_at=now,
    )


_BUILDERS: Mapping[str, Callable[[_Form, datetime], c.Command]] = {
    "remote_start": lambda form, now: c.RemoteStart(
        form.whole("evse"),
        IdToken(form.text("token"), TokenKind.CENTRAL),
        int(now.timestamp()) % 2_000_000_000,
    ),
    "remote_stop": lambda form, now: c.RemoteStop(form.text("transaction")),
    "set_limit": _set_limit,
    "clear_limits": lambda form, now: c.ClearLimits(
        profile_id=STATION_CAP_ID, evse_number=0, purpose=c.LimitPurpose.STATION_MAX
    ),
    "read_schedule": lambda form, now: c.ReadCompositeSchedule(
        form.whole("evse"), form.whole("minutes") * 60
    ),
    "trigger": lambda form, now: c.Trigger(form.text("message"), form.whole("evse") or None),
    "read_configuration": lambda form, now: c.ReadConfiguration(),
    "write_configuration": lambda form, now: c.WriteConfiguration(
        form.text("key"), form.text("value")
    ),
    "availability": lambda form, now: c.SetAvailability(
        form.whole("evse"), form.text("operative") == "yes"
    ),
    "unlock": lambda form, now: c.Unlock(form.whole("evse")),
    "reset": lambda form, now: c.Reset(hard=form.text("kind") == "hard"),
}
assert set(_BUILDERS) == set(BY_NAME)
