"""Ids of things: random, or, in a seeded run, from its own chance so that it repeats exactly."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID, uuid4

_CHANCE: ContextVar[random.Random | None] = ContextVar("voltyard_ids", default=None)


def new_id() -> UUID:
    """A new random (version 4) id."""
    chance = _CHANCE.get()
    return uuid4() if chance is None else UUID(int=chance.getrandbits(128), version=4)


@contextmanager
def repeatable(chance: random.Random) -> Iterator[None]:
    """Within the block, and in every task begun there, ids come from ``chance``."""
    token = _CHANCE.set(chance)
    try:
        yield
    finally:
        _CHANCE.reset(token)
