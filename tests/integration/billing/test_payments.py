"""Who pays before, at terminals, kiosks and by web (OCPP C03, 2.1 C17 to C25)."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from billing_yard import FakeProvider, Yard, accepts, energy, instant, rfid

from voltyard.billing import totp
from voltyard.billing.commands import Authorised, BillingSettings, NewAccount
from voltyard.billing.payment import PaymentSource, PaymentState
from voltyard.billing.payments import checked_vat
from voltyard.errors import ChargerRefused, Conflict, Forbidden, Invalid, VoltyardError

VERSION = "ocpp2.1"


async def account(yard: Yard, amount: str = "5", *tokens: str) -> Any:
    prepaid = yard.core.billing.prepaid
    made = await prepaid.open(yard.who, NewAccount("Ada", "EUR", tokens or ("AB", "CD")))
    await prepaid.top_up(yard.who, made.id, Decimal(amount), "cash")
    return made


async def test_a_prepaid_card_charges_as_far_as_its_balance_goes(yard: Yard) -> None:
    await yard.tariff(energy("0.50"))
    made = await account(yard)
    prepaid = yard.core.billing.prepaid
    async with yard.charger(VERSION) as charger:
        told = await charger.call("Authorize", {"idToken": rfid("AB")})
        assert told["idTokenInfo"]["status"] == "Accepted"
        assert instant(told["idTokenInfo"]["cacheExpiryDateTime"]) == yard.clock.now()
        begun = await charger.call(
            "TransactionEvent", yard.event("Started", 0, 0, 0, idToken=rfid("ab"))
        )
        assert begun["transactionLimit"] == {"maxCost": 5.0}
        again = await charger.call("TransactionEvent", yard.event("Updated", 1, 10, 1000))
        assert "transactionLimit" not in again
        assert prepaid.account(yard.who, made.id).free == 0
        async with yard.charger(VERSION, identity="CP2") as other:
            refused = await other.call("Authorize", {"idToken": rfid("CD")})
            assert refused["idTokenInfo"]["status"] == "NoCredit"
            assert instant(refused["idTokenInfo"]["cacheExpiryDateTime"]) == yard.clock.now()
        here = await charger.call("Authorize", {"idToken": rfid("CD")})
        assert here["idTokenInfo"]["status"] == "Accepted"
        await charger.call("TransactionEvent", yard.event("Ended", 2, 20, 4000))
        assert prepaid.account(yard.who, made.id).balance == Decimal("3.00")
        await charger.call("TransactionEvent", yard.event("Updated", 3, 20, 4400, offline=True))
    entries = await prepaid.entries(yard.who, made.id)
    assert sum(entry.amount for entry in entries) == prepaid.account(yard.who, made.id).balance
    assert len([entry for entry in entries if entry.session_id is not None]) <= 2


async def test_a_charger_that_knows_no_limits_is_stopped_when_the_balance_is_used_up(
    yard: Yard,
) -> None:
    await yard.tariff(energy("0.50"))
    made = await account(yard)
    async with yard.charger("ocpp1.6") as charger:
        at = yard.clock.at(0)
        start = {"connectorId": 1, "idTag": "AB", "meterStart": 0, "timestamp": at}
        ref = (await charger.call("StartTransaction", start))["transactionId"]
        for minute, wh in ((5, 9000), (10, 10_000)):
            value = [{"timestamp": yard.clock.at(minute), "sampledValue": [{"value": str(wh)}]}]
            await charger.call(
                "MeterValues", {"connectorId": 1, "transactionId": ref, "meterValue": value}
            )
            assert charger.asked("RemoteStopTransaction") == []
            await yard.core.billing.tick()
        assert charger.asked("RemoteStopTransaction") == [{"transactionId": ref}]
        at = yard.clock.at(11)
        stop = {"transactionId": ref, "meterStop": 10_100, "timestamp": at, "reason": "Remote"}
        await charger.call("StopTransaction", stop)
        refused = await charger.call("Authorize", {"idTag": "AB"})
        assert refused["idTagInfo"]["status"] == "Blocked"
        assert not yard.core.billing.costing._pending, "it is over: nothing waits to be told"
    assert yard.core.billing.prepaid.account(yard.who, made.id).balance == Decimal("-0.05")


async def test_a_charger_that_does_not_answer_keeps_no_other_from_being_stopped(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    await yard.tariff(energy("0.50"))
    await account(yard)
    billing = yard.core.billing
    await billing.change_settings(yard.who, BillingSettings(running_cost_s=60))
    stopped = asyncio.Event()

    def say(action: str, payload: dict[str, Any]) -> dict[str, Any] | str:
        if action == "RemoteStopTransaction":
            stopped.set()
        return accepts(action, payload)

    async def silent(*_: object) -> None:
        await stopped.wait()

    monkeypatch.setattr(billing.devices, "tell_cost", silent)
    async with yard.charger() as slow, yard.charger("ocpp1.6", say, identity="CP2") as charger:
        began = yard.event("Started", 0, 0, 1000, idToken=rfid("GUEST"))
        await slow.call("TransactionEvent", began)
        start = {
            "connectorId": 1, "idTag": "AB", "meterStart": 0, "timestamp": yard.clock.at(0),
        }  # fmt: skip
        ref = (await charger.call("StartTransaction", start))["transactionId"]
        value = [{"timestamp": yard.clock.at(10), "sampledValue": [{"value": "10000"}]}]
        await charger.call(
            "MeterValues", {"connectorId": 1, "transactionId": ref, "meterValue": value}
        )
        async with asyncio.timeout(10):
            await billing.tick()
        assert charger.asked("RemoteStopTransaction") == [{"transactionId": ref}]


async def test_what_was_not_booked_is_booked_once_when_it_is_told_again(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rated, and then the process or the database is gone."""
    await yard.tariff(energy("0.50"))
    made = await account(yard, "20")
    prepaid = yard.core.billing.prepaid
    book = prepaid.book

    async def failing(*_: Any) -> None:
        raise VoltyardError("The database is away.")

    async with yard.charger(VERSION) as charger:
        await charger.call("TransactionEvent", yard.event("Started", 0, 0, 0, idToken=rfid("AB")))
        monkeypatch.setattr(prepaid, "book", failing)
        done = await charger.call("TransactionEvent", yard.event("Ended", 1, 60, 10_000))
        assert done["totalCost"] == 5.0
        assert prepaid.account(yard.who, made.id).balance == 20
        monkeypatch.setattr(prepaid, "book", book)
        yard.clock.at(120)
        for _ in range(2):
            await yard.core.retries.redeliver(yard.core.bus)
    assert prepaid.account(yard.who, made.id).balance == 15
    assert len(await prepaid.entries(yard.who, made.id)) == 2


