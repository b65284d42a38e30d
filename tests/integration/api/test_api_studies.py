"""Studies by REST: asked for, followed, cancelled, exported; refused with a word."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from api_world import AT, Tenant, World

from voltyard.study.model import Outcome, Quarter, Study
from voltyard.study.orders import Material, Order, Progress
from voltyard.study.processes import Answer, Tell

OUTCOME = Outcome(
    "base", 1e5, 2, 2, 2, (), 1e5, 1e5, 5e4, 20.0, 4.0, 900.0, 0,
    (Quarter(AT, 5e4, 5e4, 0.0, 0.0, 0.0),),
)  # fmt: skip
FOUND = Study("demo", "Europe/Berlin", AT, AT + timedelta(hours=1), "cost", OUTCOME)


class AtOnce:
    """A worker that has the answer."""

    def __init__(self) -> None:
        self.given: list[tuple[Order, Material]] = []

    async def work(self, order: Order, material: Material, tell: Tell) -> Answer:
        self.given.append((order, material))
        await tell(Progress("base", "base", 0, 0.5))
        return Answer(msgspec.json.encode(FOUND))


@pytest.fixture
def worker(world: World) -> AtOnce:
    made = AtOnce()
    world.core.studies.worker = made
    return made


async def test_a_study_is_asked_for_and_read(world: World, tenant: Tenant, worker: AtOnce) -> None:
    files = {use: {"name": f"{use}.csv", "content": "id"} for use in ("duties", "vehicles")}
    wanted = {"source": "duties", "limit_kw": 100, "charger_kw": 50, "cases": ["pv=20"]}
    made = await tenant.post("/studies", {**wanted, "files": files, "title": "Nord"}, 202)
    assert (made["title"], made["state"]) == ("Nord", "waiting")
    await world.core.studies.idle()
    order, material = worker.given[0]
    assert (order.cases, order.limit_kw, order.quick) == (("pv=20",), 100.0, False)
    assert set(material["files"]) == {"duties", "vehicles"}
    path = f"/studies/{made['id']}"
    found: Mapping[str, Any] = await tenant.get(path)
    assert found["state"] == "done"
    assert found["found"]["base"]["ready_pct"] == 100.0
    assert [row["id"] for row in (await tenant.get("/studies?state=done&q=nor"))["items"]] == [
        made["id"]
    ]
    answer = await tenant.call("GET", f"{path}/report?format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "base,100,2,2,2" in answer.text
    assert (await tenant.call("POST", f"{path}/cancel")).status_code == 409
    assert (await tenant.call("POST", f"{path}/run-again")).status_code == 204
    await world.core.studies.idle()
    assert (await tenant.call("DELETE", path)).status_code == 204
    assert (await tenant.call("GET", path)).status_code == 404


async def test_what_is_missing_is_told_by_field(world: World, tenant: Tenant) -> None:
    async def refused(body: Mapping[str, Any]) -> set[str]:
        answer = await tenant.call("POST", "/studies", json=body)
        assert answer.status_code == 422, answer.text
        return {error["field"] for error in answer.json()["errors"]}

    assert await refused({"source": "duties"}) == {"duties", "vehicles", "limit_kw", "charger_kw"}
    assert await refused({"source": "site"}) == {"site_id", "from_at", "until_at"}
    assert await refused({"source": "demo", "cases": ["sun=3"], "buses": 0}) == {"cases", "buses"}
    site = (await world.furnish(tenant))["site"]
    period = {"from_at": "2026-01-14T12:00:00Z", "until_at": "2026-01-15T12:00:00Z"}
    wanted = {"source": "site", "site_id": str(site), **period}
    answer = await tenant.call("POST", "/studies", json=wanted)
    assert (answer.status_code, answer.json()["code"]) == (422, "no_sessions")
    theirs = await world.tenant("Theirs")
    answer = await theirs.call("POST", "/studies", json=wanted)
    assert answer.status_code == 404
