"""OCPP 2.1 payment at the station: settlement, web payment, VAT numbers (C20 to C25)."""

from typing import Annotated, ClassVar

from voltyard.ocpp.v21.types import StatusInfo
from voltyard.ocpp.v201.types import GenericStatusWord, Wire201
from voltyard.ocpp.wire import (
    Instant,
    Integer,
    Natural,
    OneOf,
    Str20,
    Str36,
    Str50,
    Str100,
    Str255,
    Str500,
    Str2000,
    Word,
)

PaymentStatusWord = Annotated[Word, OneOf("Settled", "Canceled", "Rejected", "Failed")]


class Address(Wire201):
    name: Str50
    address1: Str100
    city: Str100
    country: Str50
    address2: Str100 | None = None
    postal_code: Str20 | None = None


class NotifySettlement(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("settlementTime",)

    psp_ref: Str255
    status: PaymentStatusWord
    settlement_amount: float
    transaction_id: Str36 | None = None
    status_info: Str500 | None = None
    settlement_time: Instant | None = None
    receipt_id: Str50 | None = None
    receipt_url: Str2000 | None = None
    vat_company: Address | None = None
    vat_number: Str20 | None = None


class NotifySettlementResponse(Wire201):
    receipt_url: Str2000 | None = None
    receipt_id: Str50 | None = None


class NotifyWebPaymentStarted(Wire201):
    evse_id: Natural
    timeout: Integer


class NotifyWebPaymentStartedResponse(Wire201):
    pass


class VatNumberValidation(Wire201):
    vat_number: Str20
    evse_id: Natural | None = None


class VatNumberValidationResponse(Wire201):
    vat_number: Str20
    status: GenericStatusWord
    company: Address | None = None
    status_info: StatusInfo | None = None
    evse_id: Natural | None = None
