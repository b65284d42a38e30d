"""What a connection stands on: something that carries frames, and somewhere to run in."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol


class Transport(Protocol):
    """What carries text frames to one charger."""

    @property
    def remote(self) -> str: ...

    def push(self, frame: bytes) -> bool:
        """Send if that takes no waiting; False leaves it to ``send``."""

    async def send(self, frame: bytes) -> None:
        """Waits while the peer does not read; raises ChargerOffline when it is gone."""

    def close(self, code: int, reason: str) -> None:
        """Say goodbye and go, without waiting for the peer. Idempotent."""


class Spawner(Protocol):
    """Runs a coroutine in the background; it is cancelled when the server closes."""

    def __call__(self, work: Coroutine[Any, Any, None], /) -> asyncio.Task[None]: ...
