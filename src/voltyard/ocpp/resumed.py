"""A coroutine that was begun without a task, and how it goes on: without one still, or in one.

``coroutine.send(None)`` runs it up to the first thing it waits for; most never get there. What it
handed out then is what must be waited for before it goes on. Until then there is no current task:
``Database.begin`` lets go once if it is opened so (asyncio's timeouts need a task).
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any

Work = Coroutine[Any, Any, None]


class Begun:
    """It waits for one future, and goes on as soon as that is done.

    So the usual message takes no task: it waits for its commit and nothing else. ``gone_on`` is
    told once it is through, or, with what it waits for next, that it must go on in a task.
    """

    __slots__ = ("_gone_on", "_waits_for", "_work")

    def __init__(
        self,
        work: Work,
        waits_for: "asyncio.Future[Any]",
        gone_on: "Callable[[Resumed | None], None]",
    ) -> None:
        self._work: Work | None = work
        self._waits_for = waits_for
        self._gone_on = gone_on
        # As a task does: what was handed out to be waited for is being waited for.
        waits_for._asyncio_future_blocking = False
        waits_for.add_done_callback(self._go_on)

    def _go_on(self, _: "asyncio.Future[Any]") -> None:
        work, self._work = self._work, None
        if work is None:
            return
        further = None
        try:
            further = Resumed(work, work.send(None))
        except StopIteration:
            pass
        finally:
            self._gone_on(further)

    def in_a_task(self) -> "Resumed":
        """Let somebody else go on with it: a task that can be waited for."""
        work, self._work = self._work, None
        assert work is not None
        self._waits_for.remove_done_callback(self._go_on)
        self._waits_for._asyncio_future_blocking = True
        return Resumed(work, self._waits_for)


class Resumed(Generator[Any, Any, None]):
    """``await`` it once: all that a task sends or throws reaches the coroutine."""

    __slots__ = ("_begun", "_waits_for", "_work")

    def __init__(self, work: Work, waits_for: Any) -> None:
        self._work = work
        self._waits_for = waits_for
        self._begun = False

    def __await__(self) -> Generator[Any, Any, None]:
        return self

    def send(self, value: Any) -> Any:
        if self._begun:
            return self._work.send(value)
        self._begun = True
        return self._waits_for

    def __next__(self) -> Any:
        return self.send(None)

    def throw(self, *error: Any) -> Any:
        self._begun = True
        return self._work.throw(*error)

    def close(self) -> None:
        self._work.close()
