"""Cuts before raises: which limits may go out now, while others are not yet confirmed. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from voltyard.energy.confirm import WATT, Change, Held
from voltyard.energy.headroom import BALANCED, Headroom, Wiring

Part = Callable[[Change, float], Change | None]
"""The change as far as so many free watts allow; None when that is not worth a command."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One EVSE: what it counts at now, what it holds, and the limit it should be sent next.

    ``counted_w`` is at least the ceiling of ``held``, more for an EVSE that ignores it.
    ``steady_w`` is the highest live limit that lets it draw no more than it does now. One that
    is not ``on_tree`` takes no room and gets no raise: nobody can tell whether it fits.
    """

    evse_id: UUID
    counted_w: float
    held: Held
    change: Change | None
    part: Part
    steady_w: float
    wiring: Wiring = BALANCED
    on_tree: bool = True


def split(room: Headroom, claims: Sequence[Claim]) -> dict[UUID, Change]:
    """What may leave now: all that adds nothing, and raises as far as they fit.

    ``room`` is what limits and load leave for the EVSEs of ``claims`` (it is used up); these come
    in order of preference. Every EVSE counts at the highest of what it may hold, so a raise waits
    for the confirmation of the cuts that make its room. For each node: when what is counted fits
    it, the larger of old and new of everybody fits it. Where it does not (a charger turned out
    to hold more than was known), nobody's live limit rises, counted for more already or not.
    """
    for claim in claims:
        if claim.on_tree:
            room.take(claim.evse_id, claim.counted_w, claim.wiring)
    over = frozenset(room.exceeded())
    chosen: dict[UUID, Change] = {}
    for claim in claims:
        change = claim.change
        if change is not None and adds_w(change, claim.held) > WATT:
            change = _as_far_as_it_fits(room, claim, change)
        elif change is not None and not over.isdisjoint(_nodes(room, claim)):
            change = _no_higher(change, claim.steady_w)
        if change is not None:
            chosen[claim.evse_id] = change
    return chosen


def _as_far_as_it_fits(room: Headroom, claim: Claim, change: Change) -> Change | None:
    if not claim.on_tree:
        return None
    part = claim.part(change, room.room(claim.evse_id, claim.wiring))
    if part is not None:
        room.take(claim.evse_id, max(0.0, adds_w(part, claim.held)), claim.wiring)
    return part


def _nodes(room: Headroom, claim: Claim) -> tuple[UUID, ...]:
    return room.path(claim.evse_id) if claim.on_tree else ()


def _no_higher(change: Change, steady_w: float) -> Change:
    if change.fallback or change.power_w <= steady_w + WATT:
        return change
    return replace(change, power_w=steady_w)


def adds_w(change: Change, held: Held) -> float:
    """How much more the EVSE counts once the change is on its way, in W."""
    return change.while_unconfirmed(held).ceiling_w - held.ceiling_w
