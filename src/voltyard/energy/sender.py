"""Sends limits to many chargers at once; nobody waits for a slow one."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from voltyard.chargers.commands import Command, CommandResult, StationLink
from voltyard.clock import Clock
from voltyard.errors import ChargerOffline, ChargerRefused, ChargerTimeout, Invalid, TooMany

log = logging.getLogger(__name__)

MAX_AT_ONCE = 64
CUTS_AT_ONCE = 512
"""Beside the others: chargers that do not answer keep no cut waiting."""
UNKNOWN_CODES = frozenset({"NotImplemented", "NotSupported"})
"""CALLERROR codes for an action that is not there; some makes take one for the other."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``accepted`` None: nobody knows whether the charger took it. ``unknown``: the charger does
    not know the message at all."""

    accepted: bool | None
    result: CommandResult | None = None
    error: str = ""
    unknown: bool = False


class Sender:
    """Runs commands in the background. Answers go to the callback given with each."""

    def __init__(self, clock: Clock, *, timeout_s: float) -> None:
        self._clock = clock
        self._timeout_s = timeout_s
        self._at_once = asyncio.Semaphore(MAX_AT_ONCE)
        self._cuts_at_once = asyncio.Semaphore(CUTS_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def send(
        self,
        link: StationLink,
        command: Command,
        done: Callable[[Answer], None],
        *,
        cut: bool = False,
    ) -> None:
        turn = self._cuts_at_once if cut else self._at_once
        self.spawn(self._send(link, command, done, turn))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def settle(self) -> None:
        """Until nothing is under way any more."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("work for a charger failed", exc_info=task.exception())

    async def _send(
        self,
        link: StationLink,
        command: Command,
        done: Callable[[Answer], None],
        turn: asyncio.Semaphore,
    ) -> None:
        async with turn:
            done(await ask(link, command, self._clock, self._timeout_s))


async def ask(link: StationLink, command: Command, clock: Clock, timeout_s: float) -> Answer:
    """One command and what came of it; never raises what a charger can cause.

    The link keeps the time; the outer bound is for a link that does not.
    """

    async def sending() -> CommandResult:
        async with clock.timeout(timeout_s * 3.0):
            return await link.send(command, timeout_s=timeout_s)

    return await _answer(sending)


async def _answer(sending: Callable[[], Awaitable[CommandResult]]) -> Answer:
    try:
        result = await sending()
    except (ChargerRefused, Invalid) as error:
        return Answer(False, error=error.message, unknown=error.detail in UNKNOWN_CODES)
    except TooMany as error:
        return Answer(False, error=error.message)
    except (ChargerOffline, ChargerTimeout, TimeoutError) as error:
        return Answer(None, error=str(error))
    return Answer(result.accepted, result, result.word)
