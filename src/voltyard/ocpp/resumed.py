"""A coroutine that was begun without a task and goes on in one.

``coroutine.send(None)`` runs it up to the first thing it waits for; most never get there. What it
handed out then is what a task must wait for before it goes on. Until then there is no current task:
``Database.begin`` lets go once if it is opened so (asyncio's timeouts need a task).
"""

from collections.abc import Coroutine, Generator
from typing import Any


class Resumed(Generator[Any, Any, None]):
    """``await`` it once: all that a task sends or throws reaches the coroutine."""

    __slots__ = ("_begun", "_waits_for", "_work")

    def __init__(self, work: Coroutine[Any, Any, None], waits_for: Any) -> None:
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

    def throw(self, *error: Any) -> Any:
        self._begun = True
        return self._work.throw(*error)

    def close(self) -> None:
        self._work.close()
