"""Where a fleet operator's token charges: where the operator is admitted, and no wider."""

import hashlib
from dataclasses import replace
from uuid import UUID

from voltyard.fleets.model import Token
from voltyard.tenancy.admission import Admission

NOWHERE = UUID(int=0)
"""The id of no site: a token that lists nothing else charges nowhere."""


def own_group(token: Token) -> str:
    """The group at the depot's chargers. Groups stop each other's sessions, and one is a station's
    master pass: an operator's are its own, whatever they are called. OCPP 1.6 takes 20 letters."""
    if not token.group_id:
        return ""
    named = token.org_id.bytes + token.group_id.casefold().encode()
    return hashlib.sha256(named).hexdigest()[:20]


def bound(token: Token, admitted: Admission | None) -> Token:
    """As the depot operator's chargers must see it; one's own tokens (None) as they are."""
    if admitted is None:
        return token
    if token.anywhere:
        site_ids, area_ids = admitted.site_ids, admitted.area_ids
    else:
        wanted = frozenset(token.site_ids)
        site_ids = wanted & admitted.site_ids
        area_ids = frozenset(
            area
            for area, site in admitted.site_of_area.items()
            if (area in token.area_ids or site in wanted)
            and (area in admitted.area_ids or site in admitted.site_ids)
            and site not in site_ids
        )
    return replace(
        token,
        group_id=own_group(token),
        blocked=token.blocked or not admitted.active,
        site_ids=tuple(sorted(site_ids)) or (() if area_ids else (NOWHERE,)),
        area_ids=tuple(sorted(area_ids)),
    )
