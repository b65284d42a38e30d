"""The fake depot's lists and changes: sessions, duties, vehicles, alerts, people, commands."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID, uuid5

from voltyard.alerts.model import Severity
from voltyard.chargers.model import FrameFilter, StationState
from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.fleets.commands import TokenDraft, VehicleDraft
from voltyard.fleets.model import TokenFilter, TokenState
from voltyard.sessions.model import SessionFilter, SessionState, Urgency, VehicleNeeds
from voltyard.tenancy.model import ApiKey, Permission, Principal, Role
from voltyard.web.console import views as v

T = TypeVar("T")
SPACE = UUID("6f1d9d2e-5a5b-4a3e-9d55-0b6f7a5f0001")
SITE_ID = uuid5(SPACE, "site")
START = datetime(2026, 1, 14, 23, 40, tzinfo=UTC)


def cut(rows: Iterable[T], keep: Callable[[T], bool], paging: v.Paging) -> v.Page[T]:
    found = [row for row in rows if keep(row)]
    return v.Page(tuple(found[paging.offset : paging.offset + paging.size]), len(found), paging)


class FakeLists:
    """Everything that is not live. Changes are kept in plain dictionaries."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.limits: dict[UUID, tuple[v.LimitView, ...]] = {}
        self.decided: dict[str, StationState] = {}
        self.given: list[tuple[UUID, v.CommandRow]] = []
        self.imports: dict[UUID, v.ImportView] = {}
        self.duty_rows = {row.id: row for row in map(_duty, range(80))}
        self.vehicle_rows = {row.id: row for row in map(_vehicle, range(80))}
        self.token_rows = {row.id: row for row in map(_token, range(80))}
        self.alert_rows = {row.id: row for row in _alerts()}
        self.user_rows = {row.id: row for row in _users()}
        self.key_rows = {row.id: row for row in _keys()}
        self.sent_frames = 0

    async def sessions(
        self, who: Principal, wanted: SessionFilter, paging: v.Paging
    ) -> v.Page[v.SessionRow]:
        text = wanted.text.casefold()

        def keep(row: v.SessionRow) -> bool:
            return (
                text in f"{row.vehicle} {row.station} {row.token} {row.id}".casefold()
                and (wanted.state is None or row.state is wanted.state)
                and (not wanted.flagged or bool(row.flags))
                and (wanted.from_at is None or row.started_at >= wanted.from_at)
                and (wanted.until_at is None or row.started_at < wanted.until_at)
            )

        return cut(map(_session, range(137)), keep, paging)

    async def session(self, who: Principal, session_id: UUID) -> v.SessionView:
        for row in map(_session, range(137)):
            if row.id == session_id:
                return _session_view(row)
        raise NotFound("There is no such session.")

    async def prioritise(self, who: Principal, session_id: UUID, *, first: bool) -> None:
        await self.session(who, session_id)

    async def order_discharge(
        self,
        who: Principal,
        session_id: UUID,
        power_w: float,
        until_at: datetime,
        soc_floor_pct: float,
    ) -> None:
        if until_at <= START:
            raise Invalid("This is no order to discharge.", fields={"until": "too late"})

    async def end_discharge(self, who: Principal, session_id: UUID) -> None:
        await self.session(who, session_id)

    async def commands(
        self, who: Principal, station_id: UUID, limit: int = 20
    ) -> tuple[v.CommandRow, ...]:
        mine = [row for owner, row in reversed(self.given) if owner == station_id]
        return tuple(mine[:limit])

    async def run_command(
        self, who: Principal, station_id: UUID, name: str, params: Mapping[str, str]
    ) -> UUID:
        command_id = uuid5(SPACE, f"command {len(self.given)}")
        done = v.CommandProgress.REFUSED if name == "unlock" else v.CommandProgress.DONE
        row = v.CommandRow(
            command_id,
            name,
            START,
            who.name,
            done,
            params,
            "Rejected" if name == "unlock" else "Accepted",
            84.0,
        )
        self.given.append((station_id, row))
        return command_id

    async def frames(
        self, who: Principal, station_id: UUID, wanted: FrameFilter, paging: v.Paging
    ) -> v.Page[v.FrameRow]:
        text = wanted.text.casefold()

        def keep(row: v.FrameRow) -> bool:
            return (
                text in f"{row.action} {row.summary}".casefold()
                and (not wanted.action or row.action == wanted.action)
                and (not wanted.direction or row.direction == wanted.direction)
                and (not wanted.errors_only or row.error_code is not None)
            )

        newest = 220 + self.sent_frames
        return cut((_frame(number) for number in range(newest, 0, -1)), keep, paging)

    async def frame(self, who: Principal, station_id: UUID, frame_id: str) -> v.FrameView:
        number = int(frame_id)
        payload = (
            '{"connectorId":1,"transactionId":77,"meterValue":[{"timestamp":"2026-01-14T23:39:50Z",'
            '"sampledValue":[{"value":"88211.4","measurand":"Energy.Active.Import.Register",'
            '"unit":"Wh"},{"value":"101.3","measurand":"Power.Active.Import","unit":"kW"}]}]}'
        )
        return v.FrameView(_frame(number), payload, _frame(number + 1), "{}")

    async def decide_station(
        self, who: Principal, station_id: UUID, state: StationState, site_id: UUID | None
    ) -> None:
        self.decided["pending"] = state

    async def duties(
        self, who: Principal, wanted: v.DutyFilter, paging: v.Paging
    ) -> v.Page[v.DutyRow]:
        text = wanted.text.casefold()

        def keep(row: v.DutyRow) -> bool:
            return text in f"{row.vehicle} {row.external_id}".casefold() and (
                wanted.outlook is None or row.outlook is wanted.outlook
            )

        return cut(self.duty_rows.values(), keep, paging)

    async def duty(self, who: Principal, duty_id: UUID) -> v.DutyRow:
        if duty_id not in self.duty_rows:
            raise NotFound("There is no such duty.")
        return self.duty_rows[duty_id]

    async def save_duty(
        self, who: Principal, site_id: UUID, duty_id: UUID | None, form: v.DutyForm
    ) -> UUID:
        found = duty_id or uuid5(SPACE, f"new duty {len(self.duty_rows)}")
        self.duty_rows[found] = v.DutyRow(
            id=found,
            site_id=site_id,
            external_id=form.external_id,
            arrives_at=form.arrives_at,
            departs_at=form.departs_at,
            state="planned",
            vehicle=str(form.vehicle_class),
            target_soc_pct=form.target_soc_pct,
            priority=form.priority,
        )
        return found

    async def delete_duty(self, who: Principal, duty_id: UUID) -> None:
        del self.duty_rows[duty_id]

    async def start_import(
        self, who: Principal, site_id: UUID, file_name: str, content: bytes
    ) -> UUID:
        if not content:
            raise Invalid("The file is empty.")
        import_id = uuid5(SPACE, f"import {len(self.imports)}")
        lines = content.decode().splitlines()
        faults = tuple(
            v.RowFault(number, "departure", line.split(",")[-1], "This is not a date and time.")
            for number, line in enumerate(lines, 1)
            if "bad" in line
        )
        self.imports[import_id] = v.ImportView(
            import_id,
            file_name,
            v.ImportPhase.CHECKING,
            rows_total=len(lines) - 1,
            added=len(lines) - 1,
            faults=faults,
        )
        return import_id

    async def import_state(self, who: Principal, import_id: UUID) -> v.ImportView:
        """Checking, then checked; writing, then done: each seen once."""
        state = self.imports[import_id]
        following = {
            v.ImportPhase.CHECKING: v.ImportPhase.CHECKED,
            v.ImportPhase.WRITING: v.ImportPhase.DONE,
        }
        self.imports[import_id] = replace(state, phase=following.get(state.phase, state.phase))
        return state

    async def confirm_import(self, who: Principal, import_id: UUID) -> None:
        state = self.imports[import_id]
        if state.phase is not v.ImportPhase.CHECKED or state.faults:
            raise Conflict("This file was not found good.")
        self.imports[import_id] = replace(state, phase=v.ImportPhase.WRITING)

    async def vehicles(self, who: Principal, text: str, paging: v.Paging) -> v.Page[v.VehicleRow]:
        wanted = text.casefold()
        return cut(self.vehicle_rows.values(), lambda r: wanted in r.name.casefold(), paging)

    async def vehicle(self, who: Principal, vehicle_id: UUID) -> v.VehicleRow:
        if vehicle_id not in self.vehicle_rows:
            raise NotFound("There is no such vehicle.")
        return self.vehicle_rows[vehicle_id]

    async def save_vehicle(
        self, who: Principal, vehicle_id: UUID | None, form: VehicleDraft
    ) -> UUID:
        found = vehicle_id or uuid5(SPACE, f"new vehicle {form.name}")
        self.vehicle_rows[found] = v.VehicleRow(
            found, form.name, form.vehicle_class, form.battery_wh, charge_curve=form.charge_curve
        )
        return found

    async def tokens(
        self, who: Principal, wanted: TokenFilter, paging: v.Paging
    ) -> v.Page[v.TokenRow]:
        text = wanted.text.casefold()
        return cut(
            self.token_rows.values(),
            lambda r: (
                text in f"{r.value} {r.vehicle}".casefold() and wanted.state in (None, r.state)
            ),
            paging,
        )

    async def token(self, who: Principal, token_id: UUID) -> v.TokenRow:
        return self.token_rows[token_id]

    async def save_token(self, who: Principal, token_id: UUID | None, form: TokenDraft) -> UUID:
        found = token_id or uuid5(SPACE, f"new token {form.value}")
        self.token_rows[found] = v.TokenRow(found, form.kind, form.value, form.vehicle_id)
        return found

    async def alerts(
        self, who: Principal, wanted: v.AlertFilter, paging: v.Paging
    ) -> v.Page[v.AlertRow]:
        def keep(row: v.AlertRow) -> bool:
            status = {
                "open": row.resolved_at is None,
                "acknowledged": row.resolved_at is None and row.acknowledged_at is not None,
                "resolved": row.resolved_at is not None,
                "all": True,
            }[wanted.status]
            return (
                status
                and (wanted.severity is None or row.severity is wanted.severity)
                and wanted.text.casefold() in row.title.casefold()
            )

        return cut(self.alert_rows.values(), keep, paging)

    async def acknowledge_alert(self, who: Principal, alert_id: UUID) -> None:
        row = self.alert_rows[alert_id]
        self.alert_rows[alert_id] = replace(row, acknowledged_at=START, acknowledged_by=who.name)

    async def save_limit(
        self, who: Principal, site_id: UUID, node_id: UUID, index: int | None, form: v.LimitForm
    ) -> None:
        kept = self.limits.get(node_id, ())
        number = len(kept) if index is None else index
        view = v.LimitView(
            index=number,
            source="manual",
            power_w=form.power_w,
            current_a=form.current_a,
            weekdays=form.weekdays,
        )
        self.limits[node_id] = (*(limit for limit in kept if limit.index != number), view)

    async def delete_limit(self, who: Principal, site_id: UUID, node_id: UUID, index: int) -> None:
        kept = self.limits.get(node_id, ())
        self.limits[node_id] = tuple(limit for limit in kept if limit.index != index)

    async def users(self, who: Principal) -> tuple[v.UserRow, ...]:
        return tuple(self.user_rows.values())

    async def save_user(self, who: Principal, user_id: UUID | None, form: v.UserForm) -> UUID:
        found = user_id or uuid5(SPACE, form.email)
        if user_id is None and any(row.email == form.email for row in self.user_rows.values()):
            raise Invalid("Some fields need attention.", fields={"email": "This is taken."})
        self.user_rows[found] = v.UserRow(found, form.name, form.email, form.role, form.active)
        return found

    async def keys(self, who: Principal) -> tuple[ApiKey, ...]:
        return tuple(self.key_rows.values())

    async def create_key(
        self,
        who: Principal,
        name: str,
        scopes: frozenset[Permission],
        expires_at: datetime | None,
    ) -> v.NewKey:
        key_id = uuid5(SPACE, f"key {name}")
        row = ApiKey(key_id, who.org_id, name, "vy_8f31", scopes, START, expires_at=expires_at)
        self.key_rows[key_id] = row
        return v.NewKey(row, "vy_8f31_9c1b6f0d2a7e4b5c")

    async def revoke_key(self, who: Principal, key_id: UUID) -> None:
        self.key_rows[key_id] = replace(self.key_rows[key_id], revoked_at=START)

    async def audit(
        self, who: Principal, wanted: v.AuditFilter, paging: v.Paging
    ) -> v.Page[v.AuditRow]:
        text = wanted.text.casefold()
        return cut(map(_audit, range(90)), lambda r: text in r.action.casefold(), paging)


