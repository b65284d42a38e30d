"""What was begun without a task goes on in one, with all that a task can do to it."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from voltyard.ocpp.resumed import Begun, Resumed


def begun(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run up to its first wait, then in a task."""
    waits_for = work.send(None)

    async def rest() -> None:
        await Resumed(work, waits_for)

    return asyncio.get_running_loop().create_task(rest())


async def test_it_goes_on_when_what_it_waits_for_is_there() -> None:
    first, second = asyncio.Event(), asyncio.Event()
    steps: list[str] = []

    async def work() -> None:
        steps.append("begun")
        await first.wait()
        steps.append("first")
        await second.wait()
        steps.append("second")

    task = begun(work())
    assert steps == ["begun"]
    first.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert steps == ["begun", "first"]
    second.set()
    await task
    assert steps == ["begun", "first", "second"]


async def test_it_has_a_task_once_it_let_go() -> None:
    seen: list[bool] = []

    async def work() -> None:
        await asyncio.sleep(0)
        seen.append(asyncio.current_task() is not None)
        async with asyncio.timeout(1.0):
            await asyncio.sleep(0)

    await begun(work())
    assert seen == [True]


@pytest.mark.parametrize("waits", [0, 1])
async def test_cancelling_the_task_reaches_it(waits: int) -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            for _ in range(waits):
                await asyncio.sleep(0)
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append("ended")

    task = begun(work())
    for _ in range(waits + 1):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["ended"]


async def test_its_failure_is_the_tasks() -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await begun(work())


class Going:
    """Work that waits for two futures, and what it is told by whoever goes on with it."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.first, self.second = loop.create_future(), loop.create_future()
        self.steps: list[str] = []
        self.further: list[Resumed | None] = []
        work = self.work()
        self.begun = Begun(work, work.send(None), self.further.append)

    async def work(self) -> None:
        self.steps.append(str(await self.first))
        if self.steps == ["twice"]:
            self.steps.append(str(await self.second))


async def test_it_goes_on_without_a_task_once_its_future_is_done() -> None:
    going = Going()
    going.first.set_result("once")
    assert going.steps == []
    await asyncio.sleep(0)
    assert (going.steps, going.further) == (["once"], [None])


async def test_what_waits_a_second_time_is_handed_to_a_task() -> None:
    going = Going()
    going.first.set_result("twice")
    await asyncio.sleep(0)
    (further,) = going.further
    assert further is not None

    async def rest() -> None:
        await further

    task = asyncio.create_task(rest())
    await asyncio.sleep(0)
    going.second.set_result("more")
    await task
    assert going.steps == ["twice", "more"]


@pytest.mark.parametrize("already_done", [True, False])
async def test_somebody_else_may_take_it_over(*, already_done: bool) -> None:
    going = Going()
    if already_done:
        going.first.set_result("once")
    resumed = going.begun.in_a_task()

    async def rest() -> None:
        await resumed

    task = asyncio.create_task(rest())
    await asyncio.sleep(0)
    if not already_done:
        going.first.set_result("once")
    await task
    assert (going.steps, going.further) == (["once"], [])


async def test_what_it_waits_for_may_fail() -> None:
    going = Going()
    loop = asyncio.get_running_loop()
    failures: list[object] = []
    loop.set_exception_handler(lambda _, context: failures.append(context.get("exception")))
    going.first.set_exception(ValueError("no"))
    await asyncio.sleep(0)
    loop.set_exception_handler(None)
    assert going.further == [None]
    assert [str(failure) for failure in failures] == ["no"]
