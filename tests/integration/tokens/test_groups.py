"""Groups, places and several uses at once, as chargers of every version hear of them."""

import json
from collections.abc import Callable
from typing import Any

from token_yard import TokenYard, bus

from voltyard.fleets.commands import VehicleDraft
from voltyard.simulator.evse import Token as Card

Run = Callable[..., None]


def infos(yard: TokenYard) -> list[dict[str, Any]]:
    """What was said of tokens, in order."""
    found = []
    for way, text in yard.frames:
        frame = json.loads(text)
        if way == "in" and frame[0] == 3:
            info = frame[2].get("idTagInfo") or frame[2].get("idTokenInfo")
            if info is not None:
                found.append(info)
    return found


def test_a_mate_of_the_group_stops_and_a_stranger_does_not(yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        for value, group in (("MINE", "FLEET"), ("MATE", "FLEET"), ("STRANGER", "")):
            await yard.token(value, group_id=group, concurrent=True)
        yard.plug(1, "MINE")
        await yard.after(30)
        yard.charger.swipe(1, Card("STRANGER"))
        await yard.after(30)
        assert yard.charger.evse(1).transaction is not None
        yard.charger.swipe(1, Card("MATE"))
        await yard.after(60)
        (session,) = await yard.sessions()
        assert session.ended_at is not None
        assert session.id_token == "MINE"
        assert session.flags == ()
        said = json.dumps(infos(yard))
        assert ('"parentIdTag": "FLEET"' in said) or ('"idToken": "FLEET"' in said)

    yard(play)


def test_a_token_charges_only_where_it_may(yard: Run) -> None:
    """Row 18: by outlet where the charger asks, by station where it cannot say which."""

    async def play(yard: TokenYard) -> None:
        await yard.token("LANE1", area_ids=(yard.areas[0],))
        await yard.token("LANE2", area_ids=(yard.areas[1],))
        yard.plug(1, "LANE2")
        await yard.after(60)
        yard.charger.unplug(1)
        assert yard.charger.energy_wh(1) < 5_000.0
        yard.plug(1, "LANE1")
        await yard.after(90)
        assert yard.charger.power_w(1) > 0.0
        found = [(row.id_token, row.authorisation) for row in await yard.sessions()]
        assert ("LANE1", "accepted") in found
        assert ("LANE2", "accepted") not in found
        words = {info["status"] for info in infos(yard)}
        assert words & {"Blocked", "NotAtThisLocation"}

    yard(play)


def test_one_token_once_unless_it_may_more_often(yard: Run) -> None:
    async def play(yard: TokenYard) -> None:
        await yard.token("ONE")
        await yard.token("MANY", concurrent=True)
        yard.plug(1, "ONE")
        await yard.after(30)
        yard.plug(2, "ONE")
        await yard.after(30)
        assert "ConcurrentTx" in {info["status"] for info in infos(yard)}
        assert yard.charger.power_w(2) == 0.0
        yard.charger.unplug(1)
        yard.charger.unplug(2)
        await yard.after(60)
        yard.charger.plug_in(1, bus(), Card("MANY"))
        yard.charger.plug_in(2, bus(), Card("MANY"))
        await yard.after(90)
        assert yard.charger.power_w(1) > 0.0
        assert yard.charger.power_w(2) > 0.0

    yard(play)


def test_a_vehicle_is_known_by_its_address(yard: Run) -> None:
    """Row 31: Autocharge, as 1.6 writes it and by the type of 2.x."""

    async def play(yard: TokenYard) -> None:
        vehicle = await yard.core.fleets.save_vehicle(yard.who, VehicleDraft("Bus 1"))
        await yard.token("00:1A:2B:3C:4D:5E", kind="mac", vehicle_id=vehicle.id)
        written, kind = "001A2B3C4D5E", "MacAddress"
        if yard.protocol == "ocpp1.6":
            written, kind = "VID:001A2B3C4D5E", "ISO14443"
        yard.charger.plug_in(1, bus(), Card(written, kind, autocharge=True))
        await yard.after(60)
        (session,) = await yard.sessions()
        assert (session.vehicle_id, session.authorisation) == (vehicle.id, "accepted")

    yard(play)
