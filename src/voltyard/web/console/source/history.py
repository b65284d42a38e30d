"""Sessions and the timetable as the console shows them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

from voltyard.energy.model import Plan
from voltyard.energy.records import ForecastRow
from voltyard.errors import NotFound
from voltyard.fleets.model import Vehicle
from voltyard.sessions.live import EvseLive
from voltyard.sessions.model import MeterSample, Session, SessionFilter
from voltyard.tenancy.model import Principal
from voltyard.timetable.model import Duty, DutyState
from voltyard.web.console import views as v
from voltyard.web.console.source.board import BoardSource, site_view, vehicle_name
from voltyard.web.console.source.parts import outlook_of

LEAST_SHOWN_W = 200.0
STEP = timedelta(minutes=15)
LONGEST = timedelta(days=2)
SESSIONS_MAX = 5_000
PAGE_MAX = 1_000
CURVE_MAX = 2_000


class HistorySource(BoardSource):
    """``sessions``, ``session`` and ``timetable`` of ``ConsoleData``."""

    async def sessions(
        self, who: Principal, wanted: SessionFilter, paging: v.Paging
    ) -> v.Page[v.SessionRow]:
        page = await self.rooms.sessions.page(
            who.org_id, wanted, limit=paging.size, offset=paging.offset
        )
        rows = await self._session_rows(who, page.sessions)
        return v.Page(tuple(rows), page.total, paging)

    async def session(self, who: Principal, session_id: UUID) -> v.SessionView:
        session = await self.rooms.sessions.session(who.org_id, session_id)
        samples = await self.rooms.sessions.curve(who.org_id, session_id)
        (row,) = await self._session_rows(who, [session])
        return v.SessionView(
            row=row,
            curve=_curve(samples),
            repairs=tuple(
                v.Repair(repair.at, repair.what, _change(repair.was, repair.now))
                for repair in session.repairs
            ),
            meter_start_wh=session.meter_start_wh,
            meter_end_wh=session.meter_last_wh,
            duty_id=session.duty_id,
            authorisation=session.authorisation or "",
            authorisation_reason=session.authorisation_reason,
            evse_id=session.evse_id,
            needs=session.needs,
            missing_wh=_missing_wh(session),
            exported_wh=session.energy_exported_wh,
            discharge=self.discharge_of(who, session.id),
            can_discharge=session.open and self.rooms.energy.discharge.able(who.org_id, session.id),
        )

    def discharge_of(self, who: Principal, session_id: UUID) -> v.DischargeView | None:
        found = self.rooms.energy.discharge.standing(who.org_id, session_id)
        if found is None:
            return None
        order = found.order
        return v.DischargeView(
            order.power_w,
            order.until_at,
            order.soc_floor_pct,
            order.set_by,
            found.setpoint_w,
            found.why.value,
        )

    async def prioritise(self, who: Principal, session_id: UUID, *, first: bool) -> None:
        await self.rooms.sessions.prioritise(who, session_id, first=first)

    async def order_discharge(
        self,
        who: Principal,
        session_id: UUID,
        power_w: float,
        until_at: datetime,
        soc_floor_pct: float,
    ) -> None:
        await self.rooms.energy.discharge.order(
            who, session_id, power_w=power_w, until_at=until_at, soc_floor_pct=soc_floor_pct
        )

    async def end_discharge(self, who: Principal, session_id: UUID) -> None:
        await self.rooms.energy.discharge.end(who, session_id)

    async def _session_rows(
        self, who: Principal, sessions: Sequence[Session]
    ) -> list[v.SessionRow]:
        vehicles = await self.vehicles_by_id(who)
        sites = await self.site_names(who)
        bays = await self._bays(who, {session.site_id for session in sessions})
        rows: list[v.SessionRow] = []
        for session in sessions:
            evse = self.rooms.chargers.evse(session.evse_id) if session.evse_id else None
            station = self.rooms.chargers.station(session.station_id)
            vehicle = vehicles.get(session.vehicle_id) if session.vehicle_id else None
            rows.append(
                v.SessionRow(
                    id=session.id,
                    state=session.state,
                    started_at=session.started_at,
                    station_id=session.station_id,
                    station=station.identity if station else "",
                    outlet=str(evse.number) if evse else "",
                    transaction_ref=session.transaction_ref,
                    ended_at=session.ended_at,
                    site=sites.get(session.site_id, "") if session.site_id else "",
                    vehicle_id=session.vehicle_id,
                    vehicle=vehicle.name if vehicle else None,
                    token=session.id_token,
                    energy_wh=session.energy_wh,
                    power_w=session.power_w if session.ended_at is None else None,
                    soc_start_pct=session.soc_start_pct,
                    soc_end_pct=session.soc_last_pct,
                    stop_reason=session.stop_reason,
                    flags=session.flags,
                    bay=bays.get(evse.bay_id, "") if evse and evse.bay_id else "",
                    operator_id=session.fleet_org_id,
                )
            )
        return rows

    async def _bays(self, who: Principal, site_ids: set[UUID | None]) -> Mapping[UUID, str]:
        """Names of bays; none of sites where one is not admitted any more."""
        found: dict[UUID, str] = {}
        for site_id in site_ids:
            with suppress(NotFound):
                place = await self.place(who, site_id) if site_id else None
                found |= {bay.id: bay.name for bay in place.bays} if place else {}
        return found

    async def timetable(
        self, who: Principal, site_id: UUID, since: datetime, until: datetime
    ) -> v.Timetable:
        place = await self.place(who, site_id)
        duties = await self.duties_between(who, site_id, since, until)
        forecasts = await self.forecasts_by_duty(who, site_id)
        vehicles = await self.vehicles_by_id(who)
        lives = {live.duty_id: live for live in self.rooms.live.site(site_id) if live.duty_id}
        plan = self.rooms.energy.plan(who.org_id, site_id)
        bays = {bay.id: bay.name for bay in place.bays}
        delivered = await self._delivered(who, site_id, since, until)
        now = self.now()
        rows = tuple(
            _row(
                duty,
                forecasts.get(duty.id),
                lives.get(duty.id),
                vehicles,
                bays.get(duty.bay_id, "") if duty.bay_id else "",
                _planned(plan, duty, lives.get(duty.id), now, until),
                delivered.get(duty.id, ((), 0.0)),
            )
            for duty in duties
        )
        return v.Timetable(site_view(place.site), now, since, until, rows)

    async def _delivered(
        self, who: Principal, site_id: UUID, since: datetime, until: datetime
    ) -> Mapping[UUID, tuple[tuple[v.Stretch, ...], float]]:
        """By duty: what its sessions took in each quarter of an hour, and the energy of all."""
        sessions = await self._of_duties(who, site_id, since, until)
        registers = await self.rooms.sessions.registers(
            who.org_id, [session.id for session in sessions], since - STEP, STEP.total_seconds()
        )
        found: dict[UUID, tuple[tuple[v.Stretch, ...], float]] = {}
        for session in sessions:
            assert session.duty_id is not None
            stretches, energy_wh = found.get(session.duty_id, ((), 0.0))
            more = taken(session, registers.get(session.id, ()), since)
            found[session.duty_id] = ((*stretches, *more), energy_wh + session.energy_wh)
        return found

    async def _of_duties(
        self, who: Principal, site_id: UUID, since: datetime, until: datetime
    ) -> list[Session]:
        """Sessions that serve a duty and may reach into the window, oldest first."""
        wanted = SessionFilter(site_id=site_id, from_at=since - LONGEST, until_at=until)
        found: list[Session] = []
        for offset in range(0, SESSIONS_MAX, PAGE_MAX):
            page = await self.rooms.sessions.page(who.org_id, wanted, limit=PAGE_MAX, offset=offset)
            found += page.sessions
            if len(found) >= page.total:
                break
        return [session for session in reversed(found) if session.duty_id is not None]


def _missing_wh(session: Session) -> float | None:
    return None if session.needs is None else session.needs.missing_wh(session.net_wh)


def taken(
    session: Session, register: Sequence[tuple[datetime, float]], since: datetime
) -> tuple[v.Stretch, ...]:
    """Mean power from one register reading to the next, so that each area is the energy; for the
    whole session where its charger reports no register."""
    points = list(register)
    if session.started_at >= since and session.meter_start_wh is not None:
        points.insert(0, (session.started_at, session.meter_start_wh))
    if not points and session.energy_wh > 0:
        end_at = session.ended_at or session.last_reading_at or session.started_at
        points = [(session.started_at, 0.0), (end_at, session.energy_wh)]
    stretches: list[v.Stretch] = []
    for (start_at, before_wh), (end_at, after_wh) in pairwise(points):
        hours = (end_at - start_at).total_seconds() / 3600.0
        power_w = (after_wh - before_wh) / hours if hours > 0 else 0.0
        if power_w >= LEAST_SHOWN_W:
            _append(stretches, v.Stretch(start_at, end_at, power_w))
    return tuple(stretches)


def _append(stretches: list[v.Stretch], more: v.Stretch) -> None:
    """Joined with the stretch before it when it goes on just so."""
    last = stretches[-1] if stretches else None
    if last and last.end_at == more.start_at and abs(last.power_w - more.power_w) < LEAST_SHOWN_W:
        stretches[-1] = v.Stretch(last.start_at, more.end_at, last.power_w)
    else:
        stretches.append(more)


def _row(
    duty: Duty,
    forecast: ForecastRow | None,
    live: EvseLive | None,
    vehicles: Mapping[UUID, Vehicle],
    bay: str,
    plan: tuple[v.Stretch, ...],
    delivered: tuple[tuple[v.Stretch, ...], float],
) -> v.TimetableRow:
    soc_pct = live.soc_pct if live else duty.soc_departure_pct
    return v.TimetableRow(
        duty_id=duty.id,
        vehicle=vehicle_name(duty, vehicles),
        arrives_at=duty.arrival_at,
        departs_at=duty.departure_at,
        outlook=outlook_of(duty, forecast, soc_pct),
        bay=live.name if live else bay,
        priority=duty.priority,
        present=duty.state is DutyState.PRESENT,
        ready_at=forecast.ready_at if forecast else None,
        soc_pct=soc_pct,
        target_soc_pct=duty.target_soc_pct,
        soc_forecast_pct=forecast.soc_departure_pct if forecast else None,
        shortfall_wh=forecast.shortfall_wh if forecast else (duty.shortfall_wh or 0.0),
        energy_wh=delivered[1],
        plan=plan,
        delivered=delivered[0],
    )


def _planned(
    plan: Plan | None, duty: Duty, live: EvseLive | None, now: datetime, until: datetime
) -> tuple[v.Stretch, ...]:
    """The plan's power ahead of now, equal neighbours joined."""
    if plan is None:
        return ()
    powers_w = plan.power_w.get(duty.id)
    if powers_w is None and live is not None and live.session_id is not None:
        powers_w = plan.power_w.get(live.session_id)
    stretches: list[v.Stretch] = []
    for index, power_w in enumerate(powers_w or ()):
        start_at, end_at = max(plan.bounds[index], now), min(plan.bounds[index + 1], until)
        if power_w >= LEAST_SHOWN_W and end_at > start_at:
            _append(stretches, v.Stretch(start_at, end_at, power_w))
    return tuple(stretches)


def _curve(samples: Sequence[MeterSample]) -> v.MeterCurve:
    step = -(-len(samples) // CURVE_MAX) or 1
    shown = samples[::step]
    return v.MeterCurve(
        at_s=tuple(int(sample.at.timestamp()) for sample in shown),
        power_w=tuple(sample.power_w for sample in shown),
        limit_w=tuple(sample.offered_w for sample in shown),
        soc_pct=tuple(sample.soc_pct for sample in shown),
        energy_wh=tuple(sample.energy_wh for sample in shown),
    )


def _change(was: str | None, now: str | None) -> str:
    if was is None and now is None:
        return ""
    return f"{was or '–'} → {now or '–'}"
