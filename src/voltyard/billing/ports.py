"""What billing needs of other rooms and of payment providers, and what chargers may ask of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from voltyard.billing.model import StationCost, Tariff
from voltyard.chargers.commands import Command, CommandResult, StationLink
from voltyard.chargers.model import Evse, Station, StationRef
from voltyard.fleets.model import Token, Vehicle
from voltyard.sessions.model import Authorisation, IdToken, MeterSample, Session
from voltyard.sites.model import Site


@dataclass(frozen=True, slots=True)
class Quote:
    """What a driver is told of the price when shown in. ``tariff``: for chargers that reckon by
    themselves, if it goes with the driver; those use it for this session (OCPP 2.1 I08)."""

    text: str = ""
    language: str = ""
    tariff: Tariff | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """Where a session must end (OCPP 2.1 E16); ``max_cost`` in the currency of its tariff."""

    max_cost: Decimal | None = None
    max_energy_wh: float | None = None
    max_time_s: int | None = None

    @property
    def none(self) -> bool:
        return self == NO_LIMIT


NO_LIMIT = Limit()


@dataclass(frozen=True, slots=True)
class Told:
    """What goes along with the answer to a message about a transaction."""

    total: Decimal | None = None
    text: str = ""
    language: str = ""
    limit: Limit = NO_LIMIT


class SettlementStatus(StrEnum):
    SETTLED = "settled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a charger tells of a payment (OCPP 2.1 C19 to C22)."""

    psp_ref: str
    status: SettlementStatus
    amount: Decimal
    at: datetime
    transaction_ref: str = ""
    word: str = ""
    receipt_id: str = ""
    receipt_url: str = ""
    vat_number: str = ""
    company: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    id: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class VatVerdict:
    """``why`` says what was looked at: form and check digits, never a register."""

    valid: bool
    why: str


class Pricing(Protocol):
    """What the OCPP room asks of billing. All but the last three are from memory."""

    async def quote(
        self, station: StationRef, token: IdToken, authorisation: Authorisation
    ) -> Quote | None: ...

    def told(self, station: StationRef, transaction_ref: str, *, ended: bool) -> Told | None: ...

    def vat(self, number: str) -> VatVerdict: ...

    async def station_cost(
        self, station: StationRef, transaction_ref: str, cost: StationCost
    ) -> None: ...

    async def paid_by(
        self,
        station: StationRef,
        transaction_ref: str,
        psp_ref: str,
        details: Mapping[str, str],
        limit: Limit,
    ) -> None: ...

    async def settled(self, station: StationRef, settlement: Settlement) -> Receipt: ...


class Stations(Protocol):
    """``ChargerService`` is one."""

    def station(self, station_id: UUID) -> Station | None: ...

    def evse(self, evse_id: UUID) -> Evse | None: ...

    def outlet(self, station_id: UUID, number: int) -> Evse | None: ...

    def outlets(self, station_id: UUID) -> Sequence[Evse]: ...

    def is_connected(self, station_id: UUID) -> bool: ...

    def all_stations(self) -> Sequence[Station]: ...

    def link(self, station_id: UUID) -> StationLink | None: ...

    async def command(
        self,
        station_id: UUID,
        command: Command,
        principal_name: str,
        *,
        timeout_s: float = 30.0,
    ) -> CommandResult: ...

    def flag(self, station: StationRef, flag: str, detail: str) -> None: ...


class Sessions(Protocol):
    """``SessionService`` is one."""

    async def session(self, org_id: UUID, session_id: UUID) -> Session: ...

    async def curve(self, org_id: UUID, session_id: UUID) -> list[MeterSample]: ...

    def expect_remote(
        self, station_id: UUID, token: IdToken, *, vehicle_id: UUID | None = None
    ) -> None: ...


class Tokens(Protocol):
    """``FleetService`` is one."""

    async def lookup(self, org_id: UUID, token: IdToken) -> tuple[Token | None, Vehicle | None]: ...


class Places(Protocol):
    """``SiteService`` is one."""

    async def get(self, site_id: UUID) -> Site: ...


class Words(Protocol):
    """How chargers are told of tariffs and costs, per OCPP version; the OCPP room has them.

    None where a version has no word for it.
    """

    def cost(self, version: str, transaction_ref: str, total: Decimal) -> Command | None: ...

    def set_default(
        self, version: str, evse_number: int, tariff: Tariff, key: str
    ) -> Command | None: ...

    def change(self, version: str, transaction_ref: str, tariff: Tariff) -> Command | None: ...

    def clear(self, version: str, tariff_keys: Sequence[str]) -> Command | None: ...

    def read(self, version: str) -> Command | None: ...

    def web_payment(self, version: str, evse_number: int, timeout_s: int) -> Command | None: ...

    def assigned(self, result: CommandResult) -> Sequence[Mapping[str, Any]]:
        """The tariffs a charger says it holds: ``key``, ``driver``, ``evse_numbers``."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """Where a driver pays, and what the provider calls the payment."""

    url: str
    psp_ref: str


class Provider(Protocol):
    """A payment service provider. Raises VoltyardError (``payment_failed``) if it refuses."""

    async def begin(
        self, amount: Decimal, currency: str, reference: str, return_url: str
    ) -> Checkout: ...

    async def capture(self, psp_ref: str, amount: Decimal, currency: str) -> Receipt: ...

    async def cancel(self, psp_ref: str) -> None: ...