def _duty(index: int) -> v.DutyRow:
    late = index % 17 == 4
    departs_at = START + timedelta(minutes=300 + index * 2)
    return v.DutyRow(
        id=uuid5(SPACE, f"duty {index}"),
        site_id=SITE_ID,
        external_id=f"B-{1000 + index}",
        arrives_at=START - timedelta(minutes=200 - index),
        departs_at=departs_at,
        state="present" if index % 5 else "planned",
        vehicle_id=uuid5(SPACE, f"vehicle {index}"),
        vehicle=f"BUS-{200 + index}",
        target_soc_pct=95.0,
        priority=1 + index % 9,
        outlook=v.Outlook.AT_RISK if late else v.Outlook.ON_TIME,
        ready_at=None if late else departs_at - timedelta(minutes=25),
        shortfall_wh=31_000.0 if late else 0.0,
        source="csv",
    )


def _vehicle(index: int) -> v.VehicleRow:
    return v.VehicleRow(
        uuid5(SPACE, f"vehicle {index}"),
        f"BUS-{200 + index}",
        "articulated-18m" if index % 3 else "solo-12m",
        350_000.0,
        150_000.0,
        licence_plate=f"HH-VY {200 + index}",
        tokens=(f"04A1{index:04X}",),
        charge_curve=((0.0, 150_000.0), (80.0, 150_000.0), (100.0, 20_000.0)),
    )


