"""What sessions cost, told to chargers and kept (OCPP 2.0.1 I01 to I06)."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from billing_yard import SHOWS, Yard, energy, idle, knowing, rfid

from voltyard.billing.model import CostState, Target
from voltyard.errors import Conflict

NIGHT = {
    "fallback_tariff": "Ask at the gate.",
    "fallback_cost": "Your bill comes later.",
    "running_cost_s": 60,
}


async def prefer(yard: Yard, **changes: Any) -> None:
    billing = yard.core.billing
    await billing.change_settings(yard.who, replace(billing.settings(yard.who), **changes))


async def test_the_driver_is_told_the_tariff_before(yard: Yard) -> None:
    await yard.tariff(energy("0.49"), idle("0.10", 30))
    async with yard.charger(say=knowing(**SHOWS)) as charger:
        silent = await charger.call("Authorize", {"idToken": rfid("AB")})
        assert "personalMessage" not in silent["idTokenInfo"]
        await yard.told_all()
        told = await charger.call("Authorize", {"idToken": rfid("AB")})
        assert told["idTokenInfo"]["personalMessage"] == {
            "format": "UTF8",
            "content": "€0.49/kWh, €0.10/min when not charging (after 30 min), incl. tax",
            "language": "en",
        }
    async with yard.charger() as blind:
        await yard.told_all()
        assert "personalMessage" not in (await blind.call("Authorize", {"idToken": rfid("AB")}))


async def test_running_and_final_cost(yard: Yard) -> None:
    await yard.tariff(energy("0.50"), idle("0.10"))
    await prefer(yard, **NIGHT)
    billing = yard.core.billing
    async with yard.charger(say=knowing(**SHOWS)) as charger:
        await yard.told_all()
        await charger.call(
            "TransactionEvent", yard.event("Started", 0, 0, 1000, idToken=rfid("AB"))
        )
        await charger.call("TransactionEvent", yard.event("Updated", 1, 30, 11_000))
        await billing.tick()
        assert charger.asked("CostUpdated") == [{"totalCost": 5.0, "transactionId": "tx-1"}]
        await billing.tick()
        assert len(charger.asked("CostUpdated")) == 1
        session = await yard.only()
        running = await billing.cost(yard.who, session.id)
        assert running is not None
        assert (running.state, running.cost.gross) == (CostState.RUNNING, Decimal("5.00"))
        done = await charger.call(
            "TransactionEvent",
            yard.event("Ended", 2, 50, 11_000, info={"stoppedReason": "EVDisconnected"}),
        )
        assert done["totalCost"] == 7.0
        assert done["updatedPersonalMessage"]["content"] == "€7.00"
        final = await billing.cost(yard.who, session.id)
        assert final is not None
        assert (final.state, final.reason, final.ratings) == (CostState.FINAL, "end", ())
        assert [line.what for line in final.cost.lines] == ["energy", "idle_time"]
        again = await charger.call("TransactionEvent", yard.event("Ended", 2, 50, 11_000))
        assert again["totalCost"] == 7.0


async def test_late_values_are_rated_again_and_it_is_said_why(yard: Yard) -> None:
    await yard.tariff(energy("0.50"))
    async with yard.charger() as charger:
        await charger.call("TransactionEvent", yard.event("Started", 0, 0, 1000))
        await charger.call("TransactionEvent", yard.event("Ended", 5, 30, None))
        session = await yard.only()
        before = await yard.core.billing.cost(yard.who, session.id)
        assert before is not None
        assert before.cost.gross == 0
        await charger.call("TransactionEvent", yard.event("Updated", 3, 30, 9000, offline=True))
        after = await yard.core.billing.cost(yard.who, session.id)
        assert after is not None
        assert (after.cost.gross, after.reason) == (Decimal("4.00"), "late_values")
        assert [(old.gross, old.reason) for old in after.ratings] == [(Decimal("0.00"), "end")]


async def test_fallback_texts_are_put_on_chargers_that_have_them(yard: Yard) -> None:
    await prefer(yard, **NIGHT)
    has = {
        **SHOWS,
        "TariffFallbackMessage": "",
        "TotalCostFallbackMessage": "Your bill comes later.",
    }
    async with yard.charger(say=knowing(**has)) as charger:
        await yard.told_all()
        [asked] = charger.asked("SetVariables")
        [data] = asked["setVariableData"]
        assert data["variable"] == {"name": "TariffFallbackMessage"}
        assert data["attributeValue"] == "Ask at the gate."
        await prefer(yard, fallback_cost="Ask for it.")
        await yard.told_all()
        _, asked = charger.asked("SetVariables")
        assert asked["setVariableData"][0]["variable"] == {"name": "TotalCostFallbackMessage"}


async def test_a_tariff_changed_while_charging_is_told_and_counts_from_then_on(
    yard: Yard,
) -> None:
    await yard.tariff(energy("0.50"))
    dear = await yard.tariff(energy("1.00"), name="Rush", target=Target.TOKEN, ref="ELSE")
    yen = await yard.tariff(
        energy("90"), name="Yen", target=Target.TOKEN, ref="YEN", currency="JPY"
    )
    billing = yard.core.billing
    async with yard.charger(say=knowing(**SHOWS)) as charger:
        await yard.told_all()
        await charger.call("TransactionEvent", yard.event("Started", 0, 0, 0))
        await charger.call("TransactionEvent", yard.event("Updated", 1, 30, 10_000))
        session = await yard.only()
        await billing.change_running(yard.who, session.id, dear.id)
        with pytest.raises(Conflict, match="currency"):
            await billing.change_running(yard.who, session.id, yen.id)
        told = await charger.call("TransactionEvent", yard.event("Updated", 2, 40, 12_000))
        assert told["updatedPersonalMessage"]["content"] == "€1.00/kWh, incl. tax"
        silent = await charger.call("TransactionEvent", yard.event("Updated", 3, 41, 12_000))
        assert "updatedPersonalMessage" not in silent
        done = await charger.call("TransactionEvent", yard.event("Ended", 4, 60, 15_000))
        assert done["totalCost"] == 10.0
        with pytest.raises(Conflict):
            await billing.change_running(yard.who, session.id, dear.id)


async def test_whose_token_it_is_counts_before_where_it_is(yard: Yard) -> None:
    """Plugged in first, shown later: the driver's tariff counts from the start."""
    await yard.tariff(energy("0.50"), name="Site", target=Target.SITE, ref=str(yard.site_id))
    await yard.tariff(energy("0.10"), name="Staff", target=Target.TOKEN, ref="ab")
    async with yard.charger() as charger:
        await charger.call("TransactionEvent", yard.event("Started", 0, 0, 0))
        await charger.call("TransactionEvent", yard.event("Updated", 1, 1, 0, idToken=rfid("AB")))
        done = await charger.call("TransactionEvent", yard.event("Ended", 2, 60, 10_000))
        assert done["totalCost"] == 1.0
        assert "updatedPersonalMessage" not in done


