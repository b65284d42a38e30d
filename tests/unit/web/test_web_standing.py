"""What live topics keep of slow tables, and when they forget it."""

from datetime import UTC, datetime
from uuid import uuid4

from voltyard.clock import ScaledClock
from voltyard.web.console.source.standing import Kept

START = datetime(2026, 1, 14, 20, 0, tzinfo=UTC)
KEY = (uuid4(), uuid4())


class Counter:
    """A reader that counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self) -> int:
        self.asked += 1
        return self.asked


async def test_an_answer_is_read_once() -> None:
    kept: Kept[int] = Kept(ScaledClock(START), 60.0)
    read = Counter()
    assert [await kept.get(KEY, read) for _ in range(3)] == [1, 1, 1]
    assert await kept.get((KEY[0], None), read) == 2


async def test_a_change_is_seen_by_the_next_reader() -> None:
    kept: Kept[int] = Kept(ScaledClock(START), 60.0)
    read = Counter()
    await kept.get(KEY, read)
    kept.forget(KEY)
    assert await kept.get(KEY, read) == 2


async def test_an_answer_that_a_change_overtook_is_not_kept() -> None:
    kept: Kept[int] = Kept(ScaledClock(START), 60.0)
    read = Counter()

    async def overtaken() -> int:
        found = await read()
        kept.forget(KEY)
        return found

    assert await kept.get(KEY, overtaken) == 1
    assert await kept.get(KEY, read) == 2


async def test_nothing_is_kept_for_ever_or_without_an_age() -> None:
    read = Counter()
    clock = ScaledClock(START, speed=1e9)
    short: Kept[int] = Kept(clock, 1e-6)
    never: Kept[int] = Kept(clock, 0.0)
    await short.get(KEY, read)
    assert await short.get(KEY, read) == 2
    assert [await never.get(KEY, read) for _ in range(2)] == [3, 4]
