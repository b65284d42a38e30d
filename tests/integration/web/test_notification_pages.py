"""Pages of the alert centre over the real rooms."""

import csv
from io import StringIO

from console_world import PASSWORD, World

from voltyard.alerts.model import Cause, Severity
from voltyard.notifications.model import Channel
from voltyard.tenancy.model import Role
from voltyard.tenancy.service import NewUser

OFFLINE = Cause("charger_offline", Severity.WARNING, "charger_offline:x", params={"station": "C1"})
TARGET = {
    "channel": "email",
    "name": "Desk",
    "address": "desk@example.org",
    "locale": "de",
    "enabled": "on",
    "quiet_from": "22:00",
    "quiet_until": "06:00",
    "quiet_least": "critical",
    "digest_every": "30",
    "digest_most": "info",
}


async def target_id(world: World) -> str:
    answer = await world.post("/notifications/targets/new", "/notifications/targets/new", **TARGET)
    assert answer.status_code == 303, answer.text[-900:]
    (made,) = world.core.telling.notifications.targets(world.who)
    return str(made.id)


async def test_a_target_and_a_route_by_their_forms(world: World) -> None:
    assert "Nobody is told yet" in await world.page("/notifications")
    made = await target_id(world)
    shown = await world.page(f"/notifications/targets/{made}")
    assert 'value="22:00"' in shown
    assert "name no provider of this channel yet" in shown
    route = {"name": "Night", "least": "warning", "enabled": "on", f"target_{made}": "on",
             "day_6": "on", "from_time": "18:00", "until_time": "06:00",
             "kind_charger_offline": "on", f"site_{world.site_id}": "on"}  # fmt: skip
    new = "/notifications/routes/new"
    wrong = await world.post(new, new, **{**route, "from_time": "late", f"target_{made}": ""})
    assert wrong.status_code == 422
    assert "This is no time of day." in wrong.text
    assert (await world.post(new, new, **route)).status_code == 303
    (kept,) = world.core.telling.notifications.routes(world.who)
    assert (kept.weekdays, kept.kinds, kept.tell_end) == ({6}, {"charger_offline"}, False)
    page = await world.page("/notifications")
    assert "18:00–06:00" in page
    form = await world.page(f"/notifications/routes/{kept.id}")
    assert f'name="target_{made}" value="on" checked' in form
    gone = await world.post(f"/notifications/routes/{kept.id}/delete", "/notifications")
    assert gone.status_code == 303


async def test_what_was_told_is_listed_and_exported(world: World) -> None:
    await target_id(world)
    (target,) = world.core.telling.notifications.targets(world.who)
    assert target.channel is Channel.EMAIL
    new = "/notifications/routes/new"
    await world.post(
        new, new, name="All", least="info", enabled="on", **{f"target_{target.id}": "on"}
    )
    await world.core.alerts.raise_(world.who.org_id, world.site_id, OFFLINE)
    (alert,) = [a for a in world.core.alerts.open_now(world.who.org_id) if a.key == OFFLINE.key]
    page = await world.page(f"/notifications/log?alert={alert.id}&state=waiting")
    assert "Ladesäule" in page
    assert "Nothing matches" in await world.page("/notifications/log?state=sent")
    text = await world.page("/notifications/log.csv")
    rows = list(csv.DictReader(StringIO(text)))
    assert [(row["kind"], row["target"], row["state"]) for row in rows] == [
        ("charger_offline", "Desk", "waiting")
    ]
    slept = await world.post(f"/alerts/{alert.id}/snooze", "/alerts", minutes="30")
    assert slept.status_code == 303
    assert "asleep until" in await world.page("/alerts?status=snoozed")


async def test_reminders_by_their_form(world: World) -> None:
    path = "/notifications/reminders"
    values = {"site": str(world.site_id), "enabled": "on", "if_not_ready": "on",
              "offset_0": "10", "side_0": "after", "severity_0": "critical",
              "offset_1": "45", "side_1": "before", "severity_1": "info"}  # fmt: skip
    assert (await world.post(path, path, **values)).status_code == 303
    _, rule = world.core.telling.departures.rules(world.who)
    assert [step.offset_min for step in rule.steps] == [-45, 10]
    wrong = await world.post(
        path, path, **{**values, "severity_1": "critical", "severity_0": "info"}
    )
    assert wrong.status_code == 422
    assert "none less severe than the one before" in wrong.text
    shown = await world.page(f"{path}?site={world.site_id}")
    assert 'value="45"' in shown
    forgotten = await world.post(f"{path}/forget", path, site=str(world.site_id))
    assert forgotten.status_code == 303
    assert len(world.core.telling.departures.rules(world.who)) == 1


async def test_viewers_are_not_shown_addresses(world: World) -> None:
    viewer = NewUser("view@example.org", "Viewer", Role.VIEWER, PASSWORD)
    await world.core.tenancy.create_user(world.who, viewer)
    world.client.cookies.clear()
    answer = await world.post("/login", "/login", email=viewer.email, password=PASSWORD)
    assert answer.status_code == 303
    for path in ("/notifications", "/notifications/log", "/notifications/log.csv"):
        await world.page(path, 403)
    assert "Who is told" not in await world.page("/alerts")
