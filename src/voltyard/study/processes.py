"""Studies in processes of their own: started, listened to, ended. The server's loop only waits."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from voltyard.errors import VoltyardError
from voltyard.study.orders import Material, Order, Progress

_LINE_MAX = 256 * 1024 * 1024
_SAID_MAX = 2_000

Tell = Callable[[Progress], Awaitable[None]]


class Lost(VoltyardError):
    """The process ended without an answer."""

    code = "study_lost"


@dataclass(frozen=True, slots=True)
class Answer:
    """``found`` is JSON of a ``Study``, or None with ``message`` and ``faults`` of why not."""

    found: bytes | None
    message: str = ""
    faults: Mapping[str, str] = field(default_factory=dict)


class Worker(Protocol):
    async def work(self, order: Order, material: Material, tell: Tell) -> Answer:
        """The whole study; cancelled, it stops at once. Raises ``Lost``."""


class _Line(msgspec.Struct):
    moment: Progress | None = None
    done: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"null"))
    refused: str | None = None
    faults: dict[str, str] = msgspec.field(default_factory=dict)


class ProcessWorker:
    """One Python process a study, of the same voltyard."""

    async def work(self, order: Order, material: Material, tell: Tell) -> Answer:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "voltyard.study.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE_MAX,
        )
        assert process.stderr is not None
        said = asyncio.create_task(_read_last(process.stderr))
        try:
            answer = await self._listen(process, order, material, tell)
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
            await process.wait()
            errors = await said
        if answer is None:
            raise Lost(f"The study's process ended ({process.returncode}).", detail=errors)
        return answer

    async def _listen(
        self, process: asyncio.subprocess.Process, order: Order, material: Material, tell: Tell
    ) -> Answer | None:
        assert process.stdin is not None
        assert process.stdout is not None
        job: dict[str, Any] = {"order": order, **material}
        with suppress(ConnectionError):
            process.stdin.write(msgspec.json.encode(job) + b"\n")
            await process.stdin.drain()
        async for line in process.stdout:
            try:
                told = msgspec.json.decode(line, type=_Line)
            except msgspec.DecodeError as error:
                raise Lost("The study's process said what makes no sense.") from error
            if told.moment is not None:
                await tell(told.moment)
            elif told.refused is not None:
                return Answer(None, told.refused, told.faults)
            else:
                return Answer(bytes(told.done))
        return None


async def _read_last(stream: asyncio.StreamReader) -> str:
    """The end of what it said, for the log."""
    said = b""
    while piece := await stream.read(65_536):
        said = (said + piece)[-_SAID_MAX:]
    return said.decode(errors="replace")