def _token(index: int) -> v.TokenRow:
    return v.TokenRow(
        uuid5(SPACE, f"token {index}"),
        "rfid",
        f"04A1{index:04X}",
        uuid5(SPACE, f"vehicle {index}"),
        f"BUS-{200 + index}",
        blocked=index == 7,
        state=TokenState.BLOCKED if index == 7 else TokenState.VALID,
    )


def _session(index: int) -> v.SessionRow:
    active = index < 30
    started_at = START - timedelta(minutes=47 * index + 15)
    quarantined = index % 41 == 40
    return v.SessionRow(
        uuid5(SPACE, f"session {index}"),
        SessionState.QUARANTINED
        if quarantined
        else SessionState.ACTIVE
        if active
        else SessionState.ENDED,
        started_at,
        uuid5(SPACE, f"station {index % 40}"),
        f"CP-{index % 40 + 1:03d}",
        str(index % 2 + 1),
        f"{77_000 + index}",
        ended_at=None if active else started_at + timedelta(minutes=193),
        site="Depot Nord",
        vehicle=None if index % 29 == 3 else f"BUS-{200 + index % 80}",
        token=f"04A1{index % 80:04X}",
        energy_wh=41_300.0 + 1_730.0 * index,
        power_w=96_000.0 if active else None,
        soc_start_pct=31.0,
        soc_end_pct=88.0,
        stop_reason=None if active else "EVDisconnected",
        flags=("meter_gap", "late_start") if index % 13 == 5 else (),
    )


