"""Chargers' lists of tokens in step with ours, over every version."""

import json
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from token_yard import TokenYard, bus

from voltyard.errors import ChargerOffline
from voltyard.fleets.commands import TokenDraft
from voltyard.locallists.model import ListState, LocalList
from voltyard.simulator.evse import Token as Card
from voltyard.simulator.settings import ChargerSettings

Run = Callable[..., None]
STRICT = ChargerSettings(offline_unknown=False, cache=False)


async def known(yard: TokenYard) -> LocalList:
    return await yard.core.local_lists.of_station(yard.who, yard.station.id)


def sent(yard: TokenYard) -> list[tuple[int, str, int]]:
    """Version, kind and length of each list the charger was sent."""
    payloads = [json.loads(text)[3] for text in yard.asked("SendLocalList")]
    return [
        (
            p.get("listVersion") or p["versionNumber"],
            p["updateType"],
            len(p.get("localAuthorizationList", ())),
        )
        for p in payloads
    ]


def test_a_list_follows_the_tokens_and_lets_them_charge_offline(yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        assert (await known(yard)).state is ListState.SYNCED
        assert sent(yard) == [], "no tokens, nothing to send"
        for value in ("A", "B", "C"):
            await yard.token(value)
        await yard.after(60)
        assert set(yard.charger.tokens.list) == {"A", "B", "C"}
        first = len(sent(yard))
        await yard.token("D", group_id="FLEET")
        await yard.after(60)
        (last,) = sent(yard)[first:]
        assert last[1:] == ("Differential", 1)
        now = await known(yard)
        assert (now.state, now.version) == (ListState.SYNCED, yard.charger.tokens.version)
        assert yard.charger.tokens.list["D"].group == "FLEET"
        yard.charger.uplink.drop(1200)
        await yard.after(5)
        yard.charger.plug_in(1, bus(), Card("D"))
        yard.charger.plug_in(2, bus(), Card("NOBODY"))
        await yard.after(600)
        assert yard.charger.power_w(1) > 0.0
        assert yard.charger.power_w(2) == 0.0
        await yard.after(1800)
        (session,) = [row for row in await yard.sessions() if row.id_token == "D"]
        assert session.authorisation == "accepted"

    yard(play, settings=STRICT)


def test_a_list_that_is_not_the_one_that_was_sent_is_replaced_whole(yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        for value in ("A", "B"):
            await yard.token(value)
        await yard.after(60)
        memory = yard.charger.tokens
        memory.version, memory.list = memory.version + 40, {}
        yard.charger.uplink.drop(60)
        await yard.after(400)
        assert set(memory.list) == {"A", "B"}
        assert sent(yard)[-1] == (memory.version, "Full", 2)
        now = await known(yard)
        assert (now.drifts, now.state) == (1, ListState.SYNCED)
        view = yard.core.chargers.station_view(yard.who.org_id, yard.station.id)
        assert "local_list_drift" in {flag.flag for flag in view.flags}

    yard(play)


def test_a_database_that_is_away_for_a_moment_ends_nothing(
    yard: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(yard: TokenYard) -> None:
        async def away(org_id: UUID) -> None:
            raise ConnectionResetError("the database restarts")

        with monkeypatch.context() as trouble:
            trouble.setattr(yard.core.fleets, "all_tokens", away)
            await yard.core.local_lists.resend(yard.who, yard.station.id)
            await yard.after(30)
        await yard.token("A")
        await yard.after(60)
        assert set(yard.charger.tokens.list) == {"A"}

    yard(play)


def test_many_tokens_go_in_messages_that_the_charger_takes_and_some_do_not_fit(
    yard: Run,
) -> None:
    async def play(yard: TokenYard) -> None:
        await yard.after(5)
        rows = "\n".join(f"T{n}" for n in range(120))
        await yard.core.fleets.import_tokens(yard.who, f"value\n{rows}\n".encode(), yard.site.zone)
        await yard.after(90)
        assert len(yard.charger.tokens.list) == 120
        assert [row[1:] for row in sent(yard)] == [
            ("Full", 50), ("Differential", 50), ("Differential", 20),
        ]  # fmt: skip

    yard(play)


def test_a_revoked_token_leaves_list_and_cache(yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        made = await yard.token("A")
        await yard.token("B")
        yard.plug(1, "A")
        await yard.after(60)
        assert "A" in yard.charger.tokens.cache
        yard.charger.unplug(1)
        await yard.core.fleets.save_token(yard.who, TokenDraft("A", blocked=True), made.id)
        await yard.after(60)
        assert yard.charger.tokens.cache == {}
        assert yard.charger.tokens.list["A"].status == "Blocked"
        await yard.core.fleets.delete_token(yard.who, made.id)
        await yard.after(60)
        assert set(yard.charger.tokens.list) == {"B"}
        now = await known(yard)
        assert (now.clear_cache, now.cache_word) == (False, "Accepted")

    yard(play)


def test_a_charger_that_was_away_at_a_revocation_clears_its_cache_when_it_is_back(
    one_yard: Run,
) -> None:
    async def play(yard: TokenYard) -> None:
        made = await yard.token("A")
        yard.plug(1, "A")
        await yard.after(60)
        yard.charger.uplink.drop(600)
        await yard.after(5)
        await yard.core.fleets.delete_token(yard.who, made.id)
        await yard.after(60)
        assert (await known(yard)).clear_cache
        assert yard.charger.tokens.cache != {}
        await yard.after(1200)
        assert not (await known(yard)).clear_cache
        assert "A" not in yard.charger.tokens.cache or yard.charger.tokens.cache["A"].status != (
            "Accepted"
        )

    one_yard(play)


def test_a_revocation_that_a_crash_kept_from_being_marked_is_marked_at_the_start(
    one_yard: Run,
) -> None:
    async def play(yard: TokenYard) -> None:
        made = await yard.token("A")
        await yard.after(60)
        yard.charger.uplink.drop(600)
        await yard.after(5)
        lists = yard.core.local_lists
        lists._reaches.clear()  # as if the process had died before it heard of it
        await yard.core.fleets.delete_token(yard.who, made.id)
        assert not (await known(yard)).clear_cache
        await lists.load()
        assert (await known(yard)).clear_cache
        await yard.after(1200)
        assert (await known(yard)).cache_word == "Accepted"

    one_yard(play)


def test_a_token_ends_on_the_list_when_its_time_ends(one_yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        await yard.token("A", valid_until=yard.clock.now() + timedelta(hours=1))
        await yard.token("B", valid_from=yard.clock.now() + timedelta(hours=1))
        await yard.after(60)
        assert set(yard.charger.tokens.list) == {"A"}
        await yard.after(3600)
        await yard.core.local_lists.tick()
        await yard.after(60)
        assert set(yard.charger.tokens.list) == {"B"}
        assert yard.asked("ClearCache") == [], "its answers carried their expiry"

    one_yard(play)


def test_a_charger_without_lists_is_left_alone(yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        await yard.token("A")
        await yard.after(60)
        assert (await known(yard)).state is ListState.DISABLED
        assert sent(yard) == []
        yard.charger.settings.local_list = True
        await yard.core.local_lists.resend(yard.who, yard.station.id)
        await yard.after(60)
        assert (await known(yard)).state is ListState.SYNCED
        assert set(yard.charger.tokens.list) == {"A"}
        yard.charger.uplink.drop(60)
        await yard.after(5)
        with pytest.raises(ChargerOffline):
            await yard.core.local_lists.resend(yard.who, yard.station.id)

    yard(play, settings=ChargerSettings(local_list=False))
