"""``charge_point_16`` that is looked after: trigger, reservation, local list, firmware, logs.

``python -m tests.interop.kept_point_16 URL IDENTITY PASSWORD TOKEN``: boots and waits; a line on
standard input lets it charge as ``charge_point_16`` does.
"""

import asyncio
import sys
from typing import Any

from ocpp.routing import on
from ocpp.v16 import call, call_result
from ocpp.v16.enums import Action, ChargePointStatus

from tests.interop.charge_point_16 import Point
from tests.interop.errands import Errands, update, upload
from tests.interop.program import connected, run, tell


class Kept(Point):
    """A connector that can be reserved, and a memory that can be written anew."""

    def __init__(self, identity: str, connection: Any) -> None:
        super().__init__(identity, connection)
        # It does not name its local list: voltyard would bring its own beside that of the test.
        self.configuration["SupportedFeatureProfiles"] += ",FirmwareManagement,Reservation"
        self.errands = Errands()

    @on(Action.trigger_message)
    def on_trigger(self, requested_message: str, connector_id: int | None = None) -> Any:
        work = {
            "BootNotification": self.boot,
            "Heartbeat": lambda: self._say(call.Heartbeat()),
            "StatusNotification": lambda: self.status(ChargePointStatus.available),
            "FirmwareStatusNotification": lambda: self._firmware("Idle"),
            "DiagnosticsStatusNotification": lambda: self._diagnostics("Idle"),
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

    async def _firmware(self, word: str) -> None:
        await self._say(call.FirmwareStatusNotification(status=word))

    async def _diagnostics(self, word: str) -> None:
        await self._say(call.DiagnosticsStatusNotification(status=word))

    @on(Action.reserve_now)
    def on_reserve(
        self,
        connector_id: int,
        expiry_date: str,
        id_tag: str,
        reservation_id: int,
        parent_id_tag: str | None = None,
    ) -> Any:
        self.errands.reservations.add(reservation_id)
        self.errands.run(self.status(ChargePointStatus.reserved))
        tell("reserved", id_tag=id_tag, until=expiry_date)
        return call_result.ReserveNow(status="Accepted")

    @on(Action.cancel_reservation)
    def on_cancel(self, reservation_id: int) -> Any:
        if reservation_id not in self.errands.reservations:
            return call_result.CancelReservation(status="Rejected")
        self.errands.reservations.discard(reservation_id)
        self.errands.run(self.status(ChargePointStatus.available))
        return call_result.CancelReservation(status="Accepted")

    @on(Action.send_local_list)
    def on_list(
        self, list_version: int, update_type: str, local_authorization_list: Any = None
    ) -> Any:
        rows = local_authorization_list or []
        entries = {row["id_tag"]: row.get("id_tag_info") for row in rows}
        self.errands.take_list(list_version, full=update_type == "Full", entries=entries)
        return call_result.SendLocalList(status="Accepted")

    @on(Action.get_local_list_version)
    def on_list_version(self) -> Any:
        return call_result.GetLocalListVersion(list_version=self.errands.list_version)

    @on(Action.update_firmware)
    def on_update(self, location: str, retrieve_date: str, **_: Any) -> Any:
        self.errands.run(update(location, self._firmware, self._restart))
        return call_result.UpdateFirmware()

    async def _restart(self, version: str) -> None:
        self.firmware = version
        await self.boot()

    @on(Action.get_diagnostics)
    def on_diagnostics(self, location: str, **_: Any) -> Any:
        self.errands.run(upload(location, "diagnostics.log", self._diagnostics))
        return call_result.GetDiagnostics(file_name="diagnostics.log")

    async def wait_and_charge(self, token: str) -> None:
        await self.stop.wait()
        self.stop.clear()
        await self.charge(token)


async def main(url: str, identity: str, password: str, token: str) -> None:
    async with connected(url, identity, password, "ocpp1.6") as connection:
        point = Kept(identity, connection)
        await run(point, point.stop, point.boot, lambda: point.wait_and_charge(token))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
