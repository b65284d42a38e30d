"""What every foreign charge point must live through: boot, card, charge, our limit, our stop."""

import pytest

from tests.interop.house import House
from tests.interop.process import Program
from voltyard.chargers.commands import CommandStatus, LimitPurpose, RemoteStop, SetLimit
from voltyard.chargers.model import Station
from voltyard.sessions.events import MeterReported, SessionEnded, SessionStarted
from voltyard.sessions.model import SessionState

FULL_W = 22_000.0
LIMIT_W = 7_000.0


def limit(purpose: LimitPurpose, reference: str | None) -> SetLimit:
    return SetLimit(purpose, 1, 77, 3, limit_w=LIMIT_W, valid_s=600, transaction_ref=reference)


async def charges_under_our_limit(here: House, point: Program, station: Station) -> None:
    """Boot, card, charging at full power, our limit, power dropped, remote stop."""
    await point.until("authorised", status="Accepted")
    started = await here.until(lambda event: isinstance(event, SessionStarted))
    assert started.vehicle_id == here.vehicle.id
    await here.until(lambda event: isinstance(event, MeterReported) and event.power_w == FULL_W)

    session = await here.session(started)
    reference = session.transaction_ref
    result = await here.command(station, limit(LimitPurpose.TX, reference))
    assert result.status is CommandStatus.ACCEPTED
    await point.until("power", power_w=LIMIT_W)
    await here.until(lambda event: isinstance(event, MeterReported) and event.power_w == LIMIT_W)

    assert (await here.command(station, RemoteStop(reference))).accepted
    told = await point.until("stopped")
    ended = await here.until(lambda event: isinstance(event, SessionEnded))
    session = await here.session(ended)
    assert session.state is SessionState.ENDED
    assert session.energy_wh == pytest.approx(told["energy_wh"], abs=1.0)
    assert len(here.seen(SessionStarted)) == len(here.seen(SessionEnded)) == 1
