"""A study in a process of its own: what goes in, what comes out, and how it ends."""

import asyncio
from io import BytesIO

import msgspec
import pytest

from voltyard.errors import Invalid
from voltyard.study import worker
from voltyard.study.model import Study
from voltyard.study.orders import Order, Progress, Source, Upload, check
from voltyard.study.processes import ProcessWorker
from voltyard.study.worker import Job

DUTIES = Upload(
    "../night.csv",
    "id;vehicle;arrival;departure;soc_arrival_pct;target_soc_pct\n"
    "a;Bus 1;2026-01-14 19:00;2026-01-14 23:00;30;80\n",
)
VEHICLES = Upload("buses.csv", "name;battery_kwh;max_power_kw\nBus 1;100;50\n")
ORDER = Order(
    Source.DUTIES, ("limit=60",), limit_kw=100.0, charger_kw=50.0, as_it_was=True, quick=True,
    find_limit=False, find_chargers=False, find_room=False,
)  # fmt: skip


def test_files_are_studied_and_progress_is_told() -> None:
    out = BytesIO()
    job = Job(ORDER, files={"duties": DUTIES, "vehicles": VEHICLES})
    found = worker.answer(job, out)
    study = msgspec.json.decode(msgspec.json.encode(found["done"]), type=Study)
    assert (study.base.ready, study.what_ifs[0].name) == (1, "limit=60")
    told = [msgspec.json.decode(line) for line in out.getvalue().splitlines()]
    assert told[-1]["moment"]["share"] == pytest.approx(1.0, abs=0.05)


def test_faults_of_a_file_name_it_as_its_owner_does() -> None:
    bad = Upload("night.csv", DUTIES.content.replace("Bus 1", "Bus 9"))
    with pytest.raises(Invalid, match=r"^night.csv has 1 faults"):
        worker.base_of(Job(ORDER, files={"duties": bad, "vehicles": VEHICLES}))


async def test_a_process_refuses_and_ends() -> None:
    """Its own interpreter, its own imports: no more is run than what is needed to refuse."""
    told: list[Progress] = []

    async def tell(progress: Progress) -> None:
        told.append(progress)

    order = Order(Source.SPICE)
    files = {"files": {"scenario": Upload("empty.json", "{}")}}
    answer = await ProcessWorker().work(order, files, tell)
    assert (answer.found, told) == (None, [])
    assert answer.message

    task = asyncio.create_task(ProcessWorker().work(Order(Source.DEMO), {}, tell))
    await asyncio.wait({task}, timeout=0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_an_order_names_everything_that_is_wrong() -> None:
    odd = {"scenario": Upload("x", "a\0b")}
    with pytest.raises(Invalid) as told:
        check(Order(Source.DUTIES, ("sun=1",), buses=0, mode="odd", yearly=-1.0), odd)
    assert set(told.value.fields) == {
        "cases", "buses", "mode", "yearly", "duties", "vehicles", "limit_kw", "charger_kw",
        "scenario",
    }  # fmt: skip