def _session_view(row: v.SessionRow) -> v.SessionView:
    first = int(row.started_at.timestamp())
    at_s = tuple(first + 60 * minute for minute in range(190))
    curve = v.MeterCurve(
        at_s,
        tuple(
            142_000.0 if minute < 120 else 142_000.0 - 1_700 * (minute - 120)
            for minute in range(190)
        ),
        tuple(150_000.0 if minute < 60 else 145_000.0 for minute in range(190)),
        tuple(31.0 + minute * 0.3 for minute in range(190)),
    )
    repairs = tuple(
        v.Repair(row.started_at, flag, "Three readings were missing; the register closed the gap.")
        for flag in row.flags
    )
    return v.SessionView(
        row,
        curve,
        repairs,
        1_204_300.0,
        1_204_300.0 + row.energy_wh,
        needs=NEEDS,
        missing_wh=46_200.0,
        exported_wh=8_400.0,
        discharge=DISCHARGE if row.ended_at is None else None,
        can_discharge=row.ended_at is None,
    )


NEEDS = VehicleNeeds(
    START,
    "DC_BPT",
    START + timedelta(hours=6),
    energy_wh=120_000.0,
    max_power_w=150_000.0,
    min_power_w=5_000.0,
    target_soc_pct=90.0,
    battery_wh=420_000.0,
    urgency=Urgency.DRIVER,
    discharge_max_w=60_000.0,
)
"""What a vehicle may have told of itself."""
DISCHARGE = v.DischargeView(40_000.0, START + timedelta(hours=2), 50.0, "A. Brandt", None, "floor")


