"""Any OCPP message to a charger, and one command for many."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from api_world import Tenant, World
from technician import Played, on_tree, plug

from voltyard.bulk.events import BulkChanged
from voltyard.errors import ChargerTimeout, VoltyardError
from voltyard.ocpp.speech import MESSAGES
from voltyard.tenancy.model import Permission

CAP = {
    "connectorId": 0,
    "csChargingProfiles": {
        "chargingProfileId": 200_000,
        "stackLevel": 1,
        "chargingProfilePurpose": "ChargePointMaxProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "chargingRateUnit": "W",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 5000.0}],
        },
    },
}
DEFAULT = {
    "connectorId": 1,
    "csChargingProfiles": {
        **CAP["csChargingProfiles"],  # type: ignore[dict-item]
        "chargingProfilePurpose": "TxDefaultProfile",
    },
}


async def test_a_message_is_sent_and_its_answer_comes_whole(world: World, tenant: Tenant) -> None:
    def say(action: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"listVersion": 7}

    link = await plug(world, tenant, say=say)
    body = {"action": "GetLocalListVersion", "payload": {}}
    answer = await tenant.post(f"/stations/{link.station.id}/ocpp", body, status=200)
    assert answer["accepted"]
    assert answer["detail"]["answer"] == {"listVersion": 7}
    assert link.heard == [("GetLocalListVersion", {})]
    given = (await tenant.get(f"/stations/{link.station.id}/commands"))["items"]
    assert [(one["action"], one["status"]) for one in given] == [
        ("GetLocalListVersion", "accepted")
    ]
    audited = (await tenant.get("/audit"))["items"]
    assert any(entry["action"] == "station.ask" for entry in audited)


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
async def test_every_message_can_be_sent_over_rest(
    world: World, tenant: Tenant, version: str
) -> None:
    """Answered by a CALLERROR, so that what comes back needs no invention."""

    def say(action: str, payload: Mapping[str, Any]) -> VoltyardError:
        return ChargerTimeout("no answer")

    link = await plug(world, tenant, version=version, say=say)
    kinds = (await tenant.get(f"/ocpp/{version}"))["items"]
    sendable = {message.action for message in MESSAGES[version].values() if message.sent}
    assert {kind["action"] for kind in kinds} == sendable
    for kind in kinds:
        told = await tenant.get(f"/ocpp/{version}/{kind['action']}")
        body = {"action": kind["action"], "payload": told["example"]}
        answer = await tenant.call("POST", f"/stations/{link.station.id}/ocpp", json=body)
        assert answer.status_code == 504, (kind, answer.text)
    assert {action for action, _ in link.heard} == {kind["action"] for kind in kinds}


async def test_wrong_fields_are_told_by_their_path(world: World, tenant: Tenant) -> None:
    link = await plug(world, tenant, version="2.0.1")
    body = {"action": "GetBaseReport", "payload": {"requestId": "x", "reportBase": "All"}}
    answer = await tenant.call("POST", f"/stations/{link.station.id}/ocpp", json=body)
    assert answer.status_code == 422
    fields = {error["field"] for error in answer.json()["errors"]}
    assert fields == {"payload.requestId", "payload.reportBase"}
    foreign = {"action": "GetConfiguration", "payload": {}}
    answer = await tenant.call("POST", f"/stations/{link.station.id}/ocpp", json=foreign)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["action"]
    assert link.heard == []


async def test_limits_of_the_control_cannot_be_lifted(world: World, tenant: Tenant) -> None:
    link = await plug(world, tenant)
    path = f"/stations/{link.station.id}/ocpp"
    free = {"action": "SetChargingProfile", "payload": DEFAULT}
    assert (await tenant.call("POST", path, json=free)).status_code == 200
    await on_tree(world, tenant, link.station.id)
    refused = [
        free,
        {"action": "ClearChargingProfile", "payload": {}},
        {"action": "ClearChargingProfile", "payload": {"id": 11}},
        {
            "action": "RemoteStartTransaction",
            "payload": {"idTag": "A", "chargingProfile": DEFAULT["csChargingProfiles"]},
        },
    ]
    heard = len(link.heard)
    for body in refused:
        answer = await tenant.call("POST", path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "limits_kept"), answer.text
    assert len(link.heard) == heard
    for body in (
        {"action": "SetChargingProfile", "payload": CAP},
        {"action": "ClearChargingProfile", "payload": {"id": 200_000}},
        {"action": "RemoteStartTransaction", "payload": {"idTag": "A"}},
    ):
        assert (await tenant.call("POST", path, json=body)).status_code == 200
    typed = {"command": "set_station_limit", "power_w": 5000}
    assert (
        await tenant.call("POST", f"/stations/{link.station.id}/commands", json=typed)
    ).status_code == 200


async def test_what_a_message_takes_depends_on_what_it_does(world: World, tenant: Tenant) -> None:
    link = await plug(world, tenant)
    path = f"/stations/{link.station.id}/ocpp"
    scopes = frozenset({Permission.VIEW, Permission.CHARGERS_COMMAND})
    operator = await world.key(tenant.who, tenant.email, scopes)
    change = {"action": "ChangeConfiguration", "payload": {"key": "A", "value": "1"}}
    assert (await operator.call("POST", path, json=change)).status_code == 403
    reset = {"action": "Reset", "payload": {"type": "Soft"}}
    assert (await operator.call("POST", path, json=reset)).status_code == 200
    viewer = await world.key(tenant.who, tenant.email, frozenset({Permission.VIEW}))
    assert (await viewer.call("POST", path, json=reset)).status_code == 403


async def test_passwords_are_not_kept(world: World, tenant: Tenant) -> None:
    link = await plug(world, tenant)
    payload = {"key": "AuthorizationKey", "value": "a secret of sixteen"}
    body = {"action": "ChangeConfiguration", "payload": payload}
    await tenant.post(f"/stations/{link.station.id}/ocpp", body, status=200)
    assert link.heard[-1][1]["value"] == "a secret of sixteen"
    given = await tenant.call("GET", f"/stations/{link.station.id}/commands")
    assert "a secret" not in given.text


def watching(world: World) -> asyncio.Event:
    """Set when a run in bulk has ended."""
    done = asyncio.Event()

    async def on_change(event: BulkChanged) -> None:
        if event.state != "running":
            done.set()

    world.core.bus.subscribe(BulkChanged, on_change, name="test")
    return done


async def ended(tenant: Tenant, done: asyncio.Event, bulk_id: str) -> Any:
    async with asyncio.timeout(20):
        await done.wait()
    return await tenant.get(f"/commands/bulk/{bulk_id}")


async def test_many_are_asked_each_answers_for_itself(world: World, tenant: Tenant) -> None:
    def reject(action: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"status": "Rejected"}

    links: list[Played] = [
        await plug(world, tenant, "CP-1"),
        await plug(world, tenant, "CP-2", say=reject),
        await plug(world, tenant, "CP-3", "2.0.1"),
    ]
    await world.core.chargers.create_station(tenant.who, "CP-4")
    done_event = watching(world)
    body = {"filter": {"text": "CP-"}, "command": {"command": "reset"}}
    begun = await tenant.post("/commands/bulk", body, status=202)
    assert (begun["total"], begun["title"]) == (4, "Reset")
    done = await ended(tenant, done_event, begun["id"])
    assert done["state"] == "done"
    assert done["answered"] == 4
    assert done["counts"] == {"accepted": 2, "refused": 1, "failed": 1}
    rows = (await tenant.get(f"/commands/bulk/{begun['id']}/results"))["items"]
    words = {row["identity"]: (row["state"], row["word"]) for row in rows}
    assert words == {
        "CP-1": ("accepted", "Accepted"),
        "CP-2": ("refused", "Rejected"),
        "CP-3": ("accepted", "Accepted"),
        "CP-4": ("failed", "charger_offline"),
    }
    assert [row["state"] for row in rows[:2]] == ["failed", "refused"] or [
        row["state"] for row in rows[:2]
    ] == ["refused", "failed"]
    assert links[2].heard == [("Reset", {"type": "OnIdle"})]
    listed = (await tenant.get("/commands/bulk"))["items"]
    assert [run["id"] for run in listed] == [begun["id"]]


async def test_a_message_in_bulk_is_checked_for_each_in_its_version(
    world: World, tenant: Tenant
) -> None:
    one, two = await plug(world, tenant, "CP-1"), await plug(world, tenant, "CP-2", "2.0.1")
    ids = [str(one.station.id), str(two.station.id)]
    done_event = watching(world)
    body = {"station_ids": ids, "ocpp": {"action": "GetConfiguration", "payload": {}}}
    begun = await tenant.post("/commands/bulk", body, status=202)
    done = await ended(tenant, done_event, begun["id"])
    assert done["counts"] == {"accepted": 1, "failed": 1}
    none = {"station_ids": ids, "ocpp": {"action": "Dance", "payload": {}}}
    assert (await tenant.call("POST", "/commands/bulk", json=none)).status_code == 422
    both = {**body, "filter": {}}
    assert (await tenant.call("POST", "/commands/bulk", json=both)).status_code == 422
