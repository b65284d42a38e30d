"""Which passwords are refused, and how long guessing waits."""

from datetime import UTC, datetime, timedelta

import pytest

from voltyard.errors import Invalid
from voltyard.tenancy.passwords import (
    MEMORY_KIB,
    TIME_COST,
    PasswordBook,
    Suspects,
    check_strength,
    in_place,
    lock_s,
)

AT = datetime(2026, 1, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "password1234",
        "P@ssw0rd2026!",
        "Passwort2026!",
        "aaaaaaaaaaaaaaaa",
        "abababababababab",
        "123456789012",
        "qwertzuiopas",
        "abcdefghijklm",
        "voltyard2026!",
        "depotdepotdepot",
        "lovelace1815!",
        "x" * 300,
    ],
)
def test_what_is_guessed_first_is_refused(password: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_strength(password, personal=("ada@example.org", "Ada Lovelace"))
    assert refused.value.code == "weak_password"
    assert "password" in refused.value.fields


@pytest.mark.parametrize(
    "password", ["seven buses at dawn", "Gh7!kdP0sLq2", "пароль депо утром", "grün 5 Busse fahren"]
)
def test_long_and_unlikely_ones_are_taken(password: str) -> None:
    check_strength(password, personal=("ada@example.org", "Ada Lovelace"))


def test_the_wait_doubles_up_to_a_quarter_of_an_hour() -> None:
    assert [lock_s(n) for n in (1, 4, 5, 6, 7, 10, 50)] == [0, 0, 30, 60, 120, 900, 900]


def test_an_address_is_forgotten_after_an_hour_of_peace() -> None:
    suspects = Suspects(free=2)
    for _ in range(2):
        suspects.failed("192.0.2.1", AT)
    assert suspects.wait_s("192.0.2.1", AT) == 30
    later = AT + timedelta(hours=2)
    suspects.failed("192.0.2.1", later)
    assert suspects.wait_s("192.0.2.1", later) == 0


async def test_nobodys_password_is_never_right_and_hashes_differ() -> None:
    book = PasswordBook(in_place, time_cost=1, memory_kib=64)
    first, second = await book.hash("seven buses"), await book.hash("seven buses")
    assert first != second
    assert (await book.verify(first, "seven buses")).right
    assert not (await book.verify(first, "eight buses")).right
    assert not (await book.verify(None, "seven buses")).right
    assert not (await book.verify("not a hash", "seven buses")).right


async def test_a_password_costs_a_guesser_64_mib_and_three_passes() -> None:
    """The tests' own people are cheaper (see ``tests/conftest.py``); those of a depot are not."""
    book = PasswordBook(in_place, time_cost=TIME_COST, memory_kib=MEMORY_KIB)
    stored = await book.hash("seven buses")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert (await book.verify(stored, "seven buses")).rehash is None
