"""OCPP 2.1: what it costs and how it is paid, told and heard (C17 to C25, I08, I12)."""

from decimal import Decimal
from typing import cast

import msgspec

from voltyard.billing.model import StationCost
from voltyard.billing.ports import Limit, Receipt, Settlement, SettlementStatus, Told
from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.v21.authorization import Authorize, AuthorizeResponse
from voltyard.ocpp.v21.payment import (
    Address,
    NotifySettlement,
    NotifySettlementResponse,
    VatNumberValidation,
    VatNumberValidationResponse,
)
from voltyard.ocpp.v21.tariffs import write_tariff
from voltyard.ocpp.v21.transactions import (
    TransactionEvent,
    TransactionEventResponse,
    TransactionLimit,
)
from voltyard.ocpp.v21.types import StatusInfo
from voltyard.ocpp.v201 import authorization as authorization_201
from voltyard.ocpp.v201 import transactions as transactions_201
from voltyard.ocpp.v201.types import read_token
from voltyard.ocpp.wire import Wire
from voltyard.sessions.model import Authorisation, AuthorisationStatus

DIRECT_PAYMENT = "DirectPayment"
STATUS = {
    "Settled": SettlementStatus.SETTLED,
    "Canceled": SettlementStatus.CANCELED,
    "Rejected": SettlementStatus.REJECTED,
    "Failed": SettlementStatus.FAILED,
}
OFFLINE = "OfflineCheck"


async def authorise(exchange: Exchange, request: Authorize) -> Wire:
    """C01, C07, C17; with the driver's tariff for chargers that reckon by themselves (I08)."""
    found = await authorization_201.authorise(exchange, request)
    pricing = exchange.chargers.pricing
    if pricing is None or found.id_token_info.status != "Accepted":
        return found
    group = found.id_token_info.group_id_token
    accepted = Authorisation(
        AuthorisationStatus.ACCEPTED, group="" if group is None else group.id_token
    )
    token = read_token(exchange, request.id_token)
    quote = await pricing.quote(exchange.station, token, accepted)
    if quote is None or quote.tariff is None:
        return found
    return AuthorizeResponse(
        id_token_info=found.id_token_info,  # type: ignore[arg-type]
        certificate_status=found.certificate_status,
        tariff=write_tariff(quote.tariff, quote.tariff.key),
    )


async def transaction_event(exchange: Exchange, request: TransactionEvent) -> Wire:
    """E01 to E16, I12: what a charger reckoned, and by which card, is kept beside its session."""
    found, told = await transactions_201.answered(exchange, request)
    if request.cost_details is not None:
        await _reckoned(exchange, request)
    if request.id_token is not None and request.id_token.type == DIRECT_PAYMENT:
        await _paid(exchange, request)
    if told is None or told.limit.none:
        return found
    return TransactionEventResponse(
        total_cost=found.total_cost,
        id_token_info=found.id_token_info,  # type: ignore[arg-type]
        updated_personal_message=found.updated_personal_message,  # type: ignore[arg-type]
        transaction_limit=_limit(told),
    )


def _limit(told: Told) -> TransactionLimit:
    """E16.FR.02: once, with the first answer."""
    limit = told.limit
    return TransactionLimit(
        max_cost=None if limit.max_cost is None else float(limit.max_cost),
        max_energy=limit.max_energy_wh,
        max_time=limit.max_time_s,
    )


async def _reckoned(exchange: Exchange, request: TransactionEvent) -> None:
    pricing, told = exchange.chargers.pricing, request.cost_details
    if pricing is None or told is None:
        return
    info, total = request.transaction_info, told.total_cost
    failed = (told.failure_reason or "failed") if told.failure_to_calculate else ""
    cost = StationCost(
        exchange.instant(request.timestamp),
        info.tariff_id or "",
        total.currency,
        _amount(total.total.excl_tax),
        _amount(total.total.incl_tax),
        failed,
        cast(dict[str, object], msgspec.to_builtins(told)),
    )
    await pricing.station_cost(exchange.station, info.transaction_id, cost)


async def _paid(exchange: Exchange, request: TransactionEvent) -> None:
    """C18.FR.06: the reference of the payment is the token."""
    pricing, token = exchange.chargers.pricing, request.id_token
    if pricing is None or token is None:
        return
    info = request.transaction_info
    told = info.transaction_limit
    limit = Limit()
    if told is not None:
        limit = Limit(_amount(told.max_cost), told.max_energy, told.max_time)
    details = {each.type: each.additional_id_token for each in token.additional_info or ()}
    await pricing.paid_by(exchange.station, info.transaction_id, token.id_token, details, limit)


async def settlement(exchange: Exchange, request: NotifySettlement) -> NotifySettlementResponse:
    """C19 to C22. Kept once by its reference, however often it is told."""
    pricing = exchange.chargers.pricing
    status = STATUS.get(request.status)
    if pricing is None or status is None:
        return NotifySettlementResponse()
    company = request.vat_company
    found: Receipt = await pricing.settled(
        exchange.station,
        Settlement(
            request.psp_ref,
            status,
            Decimal(str(request.settlement_amount)),
            exchange.instant(request.settlement_time),
            request.transaction_id or "",
            request.status_info or "",
            request.receipt_id or "",
            request.receipt_url or "",
            request.vat_number or "",
            {} if company is None else _written(company),
        ),
    )
    return NotifySettlementResponse(receipt_url=found.url or None, receipt_id=found.id[:50] or None)


def _written(company: Address) -> dict[str, str]:
    told = cast(dict[str, object], msgspec.to_builtins(company))
    return {name: str(value) for name, value in told.items() if value is not None}


async def vat_number(
    exchange: Exchange, request: VatNumberValidation
) -> VatNumberValidationResponse:
    """C21: form and check digits are looked at, and that no more was is said in the answer."""
    pricing = exchange.chargers.pricing
    verdict = None if pricing is None else pricing.vat(request.vat_number)
    valid = verdict is not None and verdict.valid
    info = None
    if verdict is not None:
        reason = OFFLINE if verdict.valid else "InvalidValue"
        info = StatusInfo(reason_code=reason, additional_info=verdict.why)
    return VatNumberValidationResponse(
        vat_number=request.vat_number[:20],
        status="Accepted" if valid else "Rejected",
        status_info=info,
        evse_id=request.evse_id,
    )


def _amount(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value))
