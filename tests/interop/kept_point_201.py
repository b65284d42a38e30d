"""``charge_point_201`` that is looked after: trigger, reservation, local list, firmware, logs.

The same tale as ``kept_point_16``: ``python -m tests.interop.kept_point_201 URL IDENTITY PASSWORD
TOKEN``.
"""

import asyncio
import sys
from typing import Any

from ocpp.routing import on
from ocpp.v201 import call, call_result
from ocpp.v201.enums import Action, ConnectorStatusEnumType

from tests.interop.charge_point_201 import Station
from tests.interop.errands import Errands, update, upload
from tests.interop.program import Meter, connected, run, tell


class Kept(Station):
    """An EVSE that can be reserved, and a memory that can be written anew."""

    def __init__(self, identity: str, connection: Any) -> None:
        super().__init__(identity, connection)
        self.errands = Errands()

    @on(Action.trigger_message)
    def on_trigger(self, requested_message: str, evse: Any = None) -> Any:
        work = {
            "BootNotification": self.boot,
            "Heartbeat": lambda: self._say(call.Heartbeat()),
            "StatusNotification": lambda: self._stands(ConnectorStatusEnumType.available),
            "FirmwareStatusNotification": lambda: self._say(
                call.FirmwareStatusNotification(status="Idle")
            ),
            "LogStatusNotification": lambda: self._say(call.LogStatusNotification(status="Idle")),
        }.get(requested_message)
        if work is None:
            return call_result.TriggerMessage(status="NotImplemented")
        self.errands.run(self._triggered(requested_message, work()))
        return call_result.TriggerMessage(status="Accepted")

    async def _triggered(self, message: str, work: Any) -> None:
        await work
        tell("triggered", message=message)

    async def _say(self, request: Any) -> None:
        await self.call(request)

    async def _stands(self, word: ConnectorStatusEnumType) -> None:
        await self.status(word, Meter(self.limits))

    @on(Action.reserve_now)
    def on_reserve(self, id: int, expiry_date_time: str, id_token: dict[str, Any], **_: Any) -> Any:
        self.errands.reservations.add(id)
        self.errands.run(self._stands(ConnectorStatusEnumType.reserved))
        tell("reserved", id_tag=id_token["id_token"], until=expiry_date_time)
        return call_result.ReserveNow(status="Accepted")

    @on(Action.cancel_reservation)
    def on_cancel(self, reservation_id: int) -> Any:
        if reservation_id not in self.errands.reservations:
            return call_result.CancelReservation(status="Rejected")
        self.errands.reservations.discard(reservation_id)
        self.errands.run(self._stands(ConnectorStatusEnumType.available))
        return call_result.CancelReservation(status="Accepted")

    @on(Action.send_local_list)
    def on_list(
        self, version_number: int, update_type: str, local_authorization_list: Any = None
    ) -> Any:
        rows = local_authorization_list or []
        entries = {row["id_token"]["id_token"]: row.get("id_token_info") for row in rows}
        self.errands.take_list(version_number, full=update_type == "Full", entries=entries)
        return call_result.SendLocalList(status="Accepted")

    @on(Action.get_local_list_version)
    def on_list_version(self) -> Any:
        return call_result.GetLocalListVersion(version_number=self.errands.list_version)

    @on(Action.update_firmware)
    def on_update(self, request_id: int, firmware: dict[str, Any], **_: Any) -> Any:
        async def report(word: str) -> None:
            await self._say(call.FirmwareStatusNotification(status=word, request_id=request_id))

        self.errands.run(update(firmware["location"], report, self._restart))
        return call_result.UpdateFirmware(status="Accepted")

    async def _restart(self, version: str) -> None:
        self.firmware = version
        await self.boot()

    @on(Action.get_log)
    def on_log(self, log: dict[str, Any], log_type: str, request_id: int, **_: Any) -> Any:
        async def report(word: str) -> None:
            await self._say(call.LogStatusNotification(status=word, request_id=request_id))

        self.errands.run(upload(log["remote_location"], "station.log", report))
        return call_result.GetLog(status="Accepted", filename="station.log")

    async def wait_and_charge(self, token: str) -> None:
        await self.stop.wait()
        self.stop.clear()
        await self.charge(token)


async def main(
    url: str,
    identity: str,
    password: str,
    token: str,
    kind: type[Kept] = Kept,
    subprotocol: str = "ocpp2.0.1",
) -> None:
    async with connected(url, identity, password, subprotocol) as connection:
        station = kind(identity, connection)
        await run(station, station.stop, station.boot, lambda: station.wait_and_charge(token))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