ACTIONS = (
    ("in", "MeterValues", "88 211 Wh, 101.3 kW, 61 %"),
    ("out", "SetChargingProfile", "outlet 1: 96 kW"),
    ("in", "StatusNotification", "outlet 2: Charging"),
    ("in", "Heartbeat", ""),
)


def _frame(number: int) -> v.FrameRow:
    direction, action, summary = ACTIONS[number % 4]
    error = "GenericError" if number % 37 == 0 else None
    return v.FrameRow(
        str(number),
        START - timedelta(seconds=4 * (221 - number)),
        direction,
        "call",
        action,
        f"m-{number}",
        summary,
        error,
        12.0 + number % 9,
    )


def _alerts() -> list[v.AlertRow]:
    def make(index: int, severity: Severity, title: str, detail: str) -> v.AlertRow:
        return v.AlertRow(
            uuid5(SPACE, f"alert {index}"),
            "duty_will_miss",
            severity,
            title,
            START - timedelta(minutes=9 * index + 2),
            detail,
            site="Depot Nord",
            object_kind="duty",
            object_id=str(uuid5(SPACE, f"duty {index}")),
            object_name=f"BUS-{200 + index}",
            acknowledged_at=START if index == 2 else None,
            acknowledged_by="M. Petersen" if index == 2 else None,
            resolved_at=START if index > 4 else None,
        )

    return [
        make(0, Severity.CRITICAL, "BUS-204 will leave 31 kWh short", "Departs 05:48 from A-04."),
        make(1, Severity.WARNING, "CP-009 is offline", "37.5 kW are held back for it."),
        make(2, Severity.WARNING, "CP-005 ignores its limit", "Measured 148 kW at 120 kW."),
        make(3, Severity.INFO, "Unknown token 04A1FFFF", "Charged under the site's policy."),
        make(5, Severity.WARNING, "CP-021 faulted", "GroundFailure"),
    ]


def _users() -> list[v.UserRow]:
    people = (
        ("A. Brandt", Role.ADMIN),
        ("M. Petersen", Role.DISPATCHER),
        ("K. Yılmaz", Role.TECHNICIAN),
        ("Board room screen", Role.VIEWER),
    )
    return [
        v.UserRow(uuid5(SPACE, name), name, f"user{index}@depot.example", role, last_login_at=START)
        for index, (name, role) in enumerate(people)
    ]


def _keys() -> list[ApiKey]:
    scopes = frozenset({Permission.VIEW, Permission.DUTIES_WRITE})
    return [
        ApiKey(uuid5(SPACE, "key"), uuid5(SPACE, "org"), "Depot system", "vy_11aa", scopes, START)
    ]


def _audit(index: int) -> v.AuditRow:
    actions = ("duty.saved", "alert.acknowledged", "command.reset", "limit.changed")
    return v.AuditRow(
        START - timedelta(minutes=index * 11),
        "M. Petersen",
        actions[index % 4],
        "duty",
        f"B-{1000 + index}",
        "target 90 → 95 %",
        "10.8.0.4",
    )
