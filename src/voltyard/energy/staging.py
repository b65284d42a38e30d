"""Cuts before raises: which commands may go out now, while others are not yet confirmed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from voltyard.energy.headroom import BALANCED, Headroom, Wiring


@dataclass(frozen=True, slots=True)
class Held:
    """``ceiling_w`` is the most the EVSE may draw now: the highest of what it confirmed and of
    every command it may have received since. ``target_w`` is where it shall go.
    """

    evse_id: UUID
    ceiling_w: float
    target_w: float
    min_power_w: float = 0.0
    wiring: Wiring = BALANCED
    whole_amps: bool = False


@dataclass(frozen=True, slots=True)
class Staged:
    """Powers to send now, by EVSE. ``waiting`` EVSEs get (the rest of) their raise later."""

    cuts: Mapping[UUID, float]
    raises: Mapping[UUID, float]
    waiting: tuple[UUID, ...]


def split(room: Headroom, held: Sequence[Held], least_raise_w: float = 0.0) -> Staged:
    """Cuts go at once; a raise goes as far as it fits with every cut still at its old value.

    ``room`` is what limits, load and reservations leave for the EVSEs of ``held`` (it is used
    up); these come in order of preference. Partial raises smaller than ``least_raise_w`` wait.
    For each node: when the ceilings fit it, the larger of old and new of everybody fits it.
    """
    for evse in held:
        room.take(evse.evse_id, evse.ceiling_w, evse.wiring)
    cuts = {evse.evse_id: evse.target_w for evse in held if evse.target_w < evse.ceiling_w}
    raises: dict[UUID, float] = {}
    waiting: list[UUID] = []
    for evse in held:
        if evse.target_w <= evse.ceiling_w:
            continue
        new_w = _reachable(room, evse, least_raise_w)
        if new_w > evse.ceiling_w:
            room.take(evse.evse_id, new_w - evse.ceiling_w, evse.wiring)
            raises[evse.evse_id] = new_w
        if new_w < evse.target_w:
            waiting.append(evse.evse_id)
    return Staged(cuts, raises, tuple(waiting))


def _reachable(room: Headroom, evse: Held, least_raise_w: float) -> float:
    """How far the EVSE can go up now; its ceiling when it must wait."""
    free_w = room.room(evse.evse_id, evse.wiring)
    new_w = min(evse.target_w, evse.ceiling_w + free_w)
    if evse.whole_amps and new_w < evse.target_w:
        new_w = evse.wiring.whole_amps(new_w)[1]
    partial = new_w < evse.target_w
    if partial and new_w - evse.ceiling_w < least_raise_w:
        return evse.ceiling_w
    return new_w if new_w >= evse.min_power_w else evse.ceiling_w
