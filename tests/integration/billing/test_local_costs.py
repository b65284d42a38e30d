"""Chargers that reckon by themselves (OCPP 2.1 I07 to I12)."""

from decimal import Decimal
from typing import Any

import pytest
from billing_yard import RECKONS, Say, Yard, energy, knowing, rfid

from voltyard.billing.model import Price, Target, When
from voltyard.errors import ChargerRefused

VERSION = "ocpp2.1"


def answering(**words: Any) -> Say:
    """By action: a status, or a whole answer."""
    base = knowing(**RECKONS)

    def say(action: str, payload: dict[str, Any]) -> dict[str, Any] | str:
        found = words.get(action)
        if isinstance(found, dict):
            return found
        if action == "ClearTariffs":
            return {
                "clearTariffsResult": [
                    {"status": "Accepted", "tariffId": key} for key in payload["tariffIds"]
                ]
            }
        if found is None:
            return base(action, payload)
        return {"status": found} if found != "NotSupported" else "NotSupported"

    return say


async def test_default_tariffs_are_put_on_chargers_and_replaced(yard: Yard) -> None:
    tariff = await yard.tariff(energy("0.595", Price(Decimal("0.25"), When(weekdays=(5, 6)))))
    billing = yard.core.billing
    async with yard.charger(VERSION, answering()) as charger:
        await charger.call("TransactionEvent", yard.event("Started", 0, 0, 0))
        await yard.told_all()
        [put] = charger.asked("SetDefaultTariff")
        assert put["evseId"] == 0
        assert put["tariff"]["tariffId"] == tariff.key
        assert put["tariff"]["energy"] == {
            "prices": [
                {
                    "priceKwh": 0.210084,
                    "conditions": {"dayOfWeek": ["Saturday", "Sunday"]},
                },
                {"priceKwh": 0.5},
            ],
            "taxRates": [{"type": "VAT", "tax": 19.0}],
        }
        await yard.told_all()
        assert len(charger.asked("SetDefaultTariff")) == 1
        changed = await billing.update(yard.who, tariff.id, "Day", tariff.terms)
        assert changed.number == 1
        dearer = await billing.update(yard.who, tariff.id, "Day dear", tariff.terms)
        await yard.told_all()
        assert charger.asked("ClearTariffs") == [{"tariffIds": [tariff.key]}]
        assert charger.asked("SetDefaultTariff")[1]["tariff"]["tariffId"] == dearer.key
        [placed] = billing.on_station(yard.who, yard.station().id)
        assert (placed.tariff_key, placed.state) == (dearer.key, "in_place")


async def test_each_outlet_has_its_own_where_they_differ(yard: Yard) -> None:
    await yard.tariff(energy("0.50"))
    station = (await yard.core.chargers.create_station(yard.who, "CP1", site_id=yard.site_id)).id
    first = await yard.core.chargers.save_evse(yard.who, station, 1)
    await yard.core.chargers.save_evse(yard.who, station, 2)
    await yard.tariff(energy("0.80"), name="Fast", target=Target.EVSE, ref=str(first.id))
    async with yard.charger(VERSION, answering()) as charger:
        await yard.told_all()
        put = charger.asked("SetDefaultTariff")
        assert [each["evseId"] for each in put] == [1, 2]
        assert len({each["tariff"]["tariffId"] for each in put}) == 2


@pytest.mark.parametrize(
    "word", ["TooManyElements", "ConditionNotSupported", "Rejected", "NotSupported"]
)
async def test_a_refused_tariff_is_shown_and_not_sent_again_and_again(
    yard: Yard, word: str
) -> None:
    await yard.tariff(energy("0.50"))
    async with yard.charger(VERSION, answering(SetDefaultTariff=word)) as charger:
        await charger.call("TransactionEvent", yard.event("Started", 0, 0, 0))
        for _ in range(3):
            await yard.told_all()
        [placed] = yard.core.billing.on_station(yard.who, yard.station().id)
        assert (placed.state, placed.word) == ("refused", word)
        assert len(charger.asked("SetDefaultTariff")) == 1
        view = yard.core.chargers.station_view(yard.who.org_id, yard.station().id)
        assert "tariff_refused" in view.station.flags