async def test_a_token_charges_on_one_account_only(yard: Yard) -> None:
    await account(yard, "5", "AB")
    with pytest.raises(Conflict) as told:
        await account(yard, "5", "ab")
    assert told.value.code == "token_taken"


def settlement(yard: Yard, status: str = "Settled", amount: float = 5.0) -> dict[str, Any]:
    return {
        "pspRef": "PSP1",
        "transactionId": "tx-1",
        "status": status,
        "settlementAmount": amount,
        "settlementTime": yard.clock.at(61),
        "vatNumber": "DE136695976",
        "vatCompany": {"name": "N", "address1": "A", "city": "C", "country": "DE"},
    }


async def test_a_card_at_the_terminal_of_a_charger(yard: Yard) -> None:
    """C18, C21, C22: refused first, then settled; told twice, kept once."""
    await yard.tariff(energy("0.50"))
    payments = yard.core.billing.payments
    receipts = replace(yard.core.billing.settings(yard.who), receipt_url="https://receipts.example")
    await yard.core.billing.change_settings(yard.who, receipts)
    card = {**rfid("PSP1", "DirectPayment"), "additionalInfo": [
        {"additionalIdToken": "1234", "type": "cardLast4Digits"}
    ]}  # fmt: skip
    async with yard.charger(VERSION) as charger:
        told = await charger.call("Authorize", {"idToken": card})
        assert told["idTokenInfo"]["status"] == "Accepted"
        limit = {"transactionLimit": {"maxCost": 40.0}}
        await charger.call(
            "TransactionEvent", yard.event("Started", 0, 0, 0, idToken=card, info=limit)
        )
        session = await yard.only()
        [[payment], _] = await payments.payments(yard.who)
        assert (payment.session_id, payment.source) == (session.id, PaymentSource.TERMINAL)
        assert payment.authorised == 40
        assert payment.details["cardLast4Digits"] == "1234"
        await charger.call("TransactionEvent", yard.event("Ended", 1, 60, 10_000))
        assert await charger.call("NotifySettlement", settlement(yard, "Failed")) == {}
        answer = await charger.call("NotifySettlement", settlement(yard))
        assert answer["receiptUrl"] == f"https://receipts.example/{payment.id}"
        assert await charger.call("NotifySettlement", settlement(yard)) == answer
        assert await charger.call("NotifySettlement", settlement(yard, "Settled", 9.0)) == answer
    [[kept], total] = await payments.payments(yard.who)
    assert (total, kept.state, kept.settled) == (1, PaymentState.SETTLED, Decimal("5.0"))
    assert kept.vat_number == "DE136695976"
    view = yard.core.chargers.station_view(yard.who.org_id, yard.station().id)
    assert "settled_otherwise" in view.station.flags


