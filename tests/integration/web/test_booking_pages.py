"""Pages of bay bookings over the real services: made, refused, lifted, cancelled, repeated."""

import re
from datetime import timedelta

from console_world import World

from voltyard.sites.commands import SiteDraft


async def test_a_bay_is_booked_and_let_go(world: World) -> None:
    site = world.core.chargers.list_stations(world.who.org_id)[0].station.site_id
    base = f"/sites/{site}/bookings"
    html = await world.page(base)
    assert "Bookings are not enforced at this site." in html
    answer = await world.post(
        f"{base}/rules", f"{base}/rules", mode="strict", before_min="10", after_min="0"
    )
    assert answer.status_code == 303
    new = await world.page(f"{base}/new")
    places = re.findall(r'value="((?:bay|evse):[0-9a-f-]{36})"', new)
    vehicles = await world.core.fleets.all(world.who.org_id)
    now = world.core.clock.now()
    values = {
        "place": places[0],
        "vehicle_id": str(vehicles[0].id),
        "from_at": (now + timedelta(hours=1)).isoformat(),
        "until_at": (now + timedelta(hours=3)).isoformat(),
    }
    assert (await world.post(f"{base}/new", f"{base}/new", **values)).status_code == 303
    again = await world.post(f"{base}/new", f"{base}/new", **values)
    assert (again.status_code, "keeps this place" in again.text) == (422, True)
    chart, table = await world.page(base), await world.page(f"{base}?view=table")
    assert "10 min kept free before" in chart
    assert vehicles[0].name in chart
    (one,) = set(re.findall(rf'href="({base}/[0-9a-f-]{{36}})"', table))
    silent = await world.post(f"{one}/lift", one, reason=" ")
    assert silent.status_code == 422
    assert (await world.post(f"{one}/lift", one, reason="=workshop")).status_code == 303
    assert "=workshop" in await world.page(one)
    assert "'=workshop" in await world.page(f"{base}.csv"), "no formula for a spreadsheet"
    assert (await world.post(f"{one}/cancel", one)).status_code == 303
    assert "No booking in this time" in await world.page(f"{base}?view=table")
    assert "Cancelled" in await world.page(f"{base}?view=table&state=cancelled")
    series = values | {"place": places[-1], "day_0": "on", "day_3": "on"}
    assert (await world.post(f"{base}/new", f"{base}/new", **series)).status_code == 303
    assert "End the series" in await world.page(base)


async def test_bays_are_suggested_and_taken_over(world: World) -> None:
    site = world.core.chargers.list_stations(world.who.org_id)[0].station.site_id
    assert site is not None
    page = f"/sites/{site}/bay-plan"
    bays = await world.core.sites.bays(world.who, site)
    lanes = {f"lane-{bay.id}": "Lane 1" for bay in bays}
    places = {f"at-{bay.id}": str(index) for index, bay in enumerate(bays)}
    assert (await world.post(f"{page}/lanes", page, **lanes, **places)).status_code == 303
    assert {bay.lane for bay in await world.core.sites.bays(world.who, site)} == {"Lane 1"}
    html = await world.page(f"{page}?afresh=on")
    chosen = dict(re.findall(r'name="(duty-[0-9a-f-]{36})" value="([0-9a-f-]{36})"', html))
    assert chosen
    answer = await world.post(page, page, **chosen)
    assert answer.status_code == 303
    kept = await world.page(page)
    assert "suggested" not in kept
    assert "vehicle,arrives_at" in await world.page(f"{page}.csv")
    wrong = {name: str(site) for name in chosen}
    assert (await world.post(page, page, **wrong)).status_code == 422


async def test_a_site_of_any_name_has_its_exports(world: World) -> None:
    site = await world.core.sites.site(world.who, world.site_id)
    await world.core.sites.update_site(
        world.who, site.id, SiteDraft('Łódź – "Nord"', timezone=site.timezone)
    )
    for path in ("bookings", "bay-plan", "board", "timetable"):
        answer = await world.client.get(f"/sites/{site.id}/{path}.csv")
        assert answer.status_code == 200, path
        disposition = answer.headers["content-disposition"]
        assert f'filename="{path}-__d_ _ _Nord_.csv"' in disposition, disposition
        assert f"filename*=UTF-8''{path}-%C5%81%C3%B3d%C5%BA%20" in disposition