async def test_a_tariff_it_has_already_is_looked_for(yard: Yard) -> None:
    """I07.FR.04: it keeps what it was told before; where it is in place, nothing is to be done."""
    tariff = await yard.tariff(energy("0.50"))
    held = {"tariffId": tariff.key, "tariffKind": "DefaultTariff", "evseIds": [1]}
    answers = {
        "SetDefaultTariff": "DuplicateTariffId",
        "GetTariffs": {"status": "Accepted", "tariffAssignments": [held]},
    }
    async with yard.charger(VERSION, answering(**answers)) as charger:
        await charger.call("TransactionEvent", yard.event("Started", 0, 0, 0))
        await yard.told_all()
        [placed] = yard.core.billing.on_station(yard.who, yard.station().id)
        assert placed.state == "in_place"
        assert len(charger.asked("GetTariffs")) == 1
        assert charger.asked("ClearTariffs") == []
        held["evseIds"] = [2]
        await yard.core.billing.update(
            yard.who, tariff.id, "Other", (await _terms(yard, tariff.id))
        )
        await yard.told_all()
        assert charger.asked("ClearTariffs")[-1]["tariffIds"] != [tariff.key]


async def _terms(yard: Yard, tariff_id: Any) -> Any:
    return yard.core.billing.tariff(yard.who, tariff_id).terms


async def test_the_drivers_tariff_goes_with_the_authorisation(yard: Yard) -> None:
    """I08: without validFrom; the default tariff is on the charger already."""
    await yard.tariff(energy("0.50"))
    staff = await yard.tariff(energy("0.10"), name="Staff", target=Target.TOKEN, ref="AB")
    async with yard.charger(VERSION, answering()) as charger:
        await yard.told_all()
        told = await charger.call("Authorize", {"idToken": rfid("AB")})
        assert told["tariff"]["tariffId"] == staff.key
        assert "validFrom" not in told["tariff"]
        assert told["idTokenInfo"]["personalMessage"]["content"] == "€0.10/kWh, incl. tax"
        assert "tariff" not in await charger.call("Authorize", {"idToken": rfid("CD")})


@pytest.mark.parametrize("word", ["Accepted", "NoCurrencyChange", "TxNotFound", "TooManyElements"])
async def test_a_changed_tariff_counts_once_the_charger_has_taken_it(yard: Yard, word: str) -> None:
    await yard.tariff(energy("0.50"))
    dear = await yard.tariff(energy("1.00"), name="Rush", target=Target.TOKEN, ref="ELSE")
    billing = yard.core.billing
    async with yard.charger(VERSION, answering(ChangeTransactionTariff=word)) as charger:
        await yard.told_all()
        await charger.call("TransactionEvent", yard.event("Started", 0, 0, 0))
        await charger.call("TransactionEvent", yard.event("Updated", 1, 30, 10_000))
        session = await yard.only()
        if word == "Accepted":
            await billing.change_running(yard.who, session.id, dear.id)
        else:
            with pytest.raises(ChargerRefused, match=word):
                await billing.change_running(yard.who, session.id, dear.id)
        [asked] = charger.asked("ChangeTransactionTariff")
        assert asked["transactionId"] == "tx-1"
        done = await charger.call("TransactionEvent", yard.event("Ended", 4, 60, 15_000))
        assert done["totalCost"] == (10.0 if word == "Accepted" else 7.5)


async def test_what_the_charger_reckoned_is_kept_and_a_difference_is_shown(yard: Yard) -> None:
    tariff = await yard.tariff(energy("0.50"))
    async with yard.charger(VERSION, answering()) as charger:
        await yard.told_all()
        await charger.call("TransactionEvent", yard.event("Started", 0, 0, 0))
        details = {
            "totalCost": {
                "currency": "EUR",
                "typeOfCost": "NormalCost",
                "total": {"exclTax": 4.21, "inclTax": 5.01},
            },
            "totalUsage": {"energy": 10_000, "chargingTime": 3600, "idleTime": 0},
        }
        ended = yard.event(
            "Ended", 1, 60, 10_000, info={"tariffId": tariff.key}, costDetails=details
        )
        await charger.call("TransactionEvent", ended)
        kept = await yard.core.billing.cost(yard.who, (await yard.only()).id)
        assert kept is not None
        assert kept.cost.gross == Decimal("5.00")
        assert kept.station_cost is not None
        assert (kept.station_cost.tariff_key, kept.differs) == (tariff.key, Decimal("0.01"))
        view = yard.core.chargers.station_view(yard.who.org_id, yard.station().id)
        assert "cost_differs" in view.station.flags
