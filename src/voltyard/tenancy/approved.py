"""Somebody whose change a second person has approved, for as long as it is carried out."""

from dataclasses import dataclass
from uuid import UUID

from voltyard.tenancy.model import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedPrincipal(Principal):
    """The proposer, with what the change rested on (``base``) and who approved it.

    Made by the approvals room alone. The audit of everything done so names both.
    """

    proposal_id: UUID
    approved_by: str
    base: str
