"""Charger passwords: cheap when known, slow to guess."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from voltyard.chargers.passwords import (
    LONGEST_DELAY_S,
    SUSPECTS_MAX,
    Passwords,
    Verdict,
    in_place,
)

AT = datetime(2026, 1, 15, tzinfo=UTC)
WHO = ("CP1", "10.0.0.1")


class Counting(Passwords):
    """Counts how often argon2 really ran."""

    def __init__(self) -> None:
        super().__init__(in_place)
        self.ran = 0

    def _matches(self, stored: str, presented: str) -> bool:
        self.ran += 1
        return super()._matches(stored, presented)


async def test_a_storm_of_reconnections_hashes_once() -> None:
    passwords, station_id = Counting(), uuid4()
    stored = await passwords.hash("right-password")
    for _ in range(50):
        checked = await passwords.check(station_id, stored, "right-password", who=WHO, at=AT)
        assert checked.verdict is Verdict.RIGHT
    assert passwords.ran == 1


async def test_a_changed_password_is_asked_for_again() -> None:
    passwords, station_id = Counting(), uuid4()
    first, second = await passwords.hash("first-password"), await passwords.hash("second-password")
    await passwords.check(station_id, first, "first-password", who=WHO, at=AT)
    checked = await passwords.check(station_id, second, "first-password", who=WHO, at=AT)
    assert checked.verdict is Verdict.WRONG


async def test_each_wrong_password_doubles_the_wait_up_to_a_bound() -> None:
    passwords, station_id = Counting(), uuid4()
    stored = await passwords.hash("right-password")
    at, waits = AT, []
    for _ in range(14):
        checked = await passwords.check(station_id, stored, "wrong", who=WHO, at=at)
        if checked.verdict is Verdict.LATER:
            waits.append(checked.retry_after_s)
            at += timedelta(seconds=checked.retry_after_s)
    assert waits[:4] == [1, 2, 4, 8]
    for _ in range(20):
        checked = await passwords.check(station_id, stored, "wrong", who=WHO, at=at)
        at += timedelta(seconds=checked.retry_after_s)
    assert max(waits[-1], checked.retry_after_s) <= LONGEST_DELAY_S


async def test_another_address_is_not_slowed() -> None:
    passwords, station_id = Counting(), uuid4()
    stored = await passwords.hash("right-password")
    for _ in range(5):
        await passwords.check(station_id, stored, "wrong", who=WHO, at=AT)
    checked = await passwords.check(
        station_id, stored, "right-password", who=("CP1", "10.0.0.2"), at=AT
    )
    assert checked.verdict is Verdict.RIGHT


async def test_suspects_are_bounded() -> None:
    passwords = Counting()
    for number in range(SUSPECTS_MAX + 10):
        passwords.refused(("CP", str(number)), AT)
    assert len(passwords._suspects) == SUSPECTS_MAX


async def test_a_broken_hash_lets_nobody_in() -> None:
    checked = await Counting().check(uuid4(), "no hash", "x", who=WHO, at=AT)
    assert checked.verdict is Verdict.WRONG
