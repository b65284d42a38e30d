"""What the tests of the console over the services share."""

import re
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import httpx

from voltyard.app import DEMO_EMAIL, Core
from voltyard.serving.http import ConsoleEnergy
from voltyard.sessions.model import IdToken, MeterReading, Phase, TransactionReport
from voltyard.simulator.depot import DepotSpec
from voltyard.tenancy.model import Principal
from voltyard.web.console.source import ServiceData, Services

SEED = 3
PASSWORD = "eight buses at dusk"
SOME_TIME = timedelta(hours=1)


@dataclass
class World:
    core: Core
    client: httpx.AsyncClient
    who: Principal
    site_id: UUID
    depot: DepotSpec

    async def page(self, path: str, status: int = 200) -> str:
        answer = await self.client.get(path)
        assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text[-900:]}"
        return answer.text

    async def post(self, path: str, page: str = "/duties/new", **values: str) -> httpx.Response:
        """Submit a form with the token of a page."""
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', await self.page(page))
        assert found
        return await self.client.post(path, data={"csrf": found[1], **values})


def data_of(core: Core) -> ServiceData:
    services = Services(
        clock=core.clock,
        tenancy=core.tenancy,
        sites=core.sites,
        chargers=core.chargers,
        sessions=core.sessions,
        live=core.sessions.live,
        fleets=core.fleets,
        timetable=core.timetable,
        energy=ConsoleEnergy(core.energy),
        alerts=core.alerts,
    )
    return ServiceData(services)


async def log_in(world: World) -> None:
    values = {"email": DEMO_EMAIL, "password": PASSWORD}
    answer = await world.post("/login", "/login", **values)
    assert answer.status_code == 303, answer.text[-500:]


async def report_a_charge(core: Core, org_id: UUID) -> None:
    """The first station's first outlet charges for a while, then another ends."""
    view = core.chargers.list_stations(org_id)[0]
    station, now = view.station.ref, core.clock.now()
    for number, key in ((1, "a"), (2, "b")):
        ack = await core.sessions.report(
            station,
            TransactionReport(
                Phase.STARTED,
                now - timedelta(minutes=30),
                f"{key}-start",
                evse_number=number,
                connector_number=1,
                id_token=IdToken(f"04A1{number}"),
                readings=(MeterReading(now - timedelta(minutes=30), 1_000.0),),
            ),
        )
        reading = MeterReading(now - timedelta(minutes=9), 31_000.0, 90_000.0, 48.0)
        await core.sessions.meter(station, number, ack.transaction_ref, (reading,))
    await core.sessions.report(
        station,
        TransactionReport(
            Phase.ENDED,
            now - timedelta(minutes=5),
            "b-end",
            evse_number=2,
            transaction_ref=ack.transaction_ref,
            stop_reason="Local",
            readings=(MeterReading(now - timedelta(minutes=5), 36_000.0),),
        ),
    )
