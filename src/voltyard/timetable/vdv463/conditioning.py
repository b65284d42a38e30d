"""The preconditioning room as presystems use it: their wishes, and what vehicles told."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from voltyard.clock import Clock
from voltyard.preconditioning.commands import Request
from voltyard.preconditioning.model import POWER_MAX_W, Kind, Reported
from voltyard.preconditioning.service import PreconditioningService
from voltyard.timetable.vdv463.model import Preconditioning
from voltyard.timetable.vdv463.picture import VehicleReport

TOLD_FOR = timedelta(minutes=15)
"""So long what a vehicle told counts."""
_STATUSES = {
    "ready": "ReadyToCharge",
    "charging": "Charging",
    "impossible": "ChargingImpossible",
    "charging_and_preconditioning": "ChargingAndPreconditioning",
    "preconditioning": "Preconditioning",
    "unknown": "Unknown",
}


class Conditioning:
    """``ports.Preconditioner`` over the room."""

    def __init__(self, room: PreconditioningService, clock: Clock) -> None:
        self._room = room
        self._clock = clock

    async def wished(
        self,
        org_id: UUID,
        duty_id: UUID,
        vehicle_id: UUID | None,
        wishes: Sequence[Preconditioning],
        asked_by: str,
    ) -> None:
        await self._room.withdraw(org_id, duty_id=duty_id)
        for wish in wishes:
            await self._room.request(org_id, _request(duty_id, wish), asked_by=asked_by)

    def report(self, org_id: UUID, vehicle_id: UUID) -> VehicleReport | None:
        told = self._room.told_by(vehicle_id)
        if told is None or told.org_id != org_id:
            return None
        known = _identity(told)
        return known if self._clock.now() - told.at > TOLD_FOR else _report(told, known)


def _request(duty_id: UUID, wish: Preconditioning) -> Request:
    """Without what makes no sense: as usual then, or until the departure."""
    backwards = wish.start_at and wish.end_at and wish.end_at <= wish.start_at
    power_w = wish.power_w if wish.power_w and wish.power_w <= POWER_MAX_W else None
    ambient_c = wish.ambient_c
    if ambient_c is not None and not -60.0 <= ambient_c <= 70.0:
        ambient_c = None
    return Request(
        kind=Kind(wish.kind.value),
        duty_id=duty_id,
        start_at=wish.start_at,
        end_at=None if backwards else wish.end_at,
        power_w=power_w,
        ambient_c=ambient_c,
        target_soc_pct=wish.target_soc_pct,
    )


def _identity(told: Reported) -> VehicleReport:
    mileage_km = None if told.odometer_km is None else round(told.odometer_km)
    return VehicleReport(mileage_km=mileage_km, evcc_id=told.evccid or None)


def _report(told: Reported, known: VehicleReport) -> VehicleReport:
    return replace(
        known,
        status=_STATUSES.get(told.charging),
        battery_minutes=_minutes(told.battery_s),
        battery_wh=_whole(told.battery_wh),
        vehicle_minutes=_minutes(told.climate_s),
        vehicle_wh=_whole(told.climate_wh),
        battery_status=_condition(told.battery_ok),
        h2_status=_condition(told.hydrogen_ok),
        conditioning="preconditioning" in told.charging,
    )


def _minutes(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds / 60.0)


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _condition(ok: bool | None) -> str | None:
    return None if ok is None else "OK" if ok else "NOK"
