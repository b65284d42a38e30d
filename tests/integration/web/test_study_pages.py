"""Studies over the real rooms: asked for, followed, kept; a site's past, and what it lacks."""

import asyncio
import csv
import re
from collections.abc import Mapping
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import msgspec
import pytest
from console_world import World

from voltyard.config import Settings
from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.serving import pasts
from voltyard.study import replay
from voltyard.study.gathering import Gathering, PastRooms
from voltyard.study.model import Grown, Outcome, Quarter, Room, Shortage, Sized, Study
from voltyard.study.orders import Material, Order, Progress, Source, State
from voltyard.study.past import Gap, Past
from voltyard.study.processes import Answer, Lost, Tell
from voltyard.study.service import StudyService
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.model import Role
from voltyard.tenancy.service import NewUser

DEMO = Order(Source.DEMO, buses=8)


def a_study(world: World) -> Study:
    """What a worker could have found."""
    start_at = world.depot.start_at
    quarters = tuple(
        Quarter(start_at + timedelta(minutes=15 * i), 40e3, 30e3, 10e3, 0.0, 0.0) for i in range(48)
    )

    def outcome(name: str, ready: int, peak_w: float) -> Outcome:
        missed = ("Bus 7 <b>",) if ready < 8 else ()
        return Outcome(
            name, 300e3, 8, 8, ready, missed, 8e5, 8e5, peak_w, 210.5, 40.0, 9e3, 0, quarters
        )

    base = outcome("base", 8, 120e3)
    ladder = (Grown(0, 8, 8, 3), Grown(8, 16, 15, 6))
    return Study(
        source="demo",
        zone="Europe/Berlin",
        start_at=start_at,
        end_at=start_at + timedelta(hours=12),
        mode="cost",
        base=base,
        what_ifs=(outcome("limit=60", 7, 60e3), outcome("battery=50/25", 8, 90e3)),
        limits={"base": Sized(80e3, 8, 71e3, 1e3, base, ((60e3, 7), (80e3, 8)))},
        chargers={"staying": Sized(7.0, 8, None, 1.0, base, ((5.0, 6), (7.0, 8)))},
        room=Room(8, 2, 3, Shortage.BAYS, ((0, 8, 8), (3, 10, 11)), ladder),
        yearly=2.0,
    )


class FakeWorker:
    """Answers when it is let; remembers what it was given."""

    def __init__(self, found: bytes) -> None:
        self.answer = Answer(found)
        self.lost = False
        self.let = asyncio.Event()
        self.under_way = asyncio.Event()
        self.given: list[tuple[Order, Material]] = []

    async def work(self, order: Order, material: Material, tell: Tell) -> Answer:
        self.given.append((order, material))
        await tell(Progress("limit", "650 kW", 3, 0.42))
        self.under_way.set()
        await self.let.wait()
        if self.lost:
            raise Lost("gone")
        return self.answer


@pytest.fixture
def worker(world: World) -> FakeWorker:
    made = FakeWorker(msgspec.json.encode(a_study(world)))
    core = world.core
    core.studies.worker = made
    return made


async def done(world: World, worker: FakeWorker) -> None:
    worker.let.set()
    await world.core.studies.idle()


def gathering(world: World) -> Gathering:
    core = world.core
    return Gathering(
        PastRooms(
            core.clock, core.sites, core.sessions, core.timetable, core.fleets, core.chargers,
            core.inputs.meters, core.inputs.prices, core.energy,
        )
    )  # fmt: skip


async def past_of(world: World, hours: float = 3.0) -> Past:
    now = world.core.clock.now()
    return await gathering(world).past(world.who, world.site_id, now - timedelta(hours=hours), now)


async def test_a_sites_past_becomes_a_scenario_and_says_what_it_lacks(
    world: World, database_url: str
) -> None:
    past = await past_of(world)
    assert past.facts["sessions"] == 2
    assert len(past.stays) == 2
    gaps = {remark.gap for remark in past.remarks}
    assert {Gap.NO_OTHER_LOAD, Gap.NO_PRICES} <= gaps
    again = msgspec.json.decode(msgspec.json.encode(past), type=Past)
    assert again == past
    scenario = replay.scenario(again, 1)
    assert scenario.stays == 2
    assert scenario.case.limit_w == world.depot.limit_w
    took_wh = {v.label: v.asked_wh for v in scenario.case.visits}
    assert sorted(took_wh.values()) == pytest.approx([30_000.0, 35_000.0], rel=0.02), past.stays

    # on the command line
    now, since = world.core.clock.now(), timedelta(hours=3)
    [site] = await world.core.sites.all()
    clock, settings = world.core.clock, Settings()
    same = await pasts.read(settings, database_url, clock, site.name.upper(), now - since, now)
    assert [stay.id for stay in same.stays] == [stay.id for stay in past.stays]
    with pytest.raises(Invalid, match=site.name):
        await pasts.read(settings, database_url, clock, "Nowhere", now - since, now)

    # what cannot be studied
    rooms, who, site_id = gathering(world), world.who, world.site_id
    week = timedelta(days=7)
    with pytest.raises(Invalid, match="No session began") as told:
        await rooms.past(who, site_id, now - 2 * week, now - week)
    assert "last: " in told.value.fields["from_at"]
    with pytest.raises(Invalid, match="two weeks"):
        await rooms.past(who, site_id, now - 3 * week, now)
    with pytest.raises(Invalid, match="ends before"):
        await rooms.past(who, site_id, now, now - week)
    with pytest.raises(Invalid, match="not begun"):
        await rooms.past(who, site_id, now + week, now + 2 * week)
    stranger = system_principal(UUID(int=7))
    with pytest.raises(NotFound):
        await rooms.past(stranger, site_id, now - week, now)


