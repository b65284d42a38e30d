"""A charge point of OCPP 1.6 on the PyPI library ``ocpp``, as a program of its own.

``python -m tests.interop.charge_point_16 URL IDENTITY PASSWORD TOKEN``: boots, authorises, charges
under the limits it is sent until ``stop`` on standard input or RemoteStopTransaction, and tells
what it does on standard output, one JSON object a line. The library checks every message of the
server against the OCPP schemas and answers with an error where it does not fit.
"""

import asyncio
import sys
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action, ChargePointErrorCode, ChargePointStatus

from tests.interop.limits import Limits
from tests.interop.program import INTERVAL_S, Meter, connected, run, tell

CONFIGURATION = {
    "ChargeProfileMaxStackLevel": "8",
    "ChargingScheduleAllowedChargingRateUnit": "Current,Power",
    "ChargingScheduleMaxPeriods": "24",
    "HeartbeatInterval": "300",
    "MaxChargingProfilesInstalled": "16",
    "MeterValueSampleInterval": "60",
    "MeterValuesSampledData": "Energy.Active.Import.Register,Power.Active.Import",
    "NumberOfConnectors": "1",
    "SupportedFeatureProfiles": "Core,SmartCharging,RemoteTrigger",
}


class Point(ChargePoint):  # type: ignore[misc]  # the library is untyped
    """One connector, an endless battery."""

    def __init__(self, identity: str, connection: Any) -> None:
        super().__init__(identity, connection)
        self.configuration = dict(CONFIGURATION)
        self.limits = Limits()
        self.stop = asyncio.Event()
        self.firmware = "1.0.0"

    @on(Action.set_charging_profile)
    def on_limit(self, connector_id: int, cs_charging_profiles: dict[str, Any]) -> Any:
        self.limits.put(connector_id, cs_charging_profiles)
        tell("profile", purpose=cs_charging_profiles["charging_profile_purpose"])
        return call_result.SetChargingProfile(status="Accepted")

    @on(Action.clear_charging_profile)
    def on_clear(
        self,
        id: int | None = None,
        connector_id: int | None = None,
        charging_profile_purpose: str | None = None,
        stack_level: int | None = None,
    ) -> Any:
        gone = self.limits.clear(id, charging_profile_purpose, stack_level)
        return call_result.ClearChargingProfile(status="Accepted" if gone else "Unknown")

    @on(Action.get_composite_schedule)
    def on_schedule(self, connector_id: int, duration: int, **_: Any) -> Any:
        return call_result.GetCompositeSchedule(status="Rejected")

    @on(Action.get_configuration)
    def on_read(self, key: list[str] | None = None) -> Any:
        asked = key or list(self.configuration)
        known = [name for name in asked if name in self.configuration]
        return call_result.GetConfiguration(
            configuration_key=[
                {"key": name, "readonly": False, "value": self.configuration[name]}
                for name in known
            ],
            unknown_key=[name for name in asked if name not in self.configuration],
        )

    @on(Action.change_configuration)
    def on_write(self, key: str, value: str) -> Any:
        if key not in self.configuration:
            return call_result.ChangeConfiguration(status="NotSupported")
        self.configuration[key] = value
        return call_result.ChangeConfiguration(status="Accepted")

    @on(Action.remote_stop_transaction)
    def on_stop(self, transaction_id: int) -> Any:
        self.stop.set()
        return call_result.RemoteStopTransaction(status="Accepted")

    @on(Action.trigger_message)
    def on_trigger(self, requested_message: str, connector_id: int | None = None) -> Any:
        return call_result.TriggerMessage(status="NotImplemented")

    async def status(self, word: ChargePointStatus) -> None:
        await self.call(
            call.StatusNotification(
                connector_id=1, error_code=ChargePointErrorCode.no_error, status=word
            )
        )

    async def boot(self) -> None:
        request = call.BootNotification(
            charge_point_model="Library",
            charge_point_vendor="PyPI",
            firmware_version=self.firmware,
        )
        answer = await self.call(request)
        while answer.status != "Accepted":
            await asyncio.sleep(INTERVAL_S)
            answer = await self.call(request)
        tell("booted", interval_s=answer.interval)
        await self.status(ChargePointStatus.available)

    async def charge(self, token: str) -> None:
        """From the card to the unplugged cable."""
        allowed = await self.call(call.Authorize(id_tag=token))
        tell("authorised", status=allowed.id_tag_info["status"])
        await self.status(ChargePointStatus.preparing)
        meter = Meter(self.limits)
        started = await self.call(
            call.StartTransaction(
                connector_id=1, id_tag=token, meter_start=0, timestamp=meter.now_text()
            )
        )
        tell("started", transaction=started.transaction_id)
        await self.status(ChargePointStatus.charging)
        while not self.stop.is_set():
            power_w = meter.step()
            await self.call(
                call.MeterValues(
                    connector_id=1,
                    transaction_id=started.transaction_id,
                    meter_value=[{"timestamp": meter.now_text(), "sampledValue": _sample(meter)}],
                )
            )
            tell("power", power_w=power_w, energy_wh=meter.energy_wh)
            await meter.wait(self.stop)
        await self.call(
            call.StopTransaction(
                meter_stop=int(meter.energy_wh),
                timestamp=meter.now_text(),
                transaction_id=started.transaction_id,
            )
        )
        await self.status(ChargePointStatus.available)
        tell("stopped", energy_wh=meter.energy_wh)


def _sample(meter: Meter) -> list[dict[str, str]]:
    return [
        {
            "value": f"{meter.energy_wh:.0f}",
            "measurand": "Energy.Active.Import.Register",
            "unit": "Wh",
        },
        {"value": f"{meter.power_w:.1f}", "measurand": "Power.Active.Import", "unit": "W"},
    ]


async def main(url: str, identity: str, password: str, token: str) -> None:
    async with connected(url, identity, password, "ocpp1.6") as connection:
        point = Point(identity, connection)
        await run(point, point.stop, point.boot, lambda: point.charge(token))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
