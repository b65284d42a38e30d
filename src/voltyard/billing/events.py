"""What happened to costs and payments. Each is published after its commit."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class TariffsChanged:
    """A tariff, an assignment or the settings of an organisation changed."""

    org_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True)
class SessionRated:
    """A session's final cost is known, or known better; ``reason`` says why."""

    org_id: UUID
    station_id: UUID
    session_id: UUID
    gross: Decimal
    currency: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class PaymentChanged:
    org_id: UUID
    payment_id: UUID
    state: str
    at: datetime
