"""A charge point on the PyPI library ``ocpp`` that does what it is told, a line at a time.

``python -m tests.interop.handled_point VERSION URL IDENTITY PASSWORD [keeps]``, VERSION ``16`` or
``201``: on standard input ``card TOKEN`` shows a card and charges nothing, ``charge TOKEN``
charges until it is stopped. With ``keeps`` it knows ReserveNow; without, the library answers that
nobody implemented it.
"""

import asyncio
import sys
from typing import Any

from ocpp.routing import on
from ocpp.v16 import call as call_16
from ocpp.v16 import call_result as result_16
from ocpp.v16.enums import Action as Action16
from ocpp.v201 import call as call_201
from ocpp.v201 import call_result as result_201
from ocpp.v201.datatypes import IdTokenType
from ocpp.v201.enums import Action as Action201

from tests.interop import charge_point_16, charge_point_201
from tests.interop.program import connected, tell


class Point(charge_point_16.Point):
    async def show(self, token: str) -> None:
        allowed = await self.call(call_16.Authorize(id_tag=token))
        tell("card", token=token, status=allowed.id_tag_info["status"])


class KeepingPoint(Point):
    @on(Action16.reserve_now)
    def on_reserve(
        self,
        connector_id: int,
        expiry_date: str,
        id_tag: str,
        reservation_id: int,
        parent_id_tag: str | None = None,
    ) -> Any:
        tell("reserved", evse=connector_id, token=id_tag)
        return result_16.ReserveNow(status="Accepted")

    @on(Action16.cancel_reservation)
    def on_release(self, reservation_id: int) -> Any:
        tell("released")
        return result_16.CancelReservation(status="Accepted")


class Station(charge_point_201.Station):
    async def show(self, token: str) -> None:
        card = IdTokenType(id_token=token, type="ISO14443")
        allowed = await self.call(call_201.Authorize(id_token=card))
        tell("card", token=token, status=allowed.id_token_info["status"])


class KeepingStation(Station):
    @on(Action201.reserve_now)
    def on_reserve(
        self, id: int, expiry_date_time: str, id_token: dict[str, Any], **place: Any
    ) -> Any:
        tell("reserved", evse=place.get("evse_id"), token=id_token["id_token"])
        return result_201.ReserveNow(status="Accepted")

    @on(Action201.cancel_reservation)
    def on_release(self, reservation_id: int) -> Any:
        tell("released")
        return result_201.CancelReservation(status="Accepted")


KINDS: dict[tuple[str, bool], tuple[type[Point] | type[Station], str]] = {
    ("16", False): (Point, "ocpp1.6"),
    ("16", True): (KeepingPoint, "ocpp1.6"),
    ("201", False): (Station, "ocpp2.0.1"),
    ("201", True): (KeepingStation, "ocpp2.0.1"),
}


async def main(version: str, url: str, identity: str, password: str, *more: str) -> None:
    kind, subprotocol = KINDS[version, "keeps" in more]
    lines: asyncio.Queue[str] = asyncio.Queue()
    async with connected(url, identity, password, subprotocol) as connection:
        point = kind(identity, connection)
        listening = asyncio.create_task(point.start())
        loop = asyncio.get_running_loop()
        loop.add_reader(sys.stdin, lambda: lines.put_nowait(sys.stdin.readline()))
        await point.boot()
        while line := (await lines.get()).strip():
            what, _, token = line.partition(" ")
            await (point.show(token) if what == "card" else point.charge(token))
        listening.cancel()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
