"""Outlets kept for tokens, with chargers of every version."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from token_yard import TokenYard, bus

from voltyard.errors import ChargerOffline, Conflict, Forbidden, Invalid
from voltyard.reservations.commands import NewReservation
from voltyard.reservations.model import ReservationState
from voltyard.simulator.evse import Status
from voltyard.simulator.evse import Token as Card
from voltyard.sites.commands import UnknownToken
from voltyard.tenancy.model import ROLE_PERMISSIONS, Principal, Role

S = ReservationState
Run = Callable[..., None]


def test_a_reserved_outlet_is_used_by_its_token(yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        await yard.token("MINE")
        kept = await yard.reserve("MINE")
        assert kept.state is S.ACTIVE
        assert yard.charger.evse(1).status is Status.RESERVED
        yard.plug(1, "MINE")
        await yard.after(30)
        used = await yard.again(kept)
        (session,) = await yard.sessions()
        assert (used.state, used.session_id) == (S.USED, session.id)
        assert yard.charger.tokens.reservations == {}
        assert yard.charger.power_w(1) > 0.0

    yard(play)


def test_others_are_refused_even_by_a_charger_that_forgot(yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        for value in ("MINE", "OTHER"):
            await yard.token(value)
        await yard.reserve("MINE")
        yard.charger.tokens.cancel(next(iter(yard.charger.tokens.reservations)))
        yard.plug(1, "OTHER")
        await yard.after(40)
        (session,) = await yard.sessions()
        assert session.authorisation == "reserved"
        assert yard.charger.power_w(1) == 0.0
        yard.plug(2, "OTHER")
        await yard.after(90)
        assert yard.charger.power_w(2) > 0.0, "the other outlet is kept for nobody"

    yard(play)


def test_a_token_of_the_group_may_use_it(yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        await yard.token("MINE", group_id="FLEET")
        await yard.token("MATE", group_id="FLEET")
        kept = await yard.reserve("MINE")
        yard.charger.tokens.cancel(kept.number)
        yard.plug(1, "MATE")
        await yard.after(30)
        assert (await yard.again(kept)).state is S.USED
        assert yard.charger.power_w(1) > 0.0

    yard(play)


def test_two_reservations_of_an_outlet_never_overlap(one_yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        kept = await yard.reserve("MINE")
        with pytest.raises(Conflict, match="reserved at that time"):
            await yard.reserve("OTHER", from_at=kept.until_at - timedelta(seconds=1),
                               until_at=kept.until_at + timedelta(hours=1))  # fmt: skip
        later = await yard.reserve(
            "OTHER", from_at=kept.until_at, until_at=kept.until_at + timedelta(hours=1)
        )
        assert later.state is S.PLANNED
        assert (await yard.reserve("OTHER", 2)).state is S.ACTIVE
        await yard.core.reservations.cancel(yard.who, kept.id)
        assert (await yard.reserve("OTHER", until_at=kept.until_at)).state is S.ACTIVE
        found, total = await yard.core.reservations.reservations(yard.who, open_only=True)
        assert (len(found), total) == (3, 3)

    one_yard(play)


def test_nothing_is_active_after_its_time(one_yard: Run) -> None:
    """Row 29: neither a charger that says nothing nor a server that was away keeps it alive."""

    async def play(yard: TokenYard) -> None:
        for value in ("MINE", "OTHER"):
            await yard.token(value)
        kept = await yard.reserve("MINE", until_at=yard.clock.now() + timedelta(minutes=5))
        await yard.cut()
        left_s = (kept.until_at - yard.clock.now()).total_seconds()
        await yard.after(left_s - 1)
        assert (await yard.again(kept)).state is S.ACTIVE
        await yard.after(1)
        assert (await yard.again(kept)).state is S.EXPIRED, "before any tick"
        await yard.core.reservations.tick()
        found, _ = await yard.core.reservations.reservations(yard.who, open_only=True)
        assert found == []
        place = (yard.station.id, yard.outlet(1).id, "OTHER", "", yard.clock.now())
        assert not yard.core.reservations.refuses(*place)

    one_yard(play)


@pytest.mark.parametrize("why", ["faulted", "inoperative"])
def test_an_outlet_out_of_order_keeps_nothing(yard: Run, why: str) -> None:
    """Row 29."""

    async def play(yard: TokenYard) -> None:
        kept = await yard.reserve("MINE")
        if why == "faulted":
            yard.charger.evse(1).faulted = True
        else:
            yard.charger.evse(1).operative = False
        yard.charger.report_all()
        await yard.after(5)
        assert (await yard.again(kept)).state is S.REMOVED

    yard(play)


def test_a_planned_reservation_is_told_in_time(one_yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        begins = yard.clock.now() + timedelta(minutes=10)
        kept = await yard.reserve("MINE", from_at=begins)
        await yard.after(590)
        assert yard.charger.evse(1).status is Status.AVAILABLE
        await yard.after(120)
        assert yard.charger.evse(1).status is Status.RESERVED
        assert (await yard.again(kept)).state is S.ACTIVE

    one_yard(play)


def test_a_charger_that_is_away_is_told_of_the_end_when_it_is_back(one_yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        kept = await yard.reserve("MINE")
        yard.charger.uplink.drop(120)
        await yard.after(10)
        with pytest.raises(ChargerOffline):
            await yard.reserve("OTHER", 2)
        gone = await yard.core.reservations.cancel(yard.who, kept.id)
        assert (gone.state, gone.cancel_due) == (S.CANCELLED, True)
        with pytest.raises(Conflict, match="cancelled"):
            await yard.core.reservations.cancel(yard.who, kept.id)
        await yard.after(400)
        assert not (await yard.again(kept)).cancel_due
        assert yard.charger.evse(1).status is Status.AVAILABLE

    one_yard(play)


def test_what_a_charger_refuses_is_told_in_its_word(yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        yard.charger.evse(1).faulted = True
        yard.charger.report_all()
        with pytest.raises(Conflict) as caught:
            await yard.reserve("MINE")
        assert (caught.value.code, caught.value.detail) == ("refused", "Faulted")
        await yard.token("BUS")
        yard.plug(2, "BUS")
        await yard.after(30)
        with pytest.raises(Conflict) as caught:
            await yard.reserve("MINE", 2)
        assert caught.value.code == "occupied"
        found, _ = await yard.core.reservations.reservations(yard.who)
        assert [row.state for row in found] == [S.REFUSED]

    yard(play)


def test_any_outlet_of_a_station_is_kept(yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        for value in ("MINE", "FIRST", "SECOND"):
            await yard.token(value)
        kept = await yard.reserve("MINE", None)
        yard.plug(1, "FIRST")
        await yard.after(30)
        assert yard.charger.power_w(1) > 0.0, "one is left for whoever reserved"
        yard.plug(2, "SECOND")
        await yard.after(40)
        assert yard.charger.power_w(2) == 0.0
        yard.charger.unplug(2)
        yard.plug(2, "MINE")
        await yard.after(90)
        assert yard.charger.power_w(2) > 0.0
        assert (await yard.again(kept)).state is S.USED

    yard(play)


def test_who_reserves_for_a_token_that_nobody_knows_means_it(one_yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        await yard.reserve("GUEST")
        yard.charger.plug_in(2, bus(), Card("GUEST2"))
        yard.charger.plug_in(1, bus(), Card("GUEST"))
        await yard.after(90)
        assert yard.charger.power_w(1) > 0.0
        assert yard.charger.power_w(2) == 0.0

    one_yard(play, unknown=UnknownToken.REJECT)


def test_a_server_that_starts_again_knows_what_is_kept(one_yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        kept = await yard.reserve("MINE")
        place = (yard.station.id, yard.outlet(1).id, "OTHER", "", yard.clock.now())
        rooms = yard.core.reservations
        rooms._desk = type(rooms._desk)()
        assert not rooms.refuses(*place)
        await rooms.load()
        assert rooms.refuses(*place)
        assert kept.holds(yard.clock.now())

    one_yard(play)


def test_who_may_and_what_is_meaningless(one_yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        now, org_id = yard.clock.now(), yard.who.org_id
        viewer = Principal(org_id, "user", org_id, "V", ROLE_PERMISSIONS[Role.VIEWER], Role.VIEWER)
        new = NewReservation(yard.station.id, "MINE", yard.in_an_hour)
        with pytest.raises(Forbidden):
            await yard.core.reservations.reserve(viewer, new)
        for token, until_at in (
            ("", yard.in_an_hour),
            ("MINE", now),
            ("M", now.replace(year=2027)),
        ):
            with pytest.raises(Invalid):
                await yard.reserve(token, until_at=until_at)

    one_yard(play)
