"""Site meters and prices by REST."""

from datetime import timedelta

from api_world import Tenant, World

from voltyard.tenancy.model import Permission


async def test_readings_are_pushed_kept_and_shown_with_their_age(
    world: World, tenant: Tenant
) -> None:
    ids = await world.furnish(tenant)
    path, now = f"/site-meters/{ids['meter']}", world.core.clock.now()
    sent = [
        {"power_w": 40_000, "at": (now - timedelta(seconds=40)).isoformat()},
        {"power_w": 50_000, "at": (now - timedelta(seconds=20)).isoformat(), "energy_wh": 7},
        {"power_w": 9e8, "at": (now - timedelta(seconds=10)).isoformat()},
    ]
    assert (await tenant.post(f"{path}/readings", sent, status=200)) == {"taken": 2}
    assert (await tenant.post(f"{path}/readings", sent[:1], status=200)) == {"taken": 0}
    shown = await tenant.get(path)
    assert (shown["power_w"], shown["energy_wh"], shown["rejected"]) == (50_000, 7, 1)
    assert 19 <= shown["age_s"] <= 60
    await world.core.inputs.meters.tick()
    kept = (await tenant.get(f"{path}/readings"))["readings"]
    assert sum(row["readings"] for row in kept) == 2
    assert max(row["highest_w"] for row in kept) == 50_000
    metered = (await tenant.get(f"/sites/{ids['site']}/site-meters"))[0]
    assert (metered["quality"], metered["covers"]) == ("held", "all")


async def test_a_meter_is_set_up_with_everything_that_is_wrong_told(
    world: World, tenant: Tenant
) -> None:
    ids = await world.furnish(tenant)
    path = f"/sites/{ids['site']}/site-meters"
    wrong = {"node_id": str(ids["node"]), "name": "M", "protocol": "modbus", "hold_s": 1}
    answer = await tenant.call("POST", path, json=wrong)
    assert answer.status_code == 422
    assert {"hold_s", "host", "port", "points"} <= set(answer.text.replace('"', " ").split())
    points = [{"quantity": "power", "unit": "kW", "address": 10, "kind": "f32"}]
    to = {"host": "meter.example", "port": 502}
    second = {**wrong, "hold_s": 60, "connection": to, "points": points}
    assert (await tenant.call("POST", path, json=second)).status_code == 409
    made = await tenant.post(path, {**second, "covers": "other", "password": "secret"})
    assert made["points"][0]["kind"] == "f32"
    assert "secret" not in str(made)
    changed = {**second, "covers": "other", "name": "Hall", "enabled": False}
    assert (await tenant.put(f"/site-meters/{made['id']}", changed))["quality"] == "off"
    gone = await tenant.call("DELETE", f"/site-meters/{made['id']}")
    assert gone.status_code == 204
    assert len(await tenant.get(path)) == 1


async def test_nobody_meets_the_meters_and_prices_of_others(world: World, tenant: Tenant) -> None:
    ids = await world.furnish(tenant)
    other = await world.tenant("Other")
    viewer = await world.key(tenant.who, tenant.email, frozenset({Permission.VIEW}))
    for path in (
        f"/site-meters/{ids['meter']}",
        f"/site-meters/{ids['meter']}/readings",
        f"/sites/{ids['site']}/site-meters",
        f"/sites/{ids['site']}/tariff",
        f"/sites/{ids['site']}/prices",
        f"/sites/{ids['site']}/peaks",
    ):
        assert (await other.call("GET", path)).status_code == 404
        assert (await viewer.call("GET", path)).status_code == 200
    tariff = {"demand_per_kw": 10}
    for who, status in ((other, 404), (viewer, 403)):
        sent = await who.call("PUT", f"/sites/{ids['site']}/tariff", json=tariff)
        assert sent.status_code == status
        pushed = await who.call(
            "POST", f"/site-meters/{ids['meter']}/readings", json=[{"power_w": 1}]
        )
        assert pushed.status_code == status


async def test_prices_come_in_bridged_ones_are_flagged_and_plans_weigh_them(
    world: World, tenant: Tenant
) -> None:
    ids = await world.furnish(tenant)
    path, now = f"/sites/{ids['site']}", world.core.clock.now()
    first = now.replace(minute=0, second=0, microsecond=0)
    tariff = {
        "source": "csv",
        "markup_per_kwh": 0.01,
        "taxes_per_kwh": 0.02,
        "fees": [{"price_per_kwh": 0.05}],
        "vat_pct": 10,
        "export_per_kwh": 0.07,
        "demand_per_kw": 120,
        "objective": "cost",
    }
    kept = await tenant.put(f"{path}/tariff", tariff)
    assert (kept["objective"], kept["fees"][0]["weekdays"]) == ("cost", list(range(7)))
    rows = [f"{(first + timedelta(hours=h)).isoformat()},{100 + h}" for h in range(3)]
    body = "\n".join(["start_at,price_per_mwh", *rows])
    sent = await tenant.call("POST", f"{path}/prices/file?shape=csv", content=body.encode())
    assert sent.json() == {"count": 3}, sent.text
    window = {"since": first.isoformat(), "until": (first + timedelta(hours=4)).isoformat()}
    found = await tenant.get(f"{path}/prices", params=window)
    assert [price["bridged"] for price in found["energy"]] == [False] * 12 + [True] * 4
    assert found["energy"][4]["value"] == 101
    assert round(found["total"][0]["value"], 6) == round((100 + 10 + 50 + 20) * 1.1, 6)
    assert found["export"][0]["value"] == 70
    weighed = world.core.inputs.prices.plan_prices(ids["site"], first, first + timedelta(hours=4))
    assert (len(weighed.steps), weighed.mode) == (16, "cost")
    assert weighed.demand_price_per_kw > 0
    nonsense = await tenant.call("POST", f"{path}/prices/file?shape=entsoe", content=b"<a/>")
    assert nonsense.status_code == 422


async def test_the_peak_of_the_period_is_kept_from_measurements(
    world: World, tenant: Tenant
) -> None:
    ids = await world.furnish(tenant)
    await tenant.put(f"/sites/{ids['site']}/tariff", {"demand_per_kw": 10})
    prices = world.core.inputs.prices
    from voltyard.energy.prices.service import _Quarter

    at = world.core.clock.now() - timedelta(hours=1)
    prices._ended(ids["site"], _Quarter(at, 900.0 * 80_000.0, 900.0))
    prices._ended(ids["site"], _Quarter(at, 900.0 * 60_000.0, 900.0))
    await prices.tick()
    (peak,) = await tenant.get(f"/sites/{ids['site']}/peaks")
    assert (peak["peak_w"], peak["metered"]) == (80_000, True)
    assert prices.plan_prices(ids["site"], at, at + timedelta(hours=1)).peak_so_far_w == 80_000
