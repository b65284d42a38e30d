"""Tariffs, costs, prepaid accounts and payments by REST."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from api_world import Tenant, World
from technician import Played, plug

from voltyard.billing import totp
from voltyard.billing.ports import Checkout, Receipt
from voltyard.sessions.model import IdToken, MeterReading, Phase, TransactionReport
from voltyard.tenancy.model import Permission

DAY = {
    "name": "Day",
    "terms": {
        "currency": "EUR",
        "components": [
            {
                "kind": "energy",
                "prices": [
                    {"amount": "0.25", "when": {"from_time": "22:00", "until_time": "06:00"}},
                    {"amount": "0.49"},
                ],
                "taxes": [{"name": "VAT", "percent": "19"}],
            },
            {"kind": "idle_time", "prices": [{"amount": "0.10", "when": {"after_minutes": 30}}]},
        ],
    },
}


async def test_a_tariff_is_made_changed_used_and_retired(world: World, tenant: Tenant) -> None:
    made = await tenant.post("/tariffs", DAY)
    assert made["number"] == 1
    assert made["text"] == (
        "€0.25/kWh (22:00–06:00), €0.49/kWh, €0.10/min when not charging (after 30 min), incl. tax"
    )
    path = f"/tariffs/{made['id']}"
    changed = await tenant.put(path, {**DAY, "name": "Day and night"})
    assert (changed["number"], changed["name"]) == (2, "Day and night")
    versions = (await tenant.get(f"{path}/versions"))["items"]
    assert [each["name"] for each in versions] == ["Day and night", "Day"]
    row = await tenant.post(
        "/tariff-assignments", {"tariff_id": made["id"], "target": "organisation"}
    )
    again = {"tariff_id": made["id"], "target": "organisation"}
    assert (await tenant.call("POST", "/tariff-assignments", json=again)).status_code == 409
    assert (await tenant.call("DELETE", path)).json()["code"] == "in_use"
    assert (await tenant.call("DELETE", f"/tariff-assignments/{row['id']}")).status_code == 204
    assert (await tenant.call("DELETE", path)).json()["retired"] is True
    assert (await tenant.get("/tariffs"))["items"] == []
    assert len((await tenant.get("/tariffs?retired=true"))["items"]) == 1
    actions = [entry["action"] for entry in (await tenant.get("/audit"))["items"]]
    assert actions.count("billing.tariff.change") == 1


async def test_what_cannot_be_reckoned_with_is_refused_by_field(tenant: Tenant) -> None:
    wrong: Any = {
        "name": "X",
        "terms": {
            "currency": "XQQ",
            "min_total": "5",
            "max_total": "1",
            "components": [
                {"kind": "fixed", "prices": [{"amount": "1", "when": {"after_minutes": 5}}]},
                {"kind": "fixed", "prices": [{"amount": "-1"}]},
            ],
        },
    }
    answer = await tenant.call("POST", "/tariffs", json=wrong)
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {
        "currency",
        "components",
        "components[0].prices[0].when.after_minutes",
        "components[1].prices[0].amount",
    }
    unknown = {"tariff_id": str(uuid4()), "target": "site", "ref": "x"}
    assert (await tenant.call("POST", "/tariff-assignments", json=unknown)).status_code == 404
    settings = await tenant.call("PUT", "/billing-settings", json={"pay_url": "http://x"})
    assert settings.status_code == 422


async def charged(world: World, tenant: Tenant, link: Played) -> str:
    """A session of 10 kWh; its id."""
    now = world.core.clock.now()
    hour = timedelta(hours=1)
    for phase, seq_no, wh in ((Phase.STARTED, 0, 0.0), (Phase.ENDED, 1, 10_000.0)):
        at = now - hour if phase is Phase.STARTED else now
        report = TransactionReport(
            phase, at, f"m{seq_no}", evse_number=1, transaction_ref="tx-1", seq_no=seq_no,
            readings=(MeterReading(at, wh),), id_token=IdToken("AB") if seq_no == 0 else None,
        )  # fmt: skip
        await world.core.sessions.report(link.station, report)
    [session] = (await tenant.get("/sessions"))["items"]
    return str(session["id"])


async def test_the_cost_of_a_session_is_told_line_by_line(world: World, tenant: Tenant) -> None:
    made = await tenant.post("/tariffs", DAY)
    await tenant.post("/tariff-assignments", {"tariff_id": made["id"], "target": "organisation"})
    account = await tenant.post(
        "/prepaid-accounts", {"name": "Ada", "currency": "EUR", "tokens": ["ab"]}
    )
    booked = await tenant.post(f"/prepaid-accounts/{account['id']}/bookings", {"amount": "20"})
    assert (booked["balance"], booked["free"]) == ("20", "20")
    link = await plug(world, tenant, version="2.0.1")
    cost = await tenant.get(f"/sessions/{await charged(world, tenant, link)}/cost")
    assert (cost["gross"], cost["currency"], cost["state"]) == ("4.90", "EUR", "final")
    assert [(line["what"], line["price"]) for line in cost["lines"]] == [("energy", "0.49")]
    assert cost["taxes"] == [{"percent": "19", "net": "4.12", "tax": "0.78"}]
    left = await tenant.get(f"/prepaid-accounts/{account['id']}")
    assert left["balance"] == "15.10"
    kinds = [
        row["kind"]
        for row in (await tenant.get(f"/prepaid-accounts/{account['id']}/bookings"))["items"]
    ]
    assert kinds == ["session", "top_up"]
    over = {"tariff_id": made["id"]}
    path = f"/sessions/{cost['session_id']}/running-tariff"
    assert (await tenant.call("PUT", path, json=over)).status_code == 409


async def test_a_kiosk_starts_and_settles(world: World, tenant: Tenant) -> None:
    made = await tenant.post("/tariffs", DAY)
    await tenant.post("/tariff-assignments", {"tariff_id": made["id"], "target": "organisation"})
    link = await plug(world, tenant, version="2.1")
    kiosk = await world.key(
        tenant.who, "kiosk@example.org", frozenset({Permission.VIEW, Permission.PAYMENTS_WRITE})
    )
    told = {
        "psp_ref": "AB", "station_id": str(link.station.id), "evse_number": 1, "amount": "30",
        "currency": "EUR",
    }  # fmt: skip
    begun = await kiosk.post("/payments", told, 200)
    assert begun["state"] == "authorised"
    assert (await kiosk.post("/payments", told, 200))["id"] == begun["id"]
    await charged(world, tenant, link)
    [due] = (await kiosk.get("/payments?state=due"))["items"]
    assert due["id"] == begun["id"]
    done = await kiosk.post(f"/payments/{due['id']}/settlement", {"amount": "4.90"}, 200)
    assert (done["state"], done["settled"]) == ("settled", "4.90")
    again = await kiosk.call("POST", f"/payments/{due['id']}/settlement", json={"amount": "4.90"})
    assert again.status_code == 409
    assert (await kiosk.call("POST", "/tariffs", json=DAY)).status_code == 403


class Provider:
    async def begin(self, amount: Any, currency: str, reference: str, return_url: str) -> Checkout:
        return Checkout(f"https://psp.example/{amount}", "psp-1")

    async def capture(self, psp_ref: str, amount: Any, currency: str) -> Receipt:
        return Receipt()

    async def cancel(self, psp_ref: str) -> None:
        """Nothing is reserved."""


async def test_a_code_leads_to_the_provider_only_while_it_is_of_now(
    world: World, tenant: Tenant
) -> None:
    made = await tenant.post("/tariffs", DAY)
    await tenant.post("/tariff-assignments", {"tariff_id": made["id"], "target": "organisation"})
    link = await plug(world, tenant, version="2.1")
    path = f"/stations/{link.station.id}/web-payment"
    assert (await tenant.call("POST", path, json={})).json()["code"] == "no_pay_url"
    await tenant.put("/billing-settings", {"pay_url": "https://voltyard.example/pay"})

    def say(action: str, payload: Any) -> Any:
        if action != "SetVariables":
            return {}
        item = payload["setVariableData"][0]
        place = {key: item[key] for key in ("component", "variable")}
        return {"setVariableResult": [{"attributeStatus": "Accepted", **place}]}

    link.say = say
    answers = (await tenant.post(path, {}, 200))["answers"]
    assert answers["SharedSecret"] == "Accepted"
    sent = {
        item["variable"]["name"]: item["attributeValue"]
        for action, payload in link.heard
        if action == "SetVariables"
        for item in payload["setVariableData"]
    }
    code = totp.password(sent["SharedSecret"], world.core.clock.now(), validity_s=30, length=8)
    await world.core.chargers.ensure_evse(link.station, 1)
    refused = await world.client.get("/pay/CP-1/1/wrong/v1")
    assert (refused.status_code, refused.json()["code"]) == (403, "code_expired")
    alone = await world.client.get(f"/pay/CP-1/1/{code}/v1")
    assert (alone.status_code, alone.json()["code"]) == (409, "no_provider")
    world.core.billing.payments.provider = Provider()
    found = await world.client.get(f"/pay/CP-1/1/{code}/v1?maxcost=12")
    assert (found.status_code, found.headers["location"]) == (303, "https://psp.example/12.00")
    assert (await world.client.get("/pay/CP-9/1/x/v1")).status_code == 404
    assert UUID((await tenant.get("/payments?state=asked"))["items"][0]["id"])


async def test_vat_numbers(tenant: Tenant) -> None:
    found = await tenant.get("/vat-numbers/DE136695976")
    assert found == {
        "valid": True,
        "why": "Form and check digits are right; no register was asked.",
    }
    assert (await tenant.get("/vat-numbers/DE1"))["valid"] is False
