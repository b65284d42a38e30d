"""Duties, their import, vehicles and tokens as the console shows and changes them."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from voltyard.chargers.model import Station
from voltyard.energy.records import ForecastRow
from voltyard.errors import Conflict, NotFound, VoltyardError
from voltyard.fleets.commands import TokenDraft, VehicleDraft
from voltyard.fleets.model import Token, TokenFilter, Vehicle
from voltyard.ids import new_id
from voltyard.sessions.model import Session
from voltyard.tenancy.model import Permission, Principal
from voltyard.timetable.importing import ImportReport
from voltyard.timetable.model import Duty, DutyState
from voltyard.timetable.service import DutyFilter
from voltyard.web.auth import require
from voltyard.web.console import views as v
from voltyard.web.console.source.board import vehicle_name
from voltyard.web.console.source.parts import Services, cut, outlook_of
from voltyard.web.console.source.stations import StationSource

IMPORTS_KEPT = 50
SAMPLE = 10
FAULTS_SHOWN = 500


@dataclass(frozen=True, slots=True)
class _Import:
    """A file on its way in; ``content`` is let go when it is over."""

    org_id: UUID
    site_id: UUID
    content: bytes
    view: v.ImportView


class PlanningSource(StationSource):
    """Duties, imports, vehicles and tokens of ``ConsoleData``."""

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._imports: dict[UUID, _Import] = {}
        self._importing: set[asyncio.Task[None]] = set()

    # Duties

    async def duties(
        self, who: Principal, wanted: v.DutyFilter, paging: v.Paging
    ) -> v.Page[v.DutyRow]:
        everything = wanted.outlook is not None
        asked = DutyFilter(
            site_id=wanted.site_id,
            since=wanted.since,
            until=wanted.until,
            text=wanted.text,
            org_id=wanted.operator_id,
            limit=5_000 if everything else paging.size,
            offset=0 if everything else paging.offset,
        )
        found, total = await self.rooms.timetable.find(who.org_id, asked)
        rows = await self._duty_rows(who, found)
        if everything:
            return cut([row for row in rows if row.outlook is wanted.outlook], paging)
        return v.Page(tuple(rows), total, paging)

    async def duty(self, who: Principal, duty_id: UUID) -> v.DutyRow:
        duty = await self.rooms.timetable.duty(who.org_id, duty_id)
        (row,) = await self._duty_rows(who, [duty])
        return row

    async def save_duty(
        self, who: Principal, site_id: UUID, duty_id: UUID | None, form: v.DutyForm
    ) -> UUID:
        before = None
        if duty_id is not None:
            before = await self.rooms.timetable.duty(who.org_id, duty_id)
        identity = before.id if before else new_id()
        duty = Duty(
            id=identity,
            org_id=before.org_id if before else who.org_id,
            site_id=site_id,
            external_id=form.external_id or (before.external_id if before else str(identity)[:8]),
            arrival_at=form.arrives_at,
            departure_at=form.departs_at,
            vehicle_id=form.vehicle_id,
            vehicle_class=form.vehicle_class,
            soc_arrival_pct=form.soc_arrival_pct,
            target_soc_pct=form.target_soc_pct,
            target_energy_wh=form.target_energy_wh,
            priority=form.priority,
            bay_id=before.bay_id if before else None,
            state=before.state if before else DutyState.PLANNED,
            source=before.source if before else "manual",
            note=form.note,
        )
        saved = await self.rooms.timetable.save(who, duty, expect_new=before is None)
        return saved.id

    async def delete_duty(self, who: Principal, duty_id: UUID) -> None:
        await self.rooms.timetable.delete(who, [duty_id])

    async def _duty_rows(self, who: Principal, duties: list[Duty]) -> list[v.DutyRow]:
        vehicles = await self.vehicles_by_id(who)
        forecasts: dict[UUID, ForecastRow] = {}
        for site_id in sorted({duty.site_id for duty in duties}):
            forecasts.update(await self.forecasts_by_duty(who, site_id))
        lives = {live.duty_id: live for live in self.rooms.live.all() if live.duty_id}
        rows: list[v.DutyRow] = []
        for duty in duties:
            forecast = forecasts.get(duty.id)
            live = lives.get(duty.id)
            soc_pct = live.soc_pct if live else duty.soc_departure_pct
            short_wh = forecast.shortfall_wh if forecast else 0.0
            rows.append(
                v.DutyRow(
                    id=duty.id,
                    site_id=duty.site_id,
                    external_id=duty.external_id,
                    arrives_at=duty.arrival_at,
                    departs_at=duty.departure_at,
                    state=duty.state.value,
                    vehicle_id=duty.vehicle_id,
                    vehicle=vehicle_name(duty, vehicles),
                    vehicle_class=duty.vehicle_class,
                    soc_arrival_pct=duty.soc_arrival_pct,
                    target_soc_pct=duty.target_soc_pct,
                    target_energy_wh=duty.target_energy_wh,
                    priority=duty.priority,
                    outlook=outlook_of(duty, forecast, soc_pct),
                    ready_at=forecast.ready_at if forecast else None,
                    shortfall_wh=duty.shortfall_wh if duty.shortfall_wh is not None else short_wh,
                    source=duty.source,
                    note=duty.note,
                    operator_id=other(who, duty.org_id),
                )
            )
        return rows

    # Import

    async def start_import(
        self, who: Principal, site_id: UUID, file_name: str, content: bytes
    ) -> UUID:
        require(who, Permission.DUTIES_WRITE)
        await self.rooms.sites.charging_site(who, site_id)
        key = new_id()
        view = v.ImportView(key, file_name, v.ImportPhase.CHECKING)
        self._imports[key] = _Import(who.org_id, site_id, content, view)
        for old in list(self._imports)[:-IMPORTS_KEPT]:
            del self._imports[old]
        self._spawn(self._check_import(who, key))
        return key

    async def import_state(self, who: Principal, import_id: UUID) -> v.ImportView:
        return self._import(who, import_id).view

    async def confirm_import(self, who: Principal, import_id: UUID) -> None:
        entry = self._import(who, import_id)
        if entry.view.phase is not v.ImportPhase.CHECKED or entry.view.faults:
            raise Conflict("This file cannot be imported as it is.")
        self._show(import_id, replace(entry.view, phase=v.ImportPhase.WRITING))
        self._spawn(self._write_import(who, import_id))

    async def _check_import(self, who: Principal, key: UUID) -> None:
        entry = self._imports[key]
        try:
            report = await self.rooms.timetable.check_file(who, entry.site_id, entry.content)
        except VoltyardError as error:
            self._show(key, replace(entry.view, phase=v.ImportPhase.FAILED, message=error.message))
            return
        rows = await self._duty_rows(who, list(report.duties[:SAMPLE]))
        self._show(key, _checked(entry.view, report, tuple(rows)))

    async def _write_import(self, who: Principal, key: UUID) -> None:
        entry = self._imports[key]
        try:
            await self.rooms.timetable.import_file(who, entry.site_id, entry.content)
        except VoltyardError as error:
            self._show(key, replace(entry.view, phase=v.ImportPhase.FAILED, message=error.message))
            return
        self._imports[key] = replace(entry, content=b"")
        self._show(key, replace(entry.view, phase=v.ImportPhase.DONE))

    def _import(self, who: Principal, key: UUID) -> _Import:
        entry = self._imports.get(key)
        if entry is None or entry.org_id != who.org_id:
            raise NotFound("This import is over. Please upload the file again.")
        return entry

    def _show(self, key: UUID, view: v.ImportView) -> None:
        if key in self._imports:
            self._imports[key] = replace(self._imports[key], view=view)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._importing.add(task)
        task.add_done_callback(self._importing.discard)

    # Vehicles and tokens

    async def vehicles(self, who: Principal, text: str, paging: v.Paging) -> v.Page[v.VehicleRow]:
        found, total = await self.rooms.fleets.list_vehicles(
            who, text=text, limit=paging.size, offset=paging.offset
        )
        tokens = await self._tokens_of_vehicles(who)
        return v.Page(tuple(_vehicle_row(who, vehicle, tokens) for vehicle in found), total, paging)

    async def vehicle(self, who: Principal, vehicle_id: UUID) -> v.VehicleRow:
        vehicle = await self.rooms.fleets.vehicle(who, vehicle_id)
        return _vehicle_row(who, vehicle, await self._tokens_of_vehicles(who))

    async def save_vehicle(
        self, who: Principal, vehicle_id: UUID | None, form: VehicleDraft
    ) -> UUID:
        before = await self.rooms.fleets.vehicle(who, vehicle_id) if vehicle_id else None
        draft = replace(form, efficiency=before.efficiency) if before else form
        return (await self.rooms.fleets.save_vehicle(who, draft, vehicle_id)).id

    async def tokens(
        self, who: Principal, wanted: TokenFilter, paging: v.Paging
    ) -> v.Page[v.TokenRow]:
        found, total = await self.rooms.fleets.find_tokens(
            who, wanted, limit=paging.size, offset=paging.offset
        )
        return v.Page(await self._token_rows(who, found), total, paging)

    async def token(self, who: Principal, token_id: UUID) -> v.TokenRow:
        token = await self.rooms.fleets.token(who, token_id)
        (row,) = await self._token_rows(who, [token])
        return row

    async def save_token(self, who: Principal, token_id: UUID | None, form: TokenDraft) -> UUID:
        return (await self.rooms.fleets.save_token(who, form, token_id)).id

    async def _token_rows(self, who: Principal, tokens: Sequence[Token]) -> tuple[v.TokenRow, ...]:
        vehicles = await self.vehicles_by_id(who)
        uses = await self.rooms.sessions.last_uses(who.org_id, [token.value for token in tokens])
        stations = self.stations_by_id(who)
        now = self.now()
        return tuple(
            replace(
                _token_row(token, vehicles, uses.get(token.value), stations, now),
                operator_id=other(who, token.org_id),
            )
            for token in tokens
        )

    async def _tokens_of_vehicles(self, who: Principal) -> Mapping[UUID, tuple[str, ...]]:
        found: dict[UUID, tuple[str, ...]] = {}
        for token in await self.rooms.fleets.all_tokens(who.org_id):
            if token.vehicle_id is not None:
                found[token.vehicle_id] = (*found.get(token.vehicle_id, ()), token.value)
        return found


def _checked(view: v.ImportView, report: ImportReport, rows: tuple[v.DutyRow, ...]) -> v.ImportView:
    return replace(
        view,
        phase=v.ImportPhase.CHECKED,
        rows_done=report.rows,
        rows_total=report.rows,
        added=len(report.duties) - report.replaces,
        changed=report.replaces,
        faults=tuple(
            v.RowFault(fault.row, fault.column, fault.value, fault.reason)
            for fault in report.faults[:FAULTS_SHOWN]
        ),
        message="" if report.duties or report.faults else "The file has no duties.",
        sample=rows,
    )


def other(who: Principal, org_id: UUID) -> UUID | None:
    """The operator whose it is, where it is not one's own."""
    return None if org_id == who.org_id else org_id


