"""What was begun without a task goes on in one, with all that a task can do to it."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from voltyard.ocpp.resumed import Resumed


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
