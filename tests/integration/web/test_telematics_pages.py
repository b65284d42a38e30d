"""Pages of telematics and what the page of a vehicle says of its charge, over the real rooms."""

import html
import re
from datetime import timedelta

from console_world import World

from voltyard.telematics.model import Told


def words(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", page))


async def test_a_webhook_is_set_up_and_its_secret_is_shown_once(world: World) -> None:
    assert "No connection yet" in await world.page("/telematics")
    kinds = await world.page("/telematics/new")
    assert "MyGeotab is asked" in words(kinds)
    new = "/telematics/new?kind=webhook"
    values = {"kind": "webhook", "name": "Box", "enabled": "on", "silent_min": "30"}
    bad = await world.post("/telematics/new", new, **values, fields="speed = v")
    assert bad.status_code == 422
    assert "there is no speed" in bad.text
    made = await world.post("/telematics/new", new, **values, fields="soc_pct = battery.level")
    assert made.status_code == 201
    secret = re.search(r'<code class="mono" tabindex="0">([^<]+)</code>', made.text)
    path = re.search(r"/telematics/([0-9a-f-]{36})/settings", made.text)
    assert secret
    assert path
    page = await world.page(f"/telematics/{path[1]}")
    assert html.unescape(secret[1]) not in html.unescape(page)
    assert "/telematics/in/" in page
    settings = f"/telematics/{path[1]}/settings"
    assert "soc_pct = battery.level" in await world.page(settings)
    again = await world.post(settings, settings, **values | {"name": "Box 2", "enabled": ""})
    assert again.status_code == 303
    assert "Switched off" in await world.page("/telematics")
    assert (await world.post(f"/telematics/{path[1]}/secret")).status_code == 200
    assert (await world.post(f"/telematics/{path[1]}/delete")).status_code == 303
    await world.page(f"/telematics/{path[1]}", 404)


async def test_a_system_that_cannot_be_reached_says_so_on_its_page(world: World) -> None:
    new = "/telematics/new?kind=samsara"
    values = {"kind": "samsara", "name": "Samsara", "enabled": "on", "poll_s": "30"}
    missing = await world.post("/telematics/new", new, **values)
    assert missing.status_code == 422
    assert "is needed to get in" in missing.text
    given = {**values, "password": "top secret", "url": "http://10.1.2.3:9"}
    made = await world.post("/telematics/new", new, **given)
    assert made.status_code == 303
    page = made.headers["location"].partition("?")[0]
    tried = await world.post(f"{page}/test", page)
    assert "It failed: This host is inside a network that is not allowed." in words(tried.text)
    shown = words(await world.page(page))
    assert "Fails, is tried again" in shown
    assert "top secret" not in await world.page(f"{page}/settings")
    await world.core.telematics.poller.close()


async def test_a_vehicle_says_what_counts_and_who_is_silent(world: World) -> None:
    core, now = world.core, world.core.clock.now()
    (bus, *_) = await core.fleets.own(world.who.org_id)
    room = core.telematics.service
    path = f"/vehicles/{bus.id}"
    assert "State of charge" in await world.page(path)
    told = Told(
        now - timedelta(minutes=6),
        vehicle_id=bus.id,
        soc_pct=43.0,
        departure_at=now + timedelta(hours=9),
    )
    await room.report(world.who, "Geotab", [told])
    await room.report(world.who, "Box", [Told(now, vehicle_id=bus.id, soc_pct=143.0)])
    page = words(await world.page(path))
    assert re.search(r"43\s%\sfrom Geotab, 6 min ago", page)
    assert "charge outside of 0 to 100 %" in page
    assert "Departure told" in page
