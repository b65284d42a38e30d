"""An event handler that fails is kept for retry and stops nobody else."""

from dataclasses import dataclass

import pytest

from voltyard.bus import Bus


@dataclass(frozen=True)
class Happened:
    number: int


class Kept:
    def __init__(self) -> None:
        self.kept: list[tuple[object, str]] = []

    async def keep(self, event: object, handler: str, error: str) -> None:
        self.kept.append((event, handler))


async def test_one_failing_handler_is_kept_and_the_others_still_run() -> None:
    kept, seen = Kept(), []
    bus = Bus(kept)

    async def fails(event: Happened) -> None:
        raise RuntimeError("no")

    async def works(event: Happened) -> None:
        seen.append(event.number)

    bus.subscribe(Happened, fails, name="fails")
    bus.subscribe(Happened, works, name="works")
    await bus.publish(Happened(1), Happened(2))
    assert seen == [1, 2]
    assert kept.kept == [(Happened(1), "fails"), (Happened(2), "fails")]
    assert (bus.delivered, bus.failed) == (2, 2)


async def test_redelivery_goes_to_one_handler_and_raises_if_it_fails_again() -> None:
    bus, seen = Bus(), []

    async def works(event: Happened) -> None:
        seen.append(event.number)

    async def fails(event: Happened) -> None:
        raise RuntimeError("again")

    bus.subscribe(Happened, works, name="works")
    bus.subscribe(Happened, fails, name="fails")
    await bus.redeliver(Happened(3), "works")
    assert seen == [3]
    with pytest.raises(RuntimeError, match="again"):
        await bus.redeliver(Happened(3), "fails")


def test_two_handlers_may_not_share_a_name() -> None:
    bus = Bus()

    async def works(event: Happened) -> None: ...

    bus.subscribe(Happened, works, name="works")
    with pytest.raises(ValueError, match="already"):
        bus.subscribe(Happened, works, name="works")
