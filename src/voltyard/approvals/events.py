"""What happened to proposals. Published after its commit."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class ProposalChanged:
    """Made, decided, carried out, withdrawn or expired. ``code``: why it failed, if it did."""

    org_id: UUID
    site_id: UUID | None
    proposal_id: UUID
    kind: str
    subject: str
    state: str
    proposed_by: str
    decided_by: str
    expires_at: datetime
    code: str
    at: datetime