def _vehicle_row(
    who: Principal, vehicle: Vehicle, tokens: Mapping[UUID, tuple[str, ...]]
) -> v.VehicleRow:
    return v.VehicleRow(
        id=vehicle.id,
        name=vehicle.name,
        vehicle_class=vehicle.vehicle_class,
        battery_wh=vehicle.battery_wh,
        max_power_w=vehicle.max_power_w,
        min_power_w=vehicle.min_power_w,
        licence_plate=vehicle.licence_plate or "",
        vin=vehicle.vin or "",
        active=vehicle.active,
        tokens=tokens.get(vehicle.id, ()),
        charge_curve=vehicle.charge_curve,
        operator_id=other(who, vehicle.org_id),
    )


def _token_row(
    token: Token,
    vehicles: Mapping[UUID, Vehicle],
    used: Session | None,
    stations: Mapping[UUID, Station],
    now: datetime,
) -> v.TokenRow:
    vehicle = vehicles.get(token.vehicle_id) if token.vehicle_id else None
    station = stations.get(used.station_id) if used else None
    return v.TokenRow(
        id=token.id,
        kind=token.kind,
        value=token.value,
        vehicle_id=token.vehicle_id,
        vehicle=vehicle.name if vehicle else None,
        label=token.label,
        blocked=token.blocked,
        last_used_at=used.started_at if used else None,
        group_id=token.group_id,
        concurrent=token.concurrent,
        state=token.state_at(now, vehicle),
        valid_from=token.valid_from,
        valid_until=token.valid_until,
        site_ids=token.site_ids,
        area_ids=token.area_ids,
        last_station_id=station.id if station else None,
        last_station=station.identity if station else "",
    )
