"""Targets, routes, reminders and the log of notifications by REST."""

from datetime import timedelta
from uuid import uuid4

from api_world import Tenant, World

from voltyard.alerts.model import Cause, Severity
from voltyard.tenancy.model import Permission

OFFLINE = Cause("charger_offline", Severity.WARNING, "charger_offline:1", params={"station": "C1"})


async def test_an_alert_goes_the_way_that_was_set_up(world: World, tenant: Tenant) -> None:
    mail = {"name": "Desk", "channel": "email", "address": "desk@example.org"}
    made = await tenant.post("/notification-targets", mail)
    assert (made["address"], made["secret"]) == ("desk@example.org", None)
    route = {"name": "All", "target_ids": [made["id"]], "least": "warning"}
    kept = await tenant.post("/notification-routes", route)
    again = await tenant.call("POST", "/notification-routes", json=route)
    assert again.status_code == 409
    changed = await tenant.put(f"/notification-routes/{kept['id']}", {**route, "delay_min": 5})
    assert changed["delay_min"] == 5
    await world.core.alerts.raise_(tenant.who.org_id, None, OFFLINE)
    (note,) = (await tenant.get("/notifications"))["items"]
    assert (note["subject"], note["state"], note["route"]) == ("Charger offline", "waiting", "All")
    assert (await tenant.get("/notifications?state=sent"))["total"] == 0
    alert = (await tenant.get("/alerts"))["items"][0]
    until = world.core.clock.now() + timedelta(hours=1)
    asleep = await tenant.post(
        f"/alerts/{alert['id']}/snooze", {"until_at": until.isoformat()}, 200
    )
    assert asleep["snoozed_by"]
    (note,) = (await tenant.get("/notifications"))["items"]
    assert (note["state"], note["answer"]) == ("dropped", "put to sleep before it was told")
    answer = await tenant.call("POST", f"/notifications/{note['id']}/send-again")
    assert answer.json()["code"] == "not_failed"


async def test_a_webhook_is_told_its_secret_once(tenant: Tenant) -> None:
    hook = {"name": "Hook", "channel": "webhook", "address": "https://hooks.example.org/x",
            "events": ["session.started"]}  # fmt: skip
    made = await tenant.post("/notification-targets", hook)
    assert made["secret"].startswith("whsec_")
    path = f"/notification-targets/{made['id']}"
    assert (await tenant.get(path))["secret"] is None
    rotated = await tenant.post(f"{path}/secret", None, 200)
    assert rotated["secret"] != made["secret"]
    assert "session.started" in await tenant.get("/webhook-events")
    for wrong in ({"events": ["no.such"]}, {"address": "ftp://x"}, {"user_id": str(uuid4())}):
        answer = await tenant.call("POST", "/notification-targets", json={**hook, **wrong})
        assert [each["field"] for each in answer.json()["errors"]] == list(wrong)
    assert (await tenant.call("DELETE", path)).status_code == 204
    assert await tenant.get("/notification-targets") == []


async def test_reminders_of_all_sites_and_of_one(world: World, tenant: Tenant) -> None:
    ids = await world.furnish(tenant)
    (own,) = await tenant.get("/departure-reminders")
    assert [step["offset_min"] for step in own["steps"]] == [-15, 0, 10]
    steps = [{"offset_min": -60, "severity": "info"}, {"offset_min": -5, "severity": "critical"}]
    path = f"/sites/{ids['site']}/departure-reminders"
    await tenant.put(path, {"steps": steps, "conditions": ["not_ready"]})
    rules = await tenant.get("/departure-reminders")
    assert [rule["site_id"] for rule in rules] == [None, str(ids["site"])]
    wrong = await tenant.call("PUT", "/departure-reminders", json={"steps": steps[::-1]})
    assert wrong.status_code == 422
    assert (await tenant.call("DELETE", path)).status_code == 204
    assert (await tenant.call("DELETE", path)).status_code == 404


async def test_who_may_only_look_sets_nothing_up(world: World, tenant: Tenant) -> None:
    scopes = frozenset({Permission.VIEW, Permission.ALERTS_WRITE})
    reader = await world.key(tenant.who, tenant.email, scopes)
    mail = {"name": "Desk", "channel": "email", "address": "desk@example.org"}
    assert (await reader.call("POST", "/notification-targets", json=mail)).status_code == 403
    assert (await reader.call("PUT", "/departure-reminders", json={})).status_code == 403
    assert await reader.get("/notification-targets") == []
    viewer = await world.key(tenant.who, tenant.email, frozenset({Permission.VIEW}))
    assert (await viewer.call("GET", "/notifications")).status_code == 403
