"""Where fleet operators' vehicles may charge, as rooms ask it in a transaction of their own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from voltyard.storage.engine import Tx
from voltyard.tenancy import store


@dataclass(frozen=True, slots=True)
class Admission:
    """Of one operator: all of ``site_ids``, and only ``area_ids`` of other sites.

    ``site_of_area`` is of every area at the sites it is admitted to.
    """

    active: bool
    site_ids: frozenset[UUID] = frozenset()
    area_ids: frozenset[UUID] = frozenset()
    site_of_area: Mapping[UUID, UUID] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reach:
    """Of a site, where one operator's vehicles may charge: ``only`` these areas, or all ``but``
    those kept for others."""

    only: frozenset[UUID] | None = None
    but: frozenset[UUID] = frozenset()

    def covers(self, area_id: UUID | None) -> bool:
        return area_id in self.only if self.only is not None else area_id not in self.but


EVERYWHERE = Reach()
NOWHERE = Reach(only=frozenset())


def reach(below: Mapping[UUID, Admission], operator_id: UUID, site_id: UUID) -> Reach:
    """``below`` is of all operators of the site's organisation."""
    own = below.get(operator_id)
    if own is None or not own.active:
        return NOWHERE
    if site_id not in own.site_ids:
        return Reach(only=frozenset(a for a in own.area_ids if own.site_of_area.get(a) == site_id))
    others = (each for key, each in below.items() if key != operator_id and each.active)
    return Reach(but=frozenset(area for each in others for area in each.area_ids))


async def admissions(tx: Tx, org_id: UUID) -> Mapping[UUID, Admission]:
    """By operator, in a depot operator's transaction; empty in a fleet operator's."""
    operators = await store.operators(tx, org_id)
    if not operators:
        return {}
    below = await store.admitted_below(tx, org_id)
    sites = {place.site_id for places in below.values() for place in places}
    areas = await store.areas_of_sites(tx, sorted(sites))
    found: dict[UUID, Admission] = {}
    for each in operators:
        places = below.get(each.id, [])
        found[each.id] = Admission(
            each.active,
            frozenset(place.site_id for place in places if not place.area_ids),
            frozenset(area for place in places for area in place.area_ids),
            {area: place.site_id for place in places for area in areas.get(place.site_id, ())},
        )
    return found


async def is_active(tx: Tx, org_id: UUID) -> bool:
    """Whether anybody of the organisation gets in."""
    found = await store.organisation(tx, org_id)
    return found is not None and found.active


async def depot_operator(tx: Tx, org_id: UUID) -> UUID | None:
    """The organisation above a fleet operator, in its own transaction."""
    found = await store.organisation(tx, org_id)
    return None if found is None else found.parent_id
