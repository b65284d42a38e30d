"""Who may charge, against real sessions."""

from datetime import timedelta
from uuid import uuid4

import pytest
from session_yard import START_AT, Yard

from voltyard.chargers.model import EvseStatus
from voltyard.errors import Forbidden, Invalid, NotFound
from voltyard.fleets.model import Vehicle
from voltyard.sessions.events import SessionUpdated, UnknownTokenUsed
from voltyard.sessions.model import AuthorisationStatus, IdToken, TokenKind
from voltyard.tenancy.model import Role

A = AuthorisationStatus


async def asked(yard: Yard, value: str, outlet: int | None = None) -> AuthorisationStatus:
    found = await yard.sessions.authorise(yard.station.ref, outlet, IdToken(value))
    return found.status


async def test_known_tokens_by_their_own_standing(yard: Yard) -> None:
    hour = timedelta(hours=1)
    yard.tokens.add(yard.org_id, "GOOD", valid_from=START_AT - hour, valid_until=START_AT + hour)
    yard.tokens.add(yard.org_id, "BLOCKED", blocked=True)
    yard.tokens.add(yard.org_id, "OLD", valid_until=START_AT)
    yard.tokens.add(yard.org_id, "EARLY", valid_from=START_AT + hour)
    assert await asked(yard, "GOOD") is A.ACCEPTED
    assert await asked(yard, " good ") is A.ACCEPTED
    assert await asked(yard, "BLOCKED") is A.BLOCKED
    assert await asked(yard, "OLD") is A.EXPIRED
    assert await asked(yard, "EARLY") is A.NOT_NOW
    assert yard.seen(UnknownTokenUsed) == []


@pytest.mark.parametrize(("policy", "status"), [("accept", A.ACCEPTED), ("reject", A.UNKNOWN)])
async def test_unknown_tokens_by_the_sites_policy(
    yard: Yard, policy: str, status: AuthorisationStatus
) -> None:
    yard.policies.unknown_token = policy
    assert await asked(yard, "WHO") is status
    event = yard.seen(UnknownTokenUsed)[0]
    assert (event.token, event.accepted) == ("WHO", policy == "accept")
    ack = await yard.start(token="WHO")
    assert ack.authorisation is not None
    assert ack.authorisation.status is status
    assert (await yard.only()).authorisation == status.value
    day = START_AT + timedelta(days=1)
    assert ack.authorisation.until_at == (day if status is A.ACCEPTED else None)


async def test_a_mac_is_known_however_it_is_written(yard: Yard) -> None:
    bus = yard.tokens.add(yard.org_id, "001A2B3C4D5E")
    for value in ("VID:001A2B3C4D5E", "001a2b3c4d5e", "00:1A:2B:3C:4D:5E", "VID001A2B3C4D5E"):
        found = await yard.sessions.authorise(yard.station.ref, 1, IdToken(value, TokenKind.VID))
        assert found.vehicle_id == bus.id, value


async def test_tokens_of_every_length_are_kept(yard: Yard) -> None:
    value = "T" * 255
    await yard.start(token=value + "more")
    assert (await yard.only()).id_token == value


async def test_a_token_charges_in_one_place_at_a_time(yard: Yard) -> None:
    yard.tokens.add(yard.org_id, "BUS1")
    await yard.start(outlet=1)
    assert await asked(yard, "bus1", outlet=2) is A.CONCURRENT
    assert await asked(yard, "BUS1", outlet=1) is A.ACCEPTED
    assert await asked(yard, "BUS1") is A.ACCEPTED, "shown to stop what it started"
    other = await yard.connect("CP2")
    found = await yard.sessions.authorise(other.ref, None, IdToken("BUS1"))
    assert found.status is A.CONCURRENT


async def test_a_stale_session_keeps_no_vehicle_from_charging(yard: Yard) -> None:
    yard.tokens.add(yard.org_id, "BUS1")
    await yard.start(outlet=1)
    yard.clock.reach(yard.at(20))
    assert await asked(yard, "BUS1", outlet=2) is A.ACCEPTED


async def test_a_repeated_start_gets_the_same_answer(yard: Yard) -> None:
    yard.tokens.add(yard.org_id, "BUS1")
    first = await yard.start()
    count = yard.tokens.asked
    again = await yard.start()
    assert again.authorisation is not None
    assert first.authorisation is not None
    assert again.authorisation.status is first.authorisation.status is A.ACCEPTED
    assert yard.tokens.asked == count


async def test_a_remote_start_is_expected_where_it_was_sent(yard: Yard) -> None:
    yard.policies.unknown_token = "reject"
    bus = Vehicle(uuid4(), yard.org_id, "Bus")
    yard.sessions.expect_remote(yard.station.id, IdToken("OURS"), vehicle_id=bus.id)
    assert await asked(yard, "ours") is A.ACCEPTED
    await yard.start(token="OURS")
    assert (await yard.only()).vehicle_id == bus.id
    yard.clock.reach(yard.at(30))
    assert await asked(yard, "OURS", outlet=2) is A.UNKNOWN


async def test_attach_and_assign(yard: Yard) -> None:
    bus = yard.tokens.add(yard.org_id, "BUS1")
    await yard.start(token="NOBODY")
    session = await yard.only()
    duty_id = uuid4()
    await yard.sessions.attach(session.id, duty_id=duty_id)
    await yard.sessions.attach(session.id, vehicle_id=bus.id)
    stored = await yard.only()
    assert (stored.vehicle_id, stored.duty_id) == (bus.id, duty_id)
    assert [event.vehicle_id for event in yard.seen(SessionUpdated)] == [None, bus.id]
    live = yard.sessions.live.of(yard.evse().id)
    assert live is not None
    assert (live.vehicle_id, live.duty_id) == (bus.id, duty_id)
    with pytest.raises(NotFound):
        await yard.sessions.attach(uuid4(), duty_id=None)


async def test_only_who_may_assigns_vehicles_of_their_own(yard: Yard) -> None:
    await yard.start()
    session = await yard.only()
    with pytest.raises(Forbidden):
        await yard.sessions.assign_vehicle(yard.principal(Role.VIEWER), session.id, None)
    foreign = Vehicle(uuid4(), uuid4(), "Theirs")
    with pytest.raises(Invalid):
        await yard.sessions.assign_vehicle(yard.principal(), session.id, foreign)
    stranger = yard.principal()
    object.__setattr__(stranger, "org_id", uuid4())
    with pytest.raises(NotFound):
        await yard.sessions.assign_vehicle(stranger, session.id, None)


async def test_a_vehicle_that_left_its_outlet_is_not_busy_there(yard: Yard) -> None:
    """Its stop was lost, and it must charge where it stands now."""
    yard.tokens.add(yard.org_id, "BUS1")
    await yard.start(outlet=1)
    await yard.status(EvseStatus.AVAILABLE, 5, outlet=1)
    assert await asked(yard, "BUS1", outlet=2) is A.ACCEPTED


async def test_a_start_told_late_is_not_judged_by_where_the_token_is_now(yard: Yard) -> None:
    yard.tokens.add(yard.org_id, "BUS1")
    await yard.start(outlet=1, minute=60)
    ack = await yard.start(outlet=2, minute=0)
    assert ack.authorisation is not None
    assert ack.authorisation.status is A.ACCEPTED