async def test_cards_can_be_refused_and_canceled_after_the_start(yard: Yard) -> None:
    """C18.FR.07, C20.FR.03: nothing was delivered, so nothing is due."""
    await yard.tariff(energy("0.50"), min_total=Decimal(3))
    card = rfid("PSP1", "DirectPayment")
    async with yard.charger(VERSION) as charger:
        await charger.call("TransactionEvent", yard.event("Started", 0, 0, 0, idToken=card))
        done = await charger.call("TransactionEvent", yard.event("Ended", 1, 2, 0))
        assert done["totalCost"] == 0.0
        await charger.call("NotifySettlement", settlement(yard, "Canceled", 0.0))
        [[kept], _] = await yard.core.billing.payments.payments(yard.who)
        assert kept.state is PaymentState.CANCELED
        settings = replace(yard.core.billing.settings(yard.who), direct_payment=False)
        await yard.core.billing.change_settings(yard.who, settings)
        site = await yard.core.sites.get(yard.site_id)
        assert site.unknown_token == "accept"
        told = await charger.call("Authorize", {"idToken": card})
        assert told["idTokenInfo"]["status"] == "Invalid"


async def test_a_payment_canceled_before_anything_began(yard: Yard) -> None:
    """C19: it names no transaction, and none follows."""
    async with yard.charger(VERSION) as charger:
        told = settlement(yard, "Canceled", 0.0)
        del told["transactionId"]
        assert await charger.call("NotifySettlement", told) == {}
    [[kept], _] = await yard.core.billing.payments.payments(yard.who)
    assert (kept.state, kept.session_id) == (PaymentState.CANCELED, None)


async def test_settlement_is_ours_where_the_charger_says_so(yard: Yard) -> None:
    """C21.FR.05: PaymentCtrlr.SettlementByCSMS."""
    await yard.tariff(energy("0.50"))
    billing, provider = yard.core.billing, FakeProvider()
    billing.payments.provider = provider

    def say(action: str, payload: dict[str, Any]) -> dict[str, Any] | str:
        if action != "GetVariables":
            return accepts(action, payload)
        found = []
        for item in payload["getVariableData"]:
            ours = item["component"]["name"] == "PaymentCtrlr"
            known = {"attributeStatus": "Accepted", "attributeValue": "true"}
            found.append({**(known if ours else {"attributeStatus": "UnknownVariable"}), **item})
        return {"getVariableResult": found}

    card = rfid("PSP1", "DirectPayment")
    async with yard.charger(VERSION, say) as charger:
        await yard.told_all()
        await charger.call("TransactionEvent", yard.event("Started", 0, 0, 0, idToken=card))
        provider.refuses = True
        await charger.call("TransactionEvent", yard.event("Ended", 1, 60, 10_000))
        [[kept], _] = await billing.payments.payments(yard.who)
        assert (kept.state, kept.word) == (PaymentState.FAILED, "The card was refused.")
        more = {"info": {"transactionId": "tx-2"}}
        card = rfid("PSP2", "DirectPayment")
        await charger.call(
            "TransactionEvent", yard.event("Started", 0, 61, 0, idToken=card, **more)
        )
        provider.refuses = False
        await charger.call("TransactionEvent", yard.event("Ended", 1, 90, 8_000, **more))
    [[kept, _], _] = await billing.payments.payments(yard.who)
    assert (kept.psp_ref, kept.state, kept.settled) == ("PSP2", PaymentState.SETTLED, Decimal(4))


