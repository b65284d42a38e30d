"""Firmware and logs by REST, as a program of somebody else's uses them."""

import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest
from firmware_yard import Yard, yard

from voltyard.diagnostics.commands import NewLogRequest
from voltyard.simulator.upkeep import image_of
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.audit import AuditFilter
from voltyard.tenancy.model import Permission, Role
from voltyard.tenancy.service import NewUser

CONTENT = image_of("3.0.0", 30_000)
META = {"vendor": "Voltyard Simulated", "version": "3.0.0", "file_name": "vy 3.0.0.bin"}


async def client_of(there: Yard, *scopes: Permission) -> httpx.AsyncClient:
    key = await there.server.core.tenancy.create_key(there.who, "test", frozenset(scopes))
    return httpx.AsyncClient(
        base_url=f"{there.server.url}/api/v1",
        headers={"authorization": f"Bearer {key.text}"},
        trust_env=False,
    )


async def until(there: Yard, client: httpx.AsyncClient, path: str, **wanted: Any) -> Any:
    found: Any = {}

    async def holds() -> bool:
        nonlocal found
        found = (await client.get(path)).json()
        return all(found[name] == value for name, value in wanted.items())

    await there.until(holds)
    return found


async def test_from_the_image_to_the_proof_and_a_log(database_url: str, tmp_path: Path) -> None:
    async with yard(database_url, tmp_path) as there:
        stations = [str(each) for each in await there.add_fleet(4)]
        async with await client_of(there, *Permission) as client:
            image = (await client.post("/firmware/images", params=META, content=CONTENT)).json()
            assert image["sha256"] == hashlib.sha256(CONTENT).hexdigest()
            assert (image["file_name"], image["size_bytes"]) == ("vy-3.0.0.bin", 30_000)
            body = {
                "image_id": image["id"],
                "station_ids": stations,
                "rollout": {"canary": 1, "wave": 0, "windows": [
                    {"from_time": "00:00:00", "until_time": "00:00:00"}
                ]},
            }  # fmt: skip
            started = await client.post("/firmware/campaigns", json=body)
            assert started.status_code == 201, started.text
            path = f"/firmware/campaigns/{started.json()['id']}"
            done = await until(there, client, path, state="done")
            assert done["progress"] == {
                "total": 4, "waiting": 0, "under_way": 0, "done": 4, "failed": 0,
                "by_state": {"done": 4},
            }  # fmt: skip
            updates = (await client.get(f"{path}/updates", params={"state": "done"})).json()
            assert {update["to_version"] for update in updates["items"]} == {"3.0.0"}
            of_one = (await client.get(f"/stations/{stations[0]}/firmware")).json()
            assert len(of_one["items"]) == 1

            asked = await client.post(f"/stations/{stations[0]}/logs", json={})
            assert asked.status_code == 202
            log = await until(there, client, f"/logs/{asked.json()['id']}", state="done")
            file = await client.get(f"/logs/files/{log['files'][0]['id']}")
            assert b"of CP00, firmware 3.0.0" in file.content
            assert hashlib.sha256(file.content).hexdigest() == log["files"][0]["sha256"]
            gone = await client.delete(f"/logs/files/{log['files'][0]['id']}")
            assert gone.status_code == 204
        entries, _ = await there.server.core.tenancy.audit(there.who, AuditFilter())
        actions = {entry.action for entry in entries}
        assert {"firmware.add", "firmware.start", "log.ask", "log.read", "log.delete"} <= actions


async def test_who_may_only_look_may_only_look(database_url: str, tmp_path: Path) -> None:
    async with yard(database_url, tmp_path) as there:
        station = (await there.add_fleet(1))[0]
        image = await there.image()
        campaign = await there.campaign(image, [station])
        async with await client_of(there, Permission.VIEW) as client:
            for path in ("/firmware/images", "/firmware/campaigns", f"/stations/{station}/logs"):
                assert (await client.get(path)).status_code == 200
            refused = [
                await client.post("/firmware/images", params=META, content=CONTENT),
                await client.delete(f"/firmware/images/{image.id}"),
                await client.post(f"/firmware/campaigns/{campaign}/cancel"),
                await client.post(f"/stations/{station}/logs", json={}),
            ]
            assert [answer.status_code for answer in refused] == [403] * 4


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"vendor": "A", "version": "1", "url": "file:///etc/passwd"}, "url"),
        ({"vendor": "A", "version": "1", "url": "ftp://h/f", "signature": "eA=="}, "signature"),
    ],
)
async def test_what_makes_no_sense_is_told_by_field(
    database_url: str, tmp_path: Path, body: dict[str, str], field: str
) -> None:
    good = {"vendor": "A", "version": "1", "url": "ftp://user:pw@10.0.0.9/fw/a.bin"}
    async with (
        yard(database_url, tmp_path) as there,
        await client_of(there, *Permission) as client,
    ):
        answer = await client.post("/firmware/images/external", json=body)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]
        made = await client.post("/firmware/images/external", json=good)
        assert (made.status_code, made.json()["file_name"]) == (201, "a.bin")


async def test_what_is_anothers_is_not_found(database_url: str, tmp_path: Path) -> None:
    async with yard(database_url, tmp_path) as there:
        station = (await there.add_fleet(1))[0]
        image = await there.image()
        campaign = await there.campaign(image, [station])
        update = (await there.updates(campaign))[0]
        request = await there.diagnostics.ask(there.who, station, NewLogRequest())

        async def arrived() -> bool:
            found = await there.diagnostics.request(there.who.org_id, request.id)
            return bool(found.files)

        await there.until(arrived)
        file = (await there.diagnostics.request(there.who.org_id, request.id)).files[0]
        admin = NewUser("o@example.org", "O", Role.ADMIN, "another's password")
        other, _ = await there.server.core.tenancy.create_organisation("Other", admin)
        mine, there.who = there.who, system_principal(other.id)
        async with await client_of(there, *Permission) as client:
            start = {"image_id": str(image.id), "station_ids": [str(station)]}
            answers = [
                await client.get(f"/firmware/images/{image.id}"),
                await client.delete(f"/firmware/images/{image.id}"),
                await client.post("/firmware/campaigns", json=start),
                await client.get(f"/firmware/campaigns/{campaign}"),
                await client.get(f"/firmware/campaigns/{campaign}/updates"),
                await client.post(f"/firmware/campaigns/{campaign}/cancel"),
                await client.post(f"/firmware/updates/{update.id}/leave-out"),
                await client.post(f"/stations/{station}/logs", json={}),
                await client.get(f"/logs/{request.id}"),
                await client.get(f"/logs/files/{file.id}"),
                await client.delete(f"/logs/files/{file.id}"),
            ]
            assert [answer.status_code for answer in answers] == [404] * len(answers)
            for path in ("/firmware/images", "/firmware/campaigns"):
                assert (await client.get(path)).json()["items"] == []
        there.who = mine
        assert there.diagnostics.blobs.has(file.sha256)
