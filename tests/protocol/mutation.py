"""Sound messages spoilt: values that are none, keys gone or new, bytes torn."""

import random
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, 0, -1, 2**31, 2**64, 1e308, 1.5, "", "x" * 300, "\ud800", "\u0000", "NaN",
    "2026-13-01T00:00:00Z", [], {}, [[]], [None], {"a": 1}, "9" * 40,
    2**31 - 1, -(2**63), -0.0, 1e-320, float("inf"), float("nan"), "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59", "-1", "1e400", "٣", "a" * 30_000, {"vendorId": None}, [{}, 7],
)  # fmt: skip


def mutated(value: Any, chance: random.Random) -> Any:
    if chance.random() < 0.08:
        return chance.choice(ODD)
    if isinstance(value, dict):
        made = {
            key: mutated(item, chance) if chance.random() < 0.3 else item
            for key, item in value.items()
        }
        if made and chance.random() < 0.05:
            del made[chance.choice(list(made))]
        if chance.random() < 0.05:
            made[chance.choice(["x", "customData", "id"])] = chance.choice(ODD)
        return made
    if isinstance(value, list):
        return [mutated(item, chance) for item in value] * chance.choice([0, 1, 1, 1, 5])
    return value


def torn(data: bytes, chance: random.Random) -> bytes:
    """Cut, doubled, overwritten or swapped somewhere, one to four times."""
    for _ in range(chance.randint(1, 4)):
        if not data:
            return data
        begin = chance.randrange(len(data))
        end = min(len(data), begin + chance.choice([1, 1, 2, 8, 64]))
        middle = chance.choice(
            [b"", data[begin:end] * 2, chance.randbytes(end - begin), b'"', b"[", b"]", b"{",
             b"\\", b"\\u0000", b"\\ud800", b"null", b"\x00", b"1e999", b",", b"[" * 2_000]
        )  # fmt: skip
        data = data[:begin] + middle + data[end:]
    return data
