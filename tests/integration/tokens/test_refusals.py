"""Why a token was refused is kept, and where it was used last."""

from collections.abc import Callable
from datetime import timedelta

from token_yard import TokenYard

from voltyard.ids import new_id
from voltyard.sessions.model import AuthorisationStatus
from voltyard.sessions.refusals import KEPT_FOR, Refusal, RefusalFilter
from voltyard.sites.commands import UnknownToken
from voltyard.storage.writes import Write

Run = Callable[..., None]


async def refusals(yard: TokenYard, **wanted: object) -> list[Refusal]:
    await yard.core.commits.flush()
    wish = RefusalFilter(**wanted)  # type: ignore[arg-type]
    return (await yard.core.sessions.refusals(yard.who.org_id, wish))[0]


def test_who_was_refused_and_why_is_kept(yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        await yard.token("GOOD")
        await yard.token("LOST", blocked=True)
        yard.plug(1, "GOOD")
        yard.plug(2, "LOST")
        await yard.after(60)
        assert {(row.token, row.status, row.reason) for row in await refusals(yard)} == {
            ("LOST", AuthorisationStatus.BLOCKED, "the token is blocked")
        }
        (row,) = await refusals(yard, token="lost")
        assert row.station_id == yard.station.id
        assert row.site_id == yard.site.id
        assert row.known
        assert await refusals(yard, text="OST") == [row]
        assert await refusals(yard, status=AuthorisationStatus.EXPIRED) == []
        assert await refusals(yard, from_at=yard.clock.now()) == []

    yard(play)


def test_a_card_held_there_again_and_again_is_one_refusal(one_yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        await yard.token("LOST", blocked=True)
        for _ in range(3):
            yard.plug(1, "LOST")
            await yard.after(10)
            yard.charger.unplug(1)
            await yard.after(5)
        assert len(await refusals(yard)) == 1
        await yard.after(60)
        yard.plug(1, "LOST")
        await yard.after(30)
        assert len(await refusals(yard)) == 2

    one_yard(play)


def test_who_is_let_in_without_being_known_is_kept_too_and_forgotten_in_time(
    one_yard: Run,
) -> None:
    async def play(yard: TokenYard) -> None:
        yard.plug(1, "GUEST")
        await yard.after(30)
        (row,) = await refusals(yard)
        assert (row.status, row.known) == (AuthorisationStatus.ACCEPTED, False)
        old = {
            "org_id": yard.who.org_id,
            "at": yard.clock.now() - KEPT_FOR - timedelta(hours=1),
            "station_id": yard.station.id,
            "token": "OLD",
            "token_kind": "rfid",
            "status": "blocked",
            "known": True,
        }
        await yard.core.commits.submit([Write("refusals", old)])
        assert len(await refusals(yard)) == 2
        await yard.core.sessions.drop_old_refusals()
        assert await refusals(yard) == [row]

    one_yard(play, unknown=UnknownToken.ACCEPT)


def test_where_a_token_was_used_last_however_it_is_written(one_yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        await yard.token("VID:001A2B3C4D5E", kind="vid")
        await yard.token("CARD")
        yard.plug(1, "CARD")
        yard.plug(2, "00:1a:2b:3c:4d:5e")
        await yard.after(60)
        uses = await yard.core.sessions.last_uses(
            yard.who.org_id, ["card", "VID:001A2B3C4D5E", "NEVER"]
        )
        assert {token: use.evse_id for token, use in uses.items()} == {
            "card": yard.outlet(1).id,
            "VID:001A2B3C4D5E": yard.outlet(2).id,
        }
        assert await yard.core.sessions.last_uses(new_id(), ["CARD"]) == {}
        other = await yard.core.sessions.refusals(new_id(), RefusalFilter())
        assert other == ([], 0), "another organisation sees nothing"

    one_yard(play)