async def test_a_study_is_asked_for_followed_and_read(world: World, worker: FakeWorker) -> None:
    assert "No study yet" in await world.page("/studies")
    now = world.core.clock.now()
    form = {
        "source": "site",
        "site_id": str(world.site_id),
        "from_at": (now - timedelta(hours=3)).isoformat(),
        "until_at": now.isoformat(),
        "if_limit": "60 %",
        "if_battery_kwh": "50",
        "if_battery_kw": "25",
        "cases": "vehicles=+2 pv=40\n",
        "find_limit": "on",
        "quick": "on",
        "yearly": "2",
    }
    answer = await world.post("/studies/new", "/studies/new", **form)
    assert answer.status_code == 303, answer.text[-900:]
    path = answer.headers["location"]
    await worker.under_way.wait()
    running = await world.page(path)
    assert "Smallest grid connection · 650 kW" in running
    assert 'hx-trigger="every 1s"' in running
    assert "42" in await world.page("/studies?state=running")
    order, material = worker.given[0]
    assert order.cases == ("limit=60%", "battery=50/25", "vehicles=+2 pv=40")
    assert (order.find_limit, order.find_room, order.yearly) == (True, False, 2.0)
    assert set(material) == {"past"}

    await done(world, worker)
    text = await world.page(path)
    assert "More bays" not in text
    assert "from 11 vehicles on more bays are needed" in text
    assert "reached in year 2" in text
    assert "Bus 7 &lt;b&gt;" in text
    assert text.count('class="picture"') == 6
    assert "No site meter" in text
    assert "style=" not in text.replace('rel="stylesheet"', "")
    late = await world.page(f"{path}?late=1")
    assert "1 case<" in late
    assert "Nothing matches" in await world.page(f"{path}?q=nobody")

    # as files
    path += "/report/"
    pdf = await world.client.get(f"{path}pdf")
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF-")
    rows = list(csv.DictReader(StringIO((await world.client.get(f"{path}csv")).text)))
    assert [row["case"] for row in rows] == ["base", "limit=60", "battery=50/25"]
    assert (rows[1]["ready"], rows[1]["missed"]) == ("7", "Bus 7 <b>")
    found: Mapping[str, Any] = (await world.client.get(f"{path}json")).json()
    assert found["room"]["lacks"] == "bays"
    html = (await world.client.get(f"{path}html")).text
    assert "Site study: " in html
    assert "<script" not in html
    assert (await world.client.get(f"{path}exe")).status_code == 404

    # what the form refuses
    form = {"source": "duties", "if_limit": "much", "cases": "sun=3"}
    answer = await world.post("/studies/new", "/studies/new", **form)
    assert answer.status_code == 422
    assert answer.text.count("Choose a file first.") == 2
    assert "This is not a number." in answer.text
    odd = {"source": "demo", "cases": "limit=9%x"}
    answer = await world.post("/studies/new", "/studies/new", **odd)
    assert answer.status_code == 422
    assert re.search(r"limit=9%x", answer.text)


async def test_cancelled_refused_lost_and_run_again(world: World, worker: FakeWorker) -> None:
    studies, who = world.core.studies, world.who
    study = await studies.create(who, "A", DEMO)
    waits = await studies.create(who, "B", DEMO)
    await worker.under_way.wait()
    with pytest.raises(Conflict):
        await studies.delete(who, study.id)
    await studies.cancel(who, waits.id)
    await studies.cancel(who, study.id)
    await studies.idle()
    assert (await studies.one(who, study.id)).state is State.CANCELLED
    with pytest.raises(Conflict):
        await studies.found(who, study.id)
    worker.answer = Answer(None, "nobody finds a charger", {"row 2": "x"})
    await studies.again(who, study.id)
    await done(world, worker)
    assert "nobody finds a charger" in await world.page(f"/studies/{study.id}")
    worker.lost = True
    await studies.again(who, study.id)
    await studies.idle()
    assert (await studies.one(who, study.id)).state is State.FAILED
    answer = await world.post(f"/studies/{study.id}/delete", f"/studies/{study.id}")
    assert answer.status_code == 303
    with pytest.raises(NotFound):
        await studies.one(who, study.id)

    # of somebody else
    worker.let.clear()
    study = await world.core.studies.create(world.who, "A", DEMO)
    admin = NewUser("other@example.org", "Other", Role.ADMIN, "nine buses at sunset")
    other, _ = await world.core.tenancy.create_organisation("Other", admin)
    stranger = system_principal(other.id)
    for ask in (studies.one, studies.found, studies.cancel, studies.delete, studies.again):
        with pytest.raises(NotFound):
            await ask(stranger, study.id)
    assert await studies.page(stranger) == ([], 0)
    await studies.cancel(world.who, study.id)


async def test_a_restart_runs_it_again_and_not_for_ever(world: World, worker: FakeWorker) -> None:
    core, who = world.core, world.who
    study = await core.studies.create(who, "A", DEMO)
    for attempt in (1, 2, 3):
        await worker.under_way.wait()
        assert (await core.studies.one(who, study.id)).attempts == attempt
        await core.studies.close()
        assert (await core.studies.one(who, study.id)).state is State.RUNNING
        worker.under_way.clear()
        core.studies = StudyService(core.database, core.clock, gathering(world), worker)
        await core.studies.load()
        await core.studies.tick()
    assert (await core.studies.one(who, study.id)).state is State.INTERRUPTED