async def test_the_cost_of_a_kiosks_session_is_settled_with_the_provider(yard: Yard) -> None:
    """C03, C24: authorised elsewhere, started by us, limited, settled when it is over."""
    await yard.tariff(energy("0.50"))
    billing, provider = yard.core.billing, FakeProvider()
    billing.payments.provider = provider
    async with yard.charger(VERSION) as charger:
        asked = Authorised("PSP7", yard.station().id, 1, Decimal(40), "EUR", max_energy_wh=9000.0)
        payment = await billing.payments.authorised(yard.who, asked)
        assert await billing.payments.authorised(yard.who, asked) == payment
        [start] = charger.asked("RequestStartTransaction")
        assert start["idToken"] == {"idToken": "PSP7", "type": "DirectPayment"}
        begun = await charger.call(
            "TransactionEvent",
            yard.event("Started", 0, 0, 0, idToken=start["idToken"]),
        )
        assert begun["transactionLimit"] == {"maxCost": 40.0, "maxEnergy": 9000.0}
        await charger.call("TransactionEvent", yard.event("Updated", 1, 30, 9500))
        await billing.tick()
        assert len(charger.asked("RequestStopTransaction")) == 1
        done = await charger.call("TransactionEvent", yard.event("Ended", 2, 31, 9500))
        assert done["totalCost"] == 4.75
    kept = await billing.payments.payment(yard.who, payment.id)
    assert (kept.state, kept.settled) == (PaymentState.SETTLED, Decimal("4.75"))
    assert kept.receipt_url == "https://psp.example/r/1"
    assert provider.done == [("capture", "PSP7", Decimal("4.75"))]


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
async def test_older_chargers_start_by_a_token_of_ours(yard: Yard, version: str) -> None:
    """C03: the reference of the provider does not fit; what it cost waits for who settles it."""
    await yard.tariff(energy("0.50"))
    payments = yard.core.billing.payments
    async with yard.charger(version) as charger:
        told = Authorised("a reference too long for OCPP 1.6", yard.station().id, 1, Decimal(40))
        payment = await payments.authorised(yard.who, told)
        if version == "ocpp1.6":
            [start] = charger.asked("RemoteStartTransaction")
            assert len(start["idTag"]) == 20
            at = yard.clock.at(0)
            begin = {"connectorId": 1, "idTag": start["idTag"], "meterStart": 0, "timestamp": at}
            ref = (await charger.call("StartTransaction", begin))["transactionId"]
            at = yard.clock.at(30)
            end = {"transactionId": ref, "meterStop": 8000, "timestamp": at}
            await charger.call("StopTransaction", end)
        else:
            [start] = charger.asked("RequestStartTransaction")
            assert start["idToken"]["type"] == "Central"
            token = start["idToken"]
            await charger.call("TransactionEvent", yard.event("Started", 0, 0, 0, idToken=token))
            await charger.call("TransactionEvent", yard.event("Ended", 1, 30, 8000))
    due = await payments.payment(yard.who, payment.id)
    assert (due.state, due.session_id) == (PaymentState.DUE, (await yard.only()).id)


