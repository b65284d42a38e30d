"""Pages of tariffs and what sessions cost, over the real rooms."""

import csv
from datetime import date, time, timedelta
from decimal import Decimal
from io import StringIO
from uuid import UUID

from console_world import PASSWORD, World

from voltyard.billing.commands import NewAssignment
from voltyard.billing.model import Component, Kind, Price, Target, Tariff, TaxRate, Terms, When
from voltyard.sessions.model import MeterReading, Phase, SessionFilter, TransactionReport
from voltyard.tenancy.model import Role
from voltyard.tenancy.service import NewUser

FORM = {
    "name": "Day and night",
    "currency": "eur",
    "tax_mode": "gross",
    "tax_pct": "19",
    "free": "on",
    "energy_0_amount": "0,25",
    "energy_0_from": "22:00",
    "energy_0_until": "06:00",
    "energy_1_amount": "0.49",
    "energy_1_days": "work",
    "energy_2_amount": "0.39",
    "idle_time_0_amount": "0.10",
    "idle_time_0_after": "30",
}


async def tariff(world: World, terms: Terms, name: str = "Day") -> Tariff:
    billing = world.core.billing
    made = await billing.create(world.who, name, terms)
    await billing.assign(world.who, NewAssignment(made.id, Target.ORGANISATION))
    return made


async def charged(world: World) -> UUID:
    """A session of 10 kWh at the second station; its id."""
    station = world.core.chargers.list_stations(world.who.org_id)[1].station.ref
    now = world.core.clock.now()
    for phase, seq_no, wh, minutes in ((Phase.STARTED, 0, 0.0, 30), (Phase.ENDED, 1, 1e4, 1)):
        at = now - timedelta(minutes=minutes)
        report = TransactionReport(
            phase, at, f"c{seq_no}", evse_number=1, transaction_ref="tx-c", seq_no=seq_no,
            readings=(MeterReading(at, wh),),
        )  # fmt: skip
        await world.core.sessions.report(station, report)
    found = await world.core.sessions.page(world.who.org_id, SessionFilter(text="tx-c"))
    return found.sessions[0].id


async def test_a_tariff_is_made_with_the_form_changed_and_given(world: World) -> None:
    assert "No tariff yet" in await world.page("/tariffs")
    answer = await world.post("/tariffs/new", "/tariffs/new", **FORM)
    assert answer.status_code == 303, answer.text[-900:]
    [made] = world.core.billing.tariffs(world.who)
    energy = made.terms.component(Kind.ENERGY)
    assert energy is not None
    assert energy.prices == (
        Price(Decimal("0.25"), When(time(22), time(6))),
        Price(Decimal("0.49"), When(weekdays=(0, 1, 2, 3, 4))),
        Price(Decimal("0.39")),
    )
    assert energy.taxes == (TaxRate("VAT", Decimal(19)),)
    path = f"/tariffs/{made.id}"
    assert 'value="22:00"' in await world.page(path)
    again = await world.post(path, path, **{**FORM, "energy_2_amount": "0.35"})
    assert again.status_code == 303
    assert world.core.billing.tariff(world.who, made.id).number == 2
    given = {"tariff_id": str(made.id), "target": "site", "site": str(world.site_id)}
    assert (await world.post("/tariffs/assign", "/tariffs", **given)).status_code == 303
    [row] = world.core.billing.assignments(world.who)
    assert (row.target, row.ref) == (Target.SITE, str(world.site_id))
    twice = await world.post("/tariffs/assign", "/tariffs", **given)
    assert twice.status_code == 422
    assert "There is a tariff for that already." in twice.text
    used = await world.post(f"{path}/retire", path)
    assert used.status_code == 422
    assert "in use" in used.text
    gone = await world.post(f"/tariffs/assignments/{row.id}/delete", "/tariffs")
    assert gone.status_code == 303
    assert (await world.post(f"{path}/retire", path)).status_code == 303


async def test_what_makes_no_sense_is_shown_at_its_field(world: World) -> None:
    wrong = {**FORM, "energy_0_amount": "much", "energy_0_from": "late", "currency": "EUR"}
    answer = await world.post("/tariffs/new", "/tariffs/new", **wrong)
    assert answer.status_code == 422
    assert "An amount such as 0.49" in answer.text
    assert 'value="much"' in answer.text
    none = await world.post("/tariffs/new", "/tariffs/new", name="X", currency="EUR")
    assert "Give at least one price" in none.text


async def test_a_tariff_that_says_more_than_the_form_is_not_spoilt_by_it(world: World) -> None:
    dated = Price(Decimal("0.10"), When(from_date=date(2027, 1, 1)))
    made = await tariff(world, Terms("EUR", (Component(Kind.ENERGY, (dated,)),)))
    page = await world.page(f"/tariffs/{made.id}")
    assert "more than the form can show" in page
    assert 'name="energy_0_amount"' not in page


async def test_the_cost_is_on_the_sessions_page_in_the_table_and_in_the_export(
    world: World,
) -> None:
    assert '<th class="r">Cost</th>' not in await world.page("/sessions")
    vat = (TaxRate("VAT", Decimal(19)),)
    terms = Terms("EUR", (Component(Kind.ENERGY, (Price(Decimal("0.50")),), vat),))
    await tariff(world, terms, "Ours <b>")
    ended_id = await charged(world)
    page = await world.page("/sessions")
    assert '<th class="r">Cost</th>' in page
    cost = await world.page(f"/sessions/{ended_id}/cost")
    rows = list(csv.DictReader(StringIO(await world.page("/sessions.csv"))))
    assert {"cost", "currency", "cost_state"} <= set(rows[0])
    assert f"/sessions/{ended_id}/cost" in await world.page(f"/sessions/{ended_id}")
    for text in ("€5.00", "€4.20", "€0.80", "10 kWh", "Ours &lt;b&gt;", "At its end"):
        assert text in cost
    assert "€5.00" in page
    [row] = [row for row in rows if row["id"] == str(ended_id)]
    assert (row["cost"], row["currency"], row["cost_state"]) == ("5.00", "EUR", "final")


async def test_settings_and_who_may(world: World) -> None:
    form = {
        "running_cost_s": "60", "language": "de", "show_tariff": "on",
        "fallback_tariff": "Fragen Sie am Tor.", "pay_url": "https://pay.example",
    }  # fmt: skip
    saved = await world.post("/tariffs/settings", "/tariffs/settings", **form)
    assert saved.status_code == 303
    settings = world.core.billing.settings(world.who)
    assert (settings.running_cost_s, settings.language) == (60, "de")
    assert settings.direct_payment is False
    wrong = await world.post("/tariffs/settings", "/tariffs/settings", **{**form, "pay_url": "x"})
    assert wrong.status_code == 422
    viewer = NewUser("viewer@example.org", "V", Role.VIEWER, PASSWORD)
    await world.core.tenancy.create_user(world.who, viewer)
    await world.client.post("/logout", data={})
    world.client.cookies.clear()
    values = {"email": "viewer@example.org", "password": PASSWORD}
    assert (await world.post("/login", "/login", **values)).status_code == 303
    assert "New tariff" not in await world.page("/tariffs")
    await world.page("/tariffs/new", 403)
    refused = await world.post("/tariffs/new", "/sessions", **FORM)
    assert refused.status_code in (403, 422) or refused.status_code >= 400
