"""A charging station of OCPP 2.0.1 on the PyPI library ``ocpp``, as a program of its own.

The same tale as ``charge_point_16``: ``python -m tests.interop.charge_point_201 URL IDENTITY
PASSWORD TOKEN``.
"""

import asyncio
import sys
from typing import Any

from ocpp.routing import on
from ocpp.v201 import ChargePoint, call, call_result
from ocpp.v201.datatypes import ChargingStationType, EVSEType, IdTokenType, TransactionType
from ocpp.v201.enums import (
    Action,
    BootReasonEnumType,
    ChargingStateEnumType,
    ConnectorStatusEnumType,
    TransactionEventEnumType,
    TriggerReasonEnumType,
)

from tests.interop.limits import Limits
from tests.interop.program import INTERVAL_S, Meter, connected, run, tell

TRANSACTION = "interop-1"


class Station(ChargePoint):  # type: ignore[misc]  # the library is untyped
    """One EVSE with one connector, an endless battery."""

    def __init__(self, identity: str, connection: Any) -> None:
        super().__init__(identity, connection)
        self.limits = Limits()
        self.stop = asyncio.Event()
        self.firmware = "1.0.0"
        self.sequence = -1

    @on(Action.set_charging_profile)
    def on_limit(self, evse_id: int, charging_profile: dict[str, Any]) -> Any:
        self.limits.put(evse_id, charging_profile)
        tell("profile", purpose=charging_profile["charging_profile_purpose"])
        return call_result.SetChargingProfile(status="Accepted")

    @on(Action.clear_charging_profile)
    def on_clear(
        self,
        charging_profile_id: int | None = None,
        charging_profile_criteria: dict[str, Any] | None = None,
    ) -> Any:
        wanted = charging_profile_criteria or {}
        gone = self.limits.clear(
            charging_profile_id,
            wanted.get("charging_profile_purpose"),
            wanted.get("stack_level"),
        )
        return call_result.ClearChargingProfile(status="Accepted" if gone else "Unknown")

    @on(Action.get_variables)
    def on_read(self, get_variable_data: list[dict[str, Any]]) -> Any:
        return call_result.GetVariables(
            get_variable_result=[
                {
                    "attribute_status": "UnknownVariable",
                    "component": item["component"],
                    "variable": item["variable"],
                }
                for item in get_variable_data
            ]
        )

    @on(Action.set_variables)
    def on_write(self, set_variable_data: list[dict[str, Any]]) -> Any:
        return call_result.SetVariables(
            set_variable_result=[
                {
                    "attribute_status": "Accepted",
                    "component": item["component"],
                    "variable": item["variable"],
                }
                for item in set_variable_data
            ]
        )

    @on(Action.get_base_report)
    def on_report(self, request_id: int, report_base: str) -> Any:
        return call_result.GetBaseReport(status="NotSupported")

    @on(Action.request_stop_transaction)
    def on_stop(self, transaction_id: str) -> Any:
        self.stop.set()
        return call_result.RequestStopTransaction(status="Accepted")

    @on(Action.trigger_message)
    def on_trigger(self, requested_message: str, evse: Any = None) -> Any:
        return call_result.TriggerMessage(status="NotImplemented")

    async def status(self, word: ConnectorStatusEnumType, meter: Meter) -> None:
        await self.call(
            call.StatusNotification(
                timestamp=meter.now_text(), connector_status=word, evse_id=1, connector_id=1
            )
        )

    async def boot(self) -> None:
        request = call.BootNotification(
            charging_station=ChargingStationType(
                model="Library", vendor_name="PyPI", firmware_version=self.firmware
            ),
            reason=BootReasonEnumType.power_up,
        )
        answer = await self.call(request)
        while answer.status != "Accepted":
            await asyncio.sleep(INTERVAL_S)
            answer = await self.call(request)
        tell("booted", interval_s=answer.interval)
        await self.status(ConnectorStatusEnumType.available, Meter(self.limits))

    async def charge(self, token: str) -> None:
        """From the card to the unplugged cable."""
        card = IdTokenType(id_token=token, type="ISO14443")
        allowed = await self.call(call.Authorize(id_token=card))
        tell("authorised", status=allowed.id_token_info["status"])
        meter = Meter(self.limits)
        await self.status(ConnectorStatusEnumType.occupied, meter)
        event, why = TransactionEventEnumType, TriggerReasonEnumType
        charging = ChargingStateEnumType.charging
        await self.event(event.started, why.authorized, charging, meter, id_token=card)
        tell("started", transaction=TRANSACTION)
        while not self.stop.is_set():
            power_w = meter.step()
            await self.event(event.updated, why.meter_value_periodic, charging, meter)
            tell("power", power_w=power_w, energy_wh=meter.energy_wh)
            await meter.wait(self.stop)
        await self.event(event.ended, why.stop_authorized, ChargingStateEnumType.idle, meter)
        await self.status(ConnectorStatusEnumType.available, meter)
        tell("stopped", energy_wh=meter.energy_wh)

    async def event(
        self,
        kind: TransactionEventEnumType,
        why: TriggerReasonEnumType,
        state: ChargingStateEnumType,
        meter: Meter,
        **more: Any,
    ) -> None:
        self.sequence += 1
        await self.call(
            call.TransactionEvent(
                event_type=kind,
                timestamp=meter.now_text(),
                trigger_reason=why,
                seq_no=self.sequence,
                transaction_info=TransactionType(transaction_id=TRANSACTION, charging_state=state),
                evse=EVSEType(id=1, connector_id=1),
                meter_value=[{"timestamp": meter.now_text(), "sampledValue": _sample(meter)}],
                **more,
            )
        )


def _sample(meter: Meter) -> list[dict[str, Any]]:
    return [
        {
            "value": meter.energy_wh,
            "measurand": "Energy.Active.Import.Register",
            "unitOfMeasure": {"unit": "Wh"},
        },
        {
            "value": meter.power_w,
            "measurand": "Power.Active.Import",
            "unitOfMeasure": {"unit": "W"},
        },
    ]


async def main(
    url: str,
    identity: str,
    password: str,
    token: str,
    kind: type[Station] = Station,
    subprotocol: str = "ocpp2.0.1",
) -> None:
    async with connected(url, identity, password, subprotocol) as connection:
        station = kind(identity, connection)
        await run(station, station.stop, station.boot, lambda: station.charge(token))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
