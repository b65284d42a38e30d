"""Firmware campaigns over real sockets: simulated chargers fetch the image by HTTP."""

import asyncio
from dataclasses import replace
from pathlib import Path

import httpx
from firmware_yard import QUICK, yard

from voltyard.alerts.service import AlertFilter
from voltyard.firmware.model import Failure, Rollout, UpdateState
from voltyard.simulator.evse import Token
from voltyard.simulator.upkeep import Outcome
from voltyard.simulator.vehicle import Battery, BatterySpec
from voltyard.sites.commands import SiteDraft

DONE = UpdateState.DONE


async def test_fifty_chargers_are_updated_wave_after_wave(
    database_url: str, tmp_path: Path
) -> None:
    async with yard(database_url, tmp_path) as there:
        stations = await there.add_fleet(50)
        image = await there.image()
        rollout = replace(QUICK, canary=2, wave=24)
        campaign = await there.campaign(image, stations, rollout)

        async def ended() -> bool:
            return await there.state_of(campaign) == "done"

        await there.until(ended)
        updates = await there.updates(campaign)
        assert {update.state for update in updates} == {DONE}
        assert {update.to_version for update in updates} == {"2.0.0"}
        assert {charger.firmware for charger in there.chargers.values()} == {"2.0.0"}
        assert [update.wave for update in updates] == [0] * 2 + [1] * 24 + [2] * 24
        for wave in (0, 1):
            last = max(u.ended_at for u in updates if u.wave == wave and u.ended_at)
            assert all(u.asked_at and u.asked_at >= last for u in updates if u.wave == wave + 1)


async def test_a_failing_canary_stops_the_campaign_and_tells_people(
    database_url: str, tmp_path: Path
) -> None:
    async with yard(database_url, tmp_path) as there:
        stations = await there.add_fleet(50)
        there.chargers["CP00"].upkeep.outcome = Outcome.INSTALL_FAILS
        rollout = replace(QUICK, canary=2, attempts=1)
        campaign = await there.campaign(await there.image(), stations, rollout)

        async def stopped() -> bool:
            return await there.state_of(campaign) == "stopped"

        await there.until(stopped)
        states = await there.states(campaign)
        assert states[0] is UpdateState.FAILED
        assert set(states[2:]) == {UpdateState.WAITING}
        assert all(c.upkeep.updates == 0 for c in list(there.chargers.values())[2:])
        open_now = await there.server.core.alerts.list(there.who.org_id, AlertFilter())
        assert {alert.kind for alert in open_now} >= {"firmware_failed", "campaign_stopped"}

        there.chargers["CP00"].upkeep.outcome = Outcome.GOOD
        await there.firmware.resume_campaign(there.who, campaign)

        async def ended() -> bool:
            return await there.state_of(campaign) == "done"

        await there.until(ended)
        assert (await there.states(campaign))[1:] == [DONE] * 49


async def test_every_way_to_fail_is_seen(database_url: str, tmp_path: Path) -> None:
    expected = {
        Outcome.DOWNLOAD_FAILS: Failure.DOWNLOAD,
        Outcome.INSTALL_FAILS: Failure.INSTALL,
        Outcome.NEVER_REBOOTS: Failure.SILENT,
        Outcome.WRONG_VERSION: Failure.WRONG_VERSION,
        Outcome.SILENT: Failure.SILENT,
        Outcome.REJECTED: Failure.REJECTED,
    }
    rollout = Rollout(
        canary=0, wave=0, max_failures=99, attempts=1, silent_s=300, proof_s=60, parallel=50
    )
    async with yard(database_url, tmp_path) as there:
        stations = await there.add_fleet(0)
        for place, outcome in enumerate(expected):
            there.add(f"F{place}", "ocpp2.0.1").upkeep.outcome = outcome
        await there.until(lambda: all(c.uplink.online for c in there.chargers.values()))
        stations = [there.id_of(f"F{place}") for place in range(len(expected))]
        campaign = await there.campaign(await there.image(), stations, rollout)

        async def ended() -> bool:
            return await there.state_of(campaign) == "done"

        await there.until(ended)
        updates = await there.updates(campaign)
        assert [update.failure for update in updates] == list(expected.values())


