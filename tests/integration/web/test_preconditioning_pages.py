"""Pages of preconditioning and of vehicles with VDV 261, over the real rooms."""

import re
from datetime import timedelta

from console_world import World

from voltyard.preconditioning.model import RunState

RULE = {
    "name": "Winter",
    "kind": "heating",
    "power_kw": "12,5",
    "start": "before",
    "start_min": "40",
    "end": "before",
    "end_min": "0",
    "enabled": "on",
}
VIN = "WEB62804113456789"


async def test_a_rule_is_entered_and_its_departures_are_shown_everywhere(world: World) -> None:
    assert "No rule yet" in await world.page("/preconditioning/rules")
    bad = await world.post("/preconditioning/rules/new", **RULE | {"start": "at"})
    assert bad.status_code == 422
    assert "This is needed" in bad.text
    assert (await world.post("/preconditioning/rules/new", **RULE)).status_code == 303
    listed = await world.page("/preconditioning/rules")
    assert "40 min before" in listed
    rule = re.search(r"/preconditioning/rules/([0-9a-f-]{36})", listed)
    assert rule
    await world.core.preconditioning.tick()
    page = await world.page("/preconditioning")
    assert page.count("Planned") >= 8
    board = await world.page(f"/sites/{world.site_id}/board")
    assert "Heating" in board
    assert "g-heat" in await world.page(
        f"/sites/{world.site_id}/timetable?from="
        f"{(world.core.clock.now() + timedelta(hours=8)):%Y-%m-%dT%H:%M}"
    )
    assert (await world.client.get("/preconditioning.csv")).text.count("planned") == 8
    assert (await world.post(f"/preconditioning/rules/{rule[1]}", **RULE)).status_code == 303
    deleted = await world.post(f"/preconditioning/rules/{rule[1]}/delete")
    assert deleted.status_code == 303
    await world.core.preconditioning.tick()
    assert "Nothing to precondition" in await world.page("/preconditioning")


async def test_a_dispatcher_asks_for_one_departure_and_takes_it_back(world: World) -> None:
    duties = await world.core.timetable.duties(
        world.who.org_id, world.site_id, world.depot.start_at, world.depot.end_at
    )
    duty = duties[0]
    path = f"/duties/{duty.id}/preconditioning"
    assert "Nothing is planned" in await world.page(path)
    asked = await world.post(path, path, kind="cooling", power_kw="8")
    assert asked.status_code == 303
    shown = await world.page(path)
    assert "Cooling" in shown
    assert "By hand" in shown
    refused = await world.post(path, path, kind="cooling", power_kw="900")
    assert refused.status_code == 422
    assert (await world.post(f"{path}/withdraw", path)).status_code == 303
    assert "Nothing is planned" in await world.page(path)
    runs, _ = await world.core.preconditioning.runs(world.who, states=(RunState.PLANNED,))
    assert runs == []


async def test_a_vehicle_is_let_in_and_what_it_tells_is_shown(world: World) -> None:
    (vehicle, *_) = await world.core.fleets.all(world.who.org_id)
    path = f"/vehicles/{vehicle.id}/vdv261"
    assert (await world.post(path, path, vin="short", enabled="on")).status_code == 422
    made = await world.post(path, path, vin=VIN, enabled="on")
    assert made.status_code == 200
    found = re.search(r'<code class="mono" tabindex="0">([^<]+)</code>', made.text)
    assert found
    desk = world.core.preconditioning.vdv261
    body = b'{"seq": 0, "vin": "%s", "odo": 4711, "prec_reqtime": 20}' % VIN.encode()
    password = found[1].replace("&#39;", "'").replace("&amp;", "&")
    await desk.receive(1, VIN, password, body)
    shown = await world.page(path)
    assert "4711" in shown
    assert "driveoff" in shown
    assert found[0] not in shown
    assert VIN in await world.page("/vdv261")
    coding = await world.page("/vdv261/coding")
    assert "Minutes until departure" in coding
    values = dict(re.findall(r'name="([a-z_0-9]+)" type="text" value="([^"]*)"', coding))
    values = {name: value for name, value in values.items() if name != "csrf"}
    changed = await world.post(
        "/vdv261/coding", "/vdv261/coding", **values | {"driveoff": "minute_of_day"}
    )
    assert changed.status_code == 303, changed.text[-2000:]
    assert desk.coding(world.who.org_id).driveoff.value == "minute_of_day"
    wrong = await world.post(
        "/vdv261/coding", "/vdv261/coding", **values | {"charging": "0 sleeping"}
    )
    assert wrong.status_code == 422
    assert (await world.post(f"{path}/delete", path)).status_code == 303
    assert VIN not in await world.page("/vdv261")
