"""OCPP 2.1 K28: a charger asks itself for the update of a limit."""

from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v21.dynamic_charging import (
    ChargingScheduleUpdate,
    PullDynamicScheduleUpdate,
    PullDynamicScheduleUpdateResponse,
)
from voltyard.ocpp.v21.types import StatusInfo
from voltyard.ocpp.v21.values import value


async def dynamic_schedule(
    exchange: Exchange, request: PullDynamicScheduleUpdate
) -> PullDynamicScheduleUpdateResponse:
    """K28.FR.07, FR.12: the limit of now, of a profile of ours that is updated."""
    found = await exchange.chargers.update_pulled(exchange.station, request.charging_profile_id)
    if found is None:
        info = StatusInfo(reason_code="InvalidProfile")
        return PullDynamicScheduleUpdateResponse(status="Rejected", status_info=info)
    _, fields = value(found.limit_w, found.limit_a, found.mode)
    update = ChargingScheduleUpdate(**fields)
    return PullDynamicScheduleUpdateResponse(status="Accepted", schedule_update=update)