async def test_a_campaign_goes_on_over_a_restart_of_the_server(
    database_url: str, tmp_path: Path
) -> None:
    async with yard(database_url, tmp_path) as there:
        stations = await there.add_fleet(10)
        for charger in there.chargers.values():
            charger.upkeep.install_s = 300.0
        campaign = await there.campaign(await there.image(), stations, replace(QUICK, canary=3))

        async def installing() -> bool:
            return (await there.states(campaign))[:3] == [UpdateState.INSTALLING] * 3

        await there.until(installing)
        clock, chargers = there.clock, there.chargers
    async with yard(database_url, tmp_path, clock) as there:
        assert (await there.states(campaign))[:3] == [UpdateState.INSTALLING] * 3
        for identity, charger in chargers.items():
            again = there.add(identity, charger.spec.protocol)
            if identity in ("CP00", "CP01", "CP02"):
                again.firmware = "2.0.0"  # it installed while the server was away

        async def ended() -> bool:
            return await there.state_of(campaign) == "done"

        await there.until(ended)
        assert await there.states(campaign) == [DONE] * 10
        assert there.chargers["CP00"].upkeep.updates == 0


async def test_nobody_is_updated_while_charging(database_url: str, tmp_path: Path) -> None:
    async with yard(database_url, tmp_path) as there:
        await there.server.core.sites.create_site(there.who, SiteDraft("Depot"))
        station = (await there.add_fleet(1))[0]
        sessions = there.server.core.sessions
        spec = BatterySpec(300_000.0, 50_000.0, ((0, 50e3), (100, 50e3)))
        charger = there.chargers["CP00"]
        charger.plug_in(1, Battery(spec, 40.0), Token("04A1"))
        await there.until(lambda: bool(sessions.open_sessions()))
        campaign = await there.campaign(await there.image(), [station])

        async def blocked() -> bool:
            return (await there.updates(campaign))[0].blocked == "session"

        await there.until(blocked)
        assert charger.upkeep.updates == 0
        charger.unplug(1)

        async def ended() -> bool:
            return await there.state_of(campaign) == "done"

        await there.until(ended)
        assert await there.states(campaign) == [DONE]


async def test_the_image_is_served_by_ranges_and_only_while_it_is_wanted(
    database_url: str, tmp_path: Path
) -> None:
    async with yard(database_url, tmp_path) as there:
        station = (await there.add_fleet(1))[0]
        fetched = asyncio.get_running_loop().create_future()
        release = asyncio.Event()

        class Slow:
            async def fetch(self, url: str) -> bytes:
                fetched.set_result(url)
                await release.wait()
                return b""

        there.chargers["CP00"].upkeep.courier = Slow()  # type: ignore[assignment]
        campaign = await there.campaign(await there.image(), [station])
        url = await asyncio.wait_for(fetched, 30)
        assert url.endswith("/vy-2.0.0.bin")
        async with httpx.AsyncClient(trust_env=False) as client:
            whole = await client.get(url)
            assert (whole.status_code, len(whole.content)) == (200, 50_000)
            part = await client.get(url, headers={"range": "bytes=100-199"})
            assert (part.status_code, part.content) == (206, whole.content[100:200])
            assert part.headers["content-range"] == "bytes 100-199/50000"
            rest = await client.get(url, headers={"range": "bytes=49990-"})
            last = await client.get(url, headers={"range": "bytes=-10"})
            assert rest.content == last.content == whole.content[-10:]
            tag = whole.headers["etag"]
            same = await client.get(url, headers={"range": "bytes=0-9", "if-range": tag})
            other = await client.get(url, headers={"range": "bytes=0-9", "if-range": '"x"'})
            assert (same.status_code, other.status_code) == (206, 200)
            assert (await client.get(url, headers={"range": "bytes=50000-"})).status_code == 416
            head = await client.head(url)
            assert (head.headers["content-length"], head.content) == ("50000", b"")
            assert (await client.post(url)).status_code == 405
            assert (await client.get(url.replace("/firmware/", "/firmware/x"))).status_code == 404
            await there.firmware.leave_out(there.who, (await there.updates(campaign))[0].id)
            assert (await client.get(url)).status_code == 404
        release.set()
