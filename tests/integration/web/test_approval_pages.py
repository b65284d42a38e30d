"""Approvals in the console: entered on one page, decided on another by somebody else."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import httpx
import pytest
from console_world import PASSWORD, World

from voltyard.approvals.model import Kind, State, Switches
from voltyard.tenancy.model import Role
from voltyard.tenancy.service import NewUser

BEA = "bea@example.org"


@pytest.fixture
async def bea(world: World) -> AsyncIterator[World]:
    """The same console, with a second person at it; limits and configuration wait."""
    await world.core.tenancy.create_user(world.who, NewUser(BEA, "Bea", Role.ADMIN, PASSWORD))
    kinds = frozenset({Kind.LIMITS, Kind.CONFIGURATION})
    await world.core.approvals.set_switches(world.who, Switches(kinds))
    transport = world.client._transport
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        there = replace(world, client=client)
        answer = await there.post("/login", "/login", email=BEA, password=PASSWORD)
        assert answer.status_code == 303
        yield there


async def raised(world: World) -> tuple[str, UUID]:
    """The grid limit is raised on its page: where that leads, and the node."""
    root = (await world.core.sites.tree(world.site_id)).root
    path = f"/sites/{world.site_id}/tree/{root.id}"
    answer = await world.post(path, path, index="0", power_kw="9999")
    assert answer.status_code == 303
    return answer.headers["location"].partition("?")[0], root.id


async def test_a_raise_leads_to_its_proposal_and_is_decided_there(world: World, bea: World) -> None:
    before = (await world.core.sites.tree(world.site_id)).root.limits[0].power_w
    place, _ = await raised(world)
    mine = await world.page(f"{place}?done=proposed")
    assert "Not done yet: this change waits for a second person." in mine
    assert "9999 kW" in mine
    assert ">Approve</button>" not in mine
    answer = await world.post(f"{place}/reason", place, reason="The new <b>transformer</b> is in.")
    assert answer.status_code == 303
    refused = await world.post(f"{place}/approve", place)
    assert refused.status_code == 422
    assert "A second person decides, not the proposer." in refused.text
    assert (await world.core.sites.tree(world.site_id)).root.limits[0].power_w == before
    board = await bea.page("/approvals")
    assert re.search(r'class="pill">1<', board)
    assert "9999 kW" in board
    theirs = await bea.page(place)
    assert "The new &lt;b&gt;transformer&lt;/b&gt; is in." in theirs
    assert ">Approve</button>" in theirs
    answer = await bea.post(f"{place}/approve", place, reason="Seen it.")
    assert answer.status_code == 303
    assert (await world.core.sites.tree(world.site_id)).root.limits[0].power_w == 9_999_000.0
    done = await world.page(place)
    assert "Seen it." in done
    assert not re.search(r'class="pill">\d', await bea.page("/approvals"))
    assert "Nothing waits" in await bea.page("/approvals")


async def test_a_cut_is_done_at_once_and_a_command_waits(world: World, bea: World) -> None:
    root = (await world.core.sites.tree(world.site_id)).root
    path = f"/sites/{world.site_id}/tree/{root.id}"
    told = "A raised or removed limit waits for a second person; a lower one holds at once."
    assert told in await world.page(path)
    answer = await world.post(path, path, index="0", power_kw="10")
    assert answer.headers["location"].endswith("done=saved")
    station = world.core.chargers.list_stations(world.who.org_id)[0].station
    page = f"/chargers/{station.id}"
    told = "What you save here waits for a second person."
    assert told in await world.page(f"{page}/configuration")
    form = {"key": "HeartbeatInterval", "value": "60"}
    answer = await world.post(f"{page}/commands/write_configuration", page, **form)
    assert answer.status_code == 303, answer.text[-400:]
    assert answer.headers["location"].startswith("/approvals/")
    assert await world.core.chargers.commands(world.who.org_id, station.id) == []


async def test_refused_listed_exported_and_asked_anew(world: World, bea: World) -> None:
    place, _ = await raised(world)
    wrong = await bea.post(f"{place}/refuse", place, reason="")
    assert wrong.status_code == 422
    await bea.post(f"{place}/refuse", place, reason="Not before the test.")
    assert "Nothing waits" in await bea.page("/approvals")
    decided = await bea.page("/approvals?status=decided&kind=limits&q=Grid")
    assert "Refused" in decided
    table = await bea.page("/approvals.csv?status=all")
    assert "Not before the test." in table
    assert table.startswith("proposed_at,kind,subject,changes")
    answer = await world.post(f"{place}/again", place)
    assert answer.status_code == 303
    assert answer.headers["location"].partition("?")[0] != place
    await world.post(f"{answer.headers['location'].partition('?')[0]}/withdraw", place)
    page, total = await world.core.approvals.page(world.who)
    assert (total, {row.state for row in page}) == (2, {State.REFUSED, State.WITHDRAWN})
    assert (await world.client.get(f"{place}/nothing")).status_code in (404, 405)


async def test_what_waits_is_set_and_switched_off_by_two(world: World, bea: World) -> None:
    path = "/approvals/settings"
    assert "A proposal waits for" in await world.page(path)
    more = {"kind_limits": "on", "kind_configuration": "on", "kind_firmware": "on", "hours": "12"}
    answer = await world.post(path, path, **more)
    assert answer.headers["location"].endswith("done=saved")
    assert world.core.approvals.switches(world.who.org_id).expires_s == 12 * 3600
    bad = await world.post(path, path, hours="0")
    assert bad.status_code == 422
    answer = await world.post(path, path, hours="12")
    place = answer.headers["location"].partition("?")[0]
    assert place.startswith("/approvals/")
    assert "Approval of limits" in await bea.page(place)
    await bea.post(f"{place}/approve", place)
    assert world.core.approvals.switches(world.who.org_id).kinds == frozenset()


async def test_in_german_and_by_rest_with_the_cookie(world: World, bea: World) -> None:
    place, node_id = await raised(world)
    bea.client.cookies.set("voltyard_locale", "de")
    shown = await bea.page(place)
    assert "Davor" in shown
    assert "Freigeben" in shown
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', shown)
    assert token
    url = f"/api/v1{place}/approve"
    without = await bea.client.post(url, json={})
    assert without.status_code == 403
    answer = await bea.client.post(url, json={}, headers={"x-csrf-token": token[1]})
    assert (answer.status_code, answer.json()["state"]) == (200, "done")
    alerts = await world.core.alerts.list(world.who.org_id)
    told = [alert for alert in alerts if alert.kind == "approval_waiting"]
    assert len(told) == 1
    assert told[0].resolved_at is not None
    assert node_id