async def test_nothing_is_said_of_a_cost_that_nobody_knows(yard: Yard) -> None:
    """I03.FR.04: free is 0.00, unknown is nothing."""
    async with yard.charger() as charger:
        await charger.call("TransactionEvent", yard.event("Started", 0, 0, 0))
        done = await charger.call("TransactionEvent", yard.event("Ended", 1, 60, 10_000))
        assert "totalCost" not in done
    await yard.tariff(energy("0"))
    async with yard.charger(identity="CP2") as charger:
        await charger.call("TransactionEvent", yard.event("Started", 0, 0, 0))
        done = await charger.call("TransactionEvent", yard.event("Ended", 1, 61, 10_000))
        assert done["totalCost"] == 0.0


async def test_costs_are_there_after_a_restart(yard: Yard) -> None:
    await yard.tariff(energy("0.50"))
    async with yard.charger() as charger:
        await charger.call("TransactionEvent", yard.event("Started", 0, 0, 0))
        await yard.core.billing.load()
        done = await charger.call("TransactionEvent", yard.event("Ended", 1, 60, 10_000))
        assert done["totalCost"] == 5.0


async def test_ocpp_16_is_priced_and_told_nothing(yard: Yard) -> None:
    await yard.tariff(energy("0.50"))
    await prefer(yard, running_cost_s=60)
    async with yard.charger("ocpp1.6") as charger:
        at = yard.clock.at(0)
        started = await charger.call(
            "StartTransaction",
            {"connectorId": 1, "idTag": "AB", "meterStart": 1000, "timestamp": at},
        )
        at = yard.clock.at(30)
        await yard.core.billing.tick()
        done = {"transactionId": started["transactionId"], "meterStop": 9000, "timestamp": at}
        await charger.call("StopTransaction", done)
        final = await yard.core.billing.cost(yard.who, (await yard.only()).id)
        assert final is not None
        assert (final.state, final.cost.gross) == (CostState.FINAL, Decimal("4.00"))
        assert charger.heard == []
