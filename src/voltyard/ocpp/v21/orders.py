"""What the domain asks of a charger, as OCPP 2.1 calls.

2.1 says what 2.0.1 says in the same words, so a command is expressed as in 2.0.1 and read into the
structs of 2.1; what only 2.1 can say, or says otherwise, is registered here.
"""

import math
from dataclasses import replace
from datetime import datetime
from functools import singledispatch
from typing import Any

import msgspec

from voltyard.chargers.commands import (
    AllowTransfer,
    Ask,
    Command,
    CommandResult,
    CommandStatus,
    GiveCertificate,
    ReadAbilities,
    ReadCompositeSchedule,
    RemoteStart,
    ReportDischarge,
    SchedulePeriod,
    SetLimit,
    SetNetworkProfile,
    UpdateLimit,
)
from voltyard.errors import Invalid
from voltyard.ocpp.anything import said
from voltyard.ocpp.registry import outgoing
from voltyard.ocpp.routing import Expressed, Outgoing, single
from voltyard.ocpp.v21 import ability_orders, limit_orders, provisioning, remote_control
from voltyard.ocpp.v21.messages import MESSAGES
from voltyard.ocpp.v21.smart_charging import GetCompositeSchedule, GetCompositeScheduleResponse
from voltyard.ocpp.v201 import orders as orders_201
from voltyard.ocpp.v201.orders import WORDS, reason
from voltyard.sessions.model import TokenKind


def express(command: Command, now: datetime) -> Expressed:
    """Raises Invalid for what 2.1 cannot say."""
    return _express(command, now)


@singledispatch
def _express(command: Any, now: datetime) -> Expressed:
    calls, combine = orders_201.express(command, now)
    return [_as_21(call) for call in calls], combine


def _as_21(call: Outgoing) -> Outgoing:
    kind = MESSAGES[call.action].request
    try:
        request = msgspec.convert(msgspec.to_builtins(call.request), kind)
    except msgspec.ValidationError as error:
        raise Invalid(f"OCPP 2.1 cannot say this in {call.action}", detail=str(error)) from None
    again = outgoing(MESSAGES, request, call.answer)
    return replace(call, request=request, reader=again.reader)


@_express.register
def _anything(command: Ask, now: datetime) -> Expressed:
    return said(MESSAGES, command, WORDS)


@_express.register
def _remote_start(command: RemoteStart, now: datetime) -> Expressed:
    """What was paid for before is a token of a kind of its own (C24.FR.01)."""
    (call,), combine = orders_201.express(command, now)
    given = _as_21(call)
    if command.token.kind is TokenKind.DIRECT_PAYMENT:
        assert isinstance(given.request, remote_control.RequestStartTransaction)
        given.request.id_token.type = "DirectPayment"
    return (given,), combine


@_express.register
def _give_certificate(command: GiveCertificate, now: datetime) -> Expressed:
    (call,), combine = orders_201.express(command, now)
    given = _as_21(call)
    request = msgspec.structs.replace(given.request, request_id=command.request_id)
    return (replace(given, request=request),), combine


@_express.register
def _network(command: SetNetworkProfile, now: datetime) -> Expressed:
    """The version is not a profile's any more: it is agreed on at each connection."""
    (call,), combine = orders_201.express(command, now)
    given = _as_21(call)
    request = given.request
    assert isinstance(request, provisioning.SetNetworkProfile)
    connection = msgspec.structs.replace(request.connection_data, ocpp_version=None)
    request = msgspec.structs.replace(request, connection_data=connection)
    return (replace(given, request=request),), combine


@_express.register
def _limit_of_ours(command: SetLimit, now: datetime) -> Expressed:
    if limit_orders.special(command):
        return limit_orders.set_limit(command, now)
    calls, combine = orders_201.express(command, now)
    return [_as_21(call) for call in calls], combine


@_express.register
def _update(command: UpdateLimit, now: datetime) -> Expressed:
    return limit_orders.update_limit(command, now)


@_express.register
def _allow(command: AllowTransfer, now: datetime) -> Expressed:
    return limit_orders.allow_transfer(command, now)


@_express.register
def _abilities(command: ReadAbilities, now: datetime) -> Expressed:
    return ability_orders.answered(command, express(ability_orders.questions(command), now))


@_express.register
def _report_discharge(command: ReportDischarge, now: datetime) -> Expressed:
    return express(ability_orders.report_discharge(command), now)


@_express.register
def _composite(command: ReadCompositeSchedule, now: datetime) -> Expressed:
    request = GetCompositeSchedule(
        duration=command.duration_s,
        evse_id=command.evse_number,
        charging_rate_unit=command.unit,
    )
    return single(outgoing(MESSAGES, request, _schedule))


def _schedule(response: GetCompositeScheduleResponse) -> CommandResult:
    """A period of 2.1 may give a setpoint instead of a limit, or none at all."""
    status = WORDS.get(response.status, CommandStatus.UNKNOWN)
    schedule = response.schedule
    if schedule is None:
        return CommandResult(status, response.status, reason(response.status_info))
    periods = tuple(
        SchedulePeriod(period.start_period, _limit(period.limit, period.setpoint), phases)
        for period in schedule.charging_schedule_period
        for phases in (period.number_phases,)
    )
    detail = {
        "unit": schedule.charging_rate_unit,
        "periods": periods,
        "start_at": schedule.schedule_start,
        "duration_s": schedule.duration,
    }
    return CommandResult(status, response.status, detail)


def _limit(limit: float | None, setpoint: float | None) -> float:
    known = [value for value in (limit, setpoint) if value is not None]
    return min(known, default=math.inf)