async def test_what_was_reserved_is_released_if_it_does_not_start(yard: Yard) -> None:
    await yard.tariff(energy("0.50"))
    payments, provider = yard.core.billing.payments, FakeProvider()
    payments.provider = provider

    def refusing(action: str, payload: dict[str, Any]) -> dict[str, Any] | str:
        rejected = action == "RequestStartTransaction"
        return {"status": "Rejected"} if rejected else accepts(action, payload)

    async with yard.charger(VERSION, refusing):
        with pytest.raises(ChargerRefused):
            await payments.authorised(yard.who, Authorised("PSP7", yard.station().id, 1))
        with pytest.raises(Invalid):
            await payments.authorised(yard.who, Authorised("", yard.station().id, 1))
    [[kept], _] = await payments.payments(yard.who)
    assert kept.state is PaymentState.FAILED
    assert provider.done == [("cancel", "PSP7", None)]


async def test_a_code_is_scanned_and_paid_by_web(yard: Yard) -> None:
    """C25: the code is of now, the driver is sent to the provider, the outlet is kept."""
    await yard.tariff(energy("0.50"))
    billing, provider = yard.core.billing, FakeProvider()
    billing.payments.provider = provider
    settings = replace(billing.settings(yard.who), pay_url="https://pay.example/qr")
    await billing.change_settings(yard.who, settings)
    async with yard.charger(VERSION) as charger:
        await charger.call("TransactionEvent", yard.event("Started", 0, 0, 0))
        await charger.call("TransactionEvent", yard.event("Ended", 1, 1, 0))
        await billing.payments.offer_web(yard.who, yard.station().id)
        made = {
            each["setVariableData"][0]["variable"]["name"]: each["setVariableData"][0][
                "attributeValue"
            ]
            for each in charger.asked("SetVariables")
        }
        now = yard.clock.now()
        code = totp.password(made["SharedSecret"], now, validity_s=30, length=8)
        address = made["URLTemplate"].format(
            chargingstationid="CP1", evse=1, totp=code, version=made["TOTPVersion"]
        )
        url = urlsplit(f"{address}?maxcost=20&colour=red")
        assert url.path == f"/qr/CP1/1/{code}/v1"
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        found = await billing.payments.begin_web(yard.station(), 1, code, "v1", query)
        assert found.url.startswith("https://psp.example/")
        assert provider.done == [("begin", "EUR", Decimal("20.00"))]
        assert charger.asked("NotifyWebPaymentStarted") == [{"evseId": 1, "timeout": 300}]
        for wrong in ("aaaaaaaa", totp.password("x", now, validity_s=30, length=8)):
            with pytest.raises(Forbidden):
                await billing.payments.begin_web(yard.station(), 1, wrong, "v1", {})
        told = Authorised("psp-web-1", yard.station().id, 1, source=PaymentSource.WEB)
        payment = await billing.payments.authorised(yard.who, told)
        assert (payment.authorised, payment.source) == (Decimal("20.00"), PaymentSource.WEB)
        [start] = charger.asked("RequestStartTransaction")
        assert start["idToken"]["type"] == "DirectPayment"


async def test_vat_numbers_are_looked_at_and_it_is_said_how(yard: Yard) -> None:
    async with yard.charger(VERSION) as charger:
        right = await charger.call("VatNumberValidation", {"vatNumber": "DE136695976", "evseId": 1})
        assert (right["status"], right["evseId"]) == ("Accepted", 1)
        assert right["statusInfo"]["reasonCode"] == "OfflineCheck"
        assert "no register was asked" in right["statusInfo"]["additionalInfo"]
        assert "company" not in right
        wrong = await charger.call("VatNumberValidation", {"vatNumber": "DE136695977"})
        assert (wrong["status"], wrong["statusInfo"]["reasonCode"]) == ("Rejected", "InvalidValue")


def test_vat_numbers_of_other_countries() -> None:
    assert checked_vat("GB 980 7806 84").valid
    assert checked_vat("NL4495445B01").valid
    assert checked_vat("CHE-100.155.212").valid
    assert not checked_vat("").valid
    assert not checked_vat("ZZ1").valid


@pytest.mark.parametrize("query", [{"maxcost": "-1"}, {"maxenergy": "NaN"}, {"maxtime": "x"}])
def test_wishes_that_are_none_are_refused(query: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        totp.wishes(query)
