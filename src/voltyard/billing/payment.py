"""Payments as they are kept, and prepaid accounts. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from voltyard.billing.model import ZERO


class PaymentSource(StrEnum):
    TERMINAL = "terminal"
    """In the charger (C18)."""
    KIOSK = "kiosk"
    """Of a group of chargers, or any other payment system (C03, C24)."""
    WEB = "web"
    """By an address in a QR code (C25)."""


class PaymentState(StrEnum):
    ASKED = "asked"
    """The driver was sent to the provider."""
    AUTHORISED = "authorised"
    CHARGING = "charging"
    DUE = "due"
    """The session is over; the amount has still to be taken."""
    SETTLED = "settled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    FAILED = "failed"


OVER = frozenset({PaymentState.SETTLED, PaymentState.CANCELED})
"""Nothing changes these any more but the very same settlement told again."""


@dataclass(frozen=True, slots=True)
class Payment:
    """``psp_ref`` names it at the provider, once in an organisation; chargers use it as token.

    ``authorised`` and ``settled`` are amounts. ``details``: what the terminal told of the card.
    """

    id: UUID
    org_id: UUID
    psp_ref: str
    source: PaymentSource
    state: PaymentState
    station_id: UUID
    created_at: datetime
    changed_at: datetime
    evse_id: UUID | None = None
    session_id: UUID | None = None
    currency: str = ""
    authorised: Decimal | None = None
    max_energy_wh: float | None = None
    max_time_s: int | None = None
    settled: Decimal | None = None
    settled_at: datetime | None = None
    receipt_id: str = ""
    receipt_url: str = ""
    vat_number: str = ""
    company: Mapping[str, Any] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    word: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """A prepaid balance and the tokens (upper case) that charge on it.

    ``held``: what running sessions may still spend of it; the rest is free.
    """

    id: UUID
    org_id: UUID
    name: str
    currency: str
    balance: Decimal
    tokens: tuple[str, ...]
    created_at: datetime
    closed: bool = False
    held: Decimal = ZERO

    @property
    def free(self) -> Decimal:
        return self.balance - self.held


class EntryKind(StrEnum):
    TOP_UP = "top_up"
    SESSION = "session"
    CORRECTION = "correction"


@dataclass(frozen=True, slots=True)
class Entry:
    """One booking; ``balance`` is that after it."""

    id: UUID
    org_id: UUID
    account_id: UUID
    at: datetime
    amount: Decimal
    balance: Decimal
    kind: EntryKind
    by: str
    session_id: UUID | None = None
    note: str = ""
