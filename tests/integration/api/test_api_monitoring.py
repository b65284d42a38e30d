"""Monitors of 2.0.1 chargers, and the events they raise."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from api_world import Tenant, World
from technician import plug

from voltyard.chargers.model import Monitor, VariableEvent

WATCHED = {"variable": "EVSE@1.Temperature", "kind": "upper_threshold", "value": 80, "severity": 2}


def say(action: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    if action == "SetVariableMonitoring":
        (data,) = payload["setMonitoringData"]
        same = {key: data[key] for key in ("type", "severity", "component", "variable")}
        return {"setMonitoringResult": [{"status": "Accepted", "id": 7, **same}]}
    if action == "ClearVariableMonitoring":
        words = {7: "Accepted", 8: "Rejected"}
        return {
            "clearMonitoringResult": [
                {"status": words.get(number, "NotFound"), "id": number} for number in payload["id"]
            ]
        }
    return {"status": "Accepted"}


async def test_a_variable_is_watched_and_grave_events_are_alerts(
    world: World, tenant: Tenant
) -> None:
    link = await plug(world, tenant, version="2.0.1", say=say)
    path = f"/stations/{link.station.id}"
    answer = await tenant.post(f"{path}/monitors", WATCHED, status=200)
    assert (answer["accepted"], answer["detail"]["monitor_id"]) == (True, 7)
    assert link.heard[-1][1]["setMonitoringData"] == [
        {
            "value": 80.0,
            "type": "UpperThreshold",
            "severity": 2,
            "component": {"name": "EVSE", "evse": {"id": 1}},
            "variable": {"name": "Temperature"},
        }
    ]
    (monitor,) = (await tenant.get(f"{path}/monitors"))["items"]
    assert (monitor["monitor_id"], monitor["severity"]) == (7, 2)
    at = world.core.clock.now()
    hot = VariableEvent(1, "EVSE@1.Temperature", "91", at, "Alerting", monitor_id=7, tech_info="!")
    await world.core.chargers.events_told(link.station, [hot])
    await world.core.chargers.events_told(link.station, [hot])
    (event,) = (await tenant.get(f"{path}/events"))["items"]
    assert (event["value"], event["severity"]) == ("91", 2)
    (alert,) = (await tenant.get("/alerts"))["items"]
    assert (alert["kind"], alert["severity"]) == ("station_event", "critical")
    cool = VariableEvent(
        2, "EVSE@1.Temperature", "60", at + timedelta(seconds=5), "Alerting", cleared=True,
        monitor_id=7,
    )  # fmt: skip
    await world.core.chargers.events_told(link.station, [cool])
    assert len((await tenant.get("/events"))["items"]) == 2
    assert not world.core.alerts.open_now(tenant.who.org_id)


async def test_what_is_removed_is_gone_and_what_stays_is_listed(
    world: World, tenant: Tenant
) -> None:
    link = await plug(world, tenant, version="2.0.1", say=say)
    path = f"/stations/{link.station.id}"
    await tenant.post(f"{path}/monitors", WATCHED, status=200)
    answer = await tenant.post(f"{path}/monitors/forget", {"monitor_ids": [7, 8]}, status=200)
    assert not answer["accepted"]
    assert answer["detail"]["monitors"] == {"7": "Accepted", "8": "Rejected"}
    assert (await tenant.get(f"{path}/monitors"))["items"] == []


async def test_a_report_of_monitors_replaces_what_was_listed(world: World, tenant: Tenant) -> None:
    link = await plug(world, tenant, version="2.0.1", say=say)
    path = f"/stations/{link.station.id}"
    await tenant.post(f"{path}/monitors", WATCHED, status=200)
    await tenant.post(f"{path}/monitors/read", None, status=200)
    number = link.heard[-1][1]["requestId"]
    chargers = world.core.chargers
    one = Monitor(21, "A.B", "delta", 1.0, 6)
    two = Monitor(22, "A.C", "periodic", 900.0, 8)
    await chargers.monitors_told(link.station, number, [one], complete=False)
    await chargers.monitors_told(link.station, number, [two], complete=True)
    listed = (await tenant.get(f"{path}/monitors"))["items"]
    assert [monitor["monitor_id"] for monitor in listed] == [21, 22]
    for body, where in (({"base": "all"}, "base"), ({"severity": 5}, "level")):
        assert (await tenant.put(f"{path}/monitors/{where}", body))["accepted"]
    actions = [action for action, _ in link.heard]
    assert actions[-3:] == ["SetMonitoringBase", "GetMonitoringReport", "SetMonitoringLevel"]


async def test_a_charger_of_16_has_no_monitors(world: World, tenant: Tenant) -> None:
    link = await plug(world, tenant)
    answer = await tenant.call("POST", f"/stations/{link.station.id}/monitors", json=WATCHED)
    assert answer.status_code == 422
