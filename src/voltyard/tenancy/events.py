"""What happened to organisations. Each is published after its commit."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class OperatorsChanged:
    """A fleet operator below ``org_id`` is new, was changed, or is admitted to other places."""

    org_id: UUID
    operator_id: UUID
    at: datetime
