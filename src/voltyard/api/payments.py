"""Prepaid accounts, payments of terminals and kiosks, and paying by web."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest
from voltyard.api.tariffs import Amount, Currency
from voltyard.api.wire import In, Limit, Name, Offset, Out, Page, sliced
from voltyard.billing.commands import Authorised, NewAccount
from voltyard.billing.payment import Account, Payment, PaymentSource, PaymentState
from voltyard.billing.ports import Receipt
from voltyard.errors import NotFound

Tokens = Annotated[list[str], msgspec.Meta(min_length=1, max_length=100)]


class AccountIn(In):
    name: Name
    currency: Currency
    tokens: Tokens


class AccountChangeIn(In):
    name: Name
    tokens: Tokens
    closed: bool = False


class AccountOut(Out):
    """``held``: what running sessions may still spend; ``free`` is the rest of the balance."""

    id: UUID
    name: str
    currency: str
    balance: Amount
    held: Amount
    free: Amount
    tokens: list[str]
    closed: bool
    created_at: datetime


class BookingIn(In):
    """Above 0 a top-up, below 0 a payout or a correction."""

    amount: Amount
    note: Annotated[str, msgspec.Meta(max_length=200)] = ""


class EntryOut(Out):
    at: datetime
    amount: Amount
    balance: Amount
    kind: str
    by: str
    note: str
    session_id: UUID | None


class EntriesOut(Out):
    items: list[EntryOut]


class AuthorisedIn(In):
    """A payment was authorised elsewhere: start charging. ``amount`` is what is reserved."""

    psp_ref: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    station_id: UUID
    evse_number: Annotated[int, msgspec.Meta(ge=1)] | None = None
    amount: Amount | None = None
    currency: Annotated[str, msgspec.Meta(max_length=3)] = ""
    max_energy_wh: float | None = None
    max_time_s: int | None = None
    source: PaymentSource = PaymentSource.KIOSK


class SettledIn(In):
    amount: Amount
    receipt_id: Annotated[str, msgspec.Meta(max_length=100)] = ""
    receipt_url: Annotated[str, msgspec.Meta(max_length=2000)] = ""


class PaymentOut(Out):
    """``authorised`` and ``settled`` are amounts. ``word``: what went wrong."""

    id: UUID
    psp_ref: str
    source: PaymentSource
    state: PaymentState
    station_id: UUID
    evse_id: UUID | None
    session_id: UUID | None
    currency: str
    authorised: Amount | None
    max_energy_wh: float | None
    max_time_s: int | None
    settled: Amount | None
    settled_at: datetime | None
    receipt_id: str
    receipt_url: str
    vat_number: str
    company: dict[str, Any] | None
    details: dict[str, Any]
    word: str
    created_at: datetime
    changed_at: datetime


class VatOut(Out):
    """``why`` says what was looked at: form and check digits, never a register."""

    valid: bool
    why: str


class WebOfferOut(Out):
    """What the charger said to each variable."""

    answers: dict[str, str]


@get("/prepaid-accounts", summary="Prepaid accounts by name")
async def accounts(
    deps: Deps, who: Who, limit: Limit = 100, offset: Offset = 0
) -> Page[AccountOut]:
    found = [_account(each) for each in deps.billing.prepaid.accounts(who)]
    return sliced(AccountOut, found, limit=limit, offset=offset)


@post("/prepaid-accounts", summary="Open a prepaid account")
async def open_account(
    deps: Deps, who: Who, request: AnyRequest, data: JSONBody[AccountIn]
) -> AccountOut:
    """409 ``token_taken``: a token charges on another account."""
    new = NewAccount(data.name, data.currency, tuple(data.tokens))
    return _account(await deps.billing.prepaid.open(who, new, remote=remote_of(request)))


@get("/prepaid-accounts/{account_id:uuid}", summary="One prepaid account")
async def account(deps: Deps, who: Who, account_id: FromPath[UUID]) -> AccountOut:
    return _account(deps.billing.prepaid.account(who, account_id))


@put("/prepaid-accounts/{account_id:uuid}", summary="Change a prepaid account")
async def change_account(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    account_id: FromPath[UUID],
    data: JSONBody[AccountChangeIn],
) -> AccountOut:
    deps.billing.prepaid.account(who, account_id)
    return _account(
        await deps.billing.prepaid.change(
            who,
            account_id,
            name=data.name,
            tokens=tuple(data.tokens),
            closed=data.closed,
            remote=remote_of(request),
        )
    )


@post("/prepaid-accounts/{account_id:uuid}/bookings", summary="Top a prepaid account up")
async def book(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    account_id: FromPath[UUID],
    data: JSONBody[BookingIn],
) -> AccountOut:
    return _account(
        await deps.billing.prepaid.top_up(
            who, account_id, data.amount, data.note, remote=remote_of(request)
        )
    )


@get("/prepaid-accounts/{account_id:uuid}/bookings", summary="Bookings, newest first")
async def bookings(deps: Deps, who: Who, account_id: FromPath[UUID]) -> EntriesOut:
    found = await deps.billing.prepaid.entries(who, account_id)
    return msgspec.convert({"items": msgspec.to_builtins(found)}, EntriesOut)


@get("/payments", summary="Payments, newest change first")
async def payments(
    deps: Deps,
    who: Who,
    limit: Limit = 100,
    offset: Offset = 0,
    only_state: Annotated[PaymentState | None, QueryParameter(name="state")] = None,
    session_id: FromQuery[UUID | None] = None,
) -> Page[PaymentOut]:
    """``state=due``: sessions that are over and have still to be settled by whoever does that."""
    found, total = await deps.billing.payments.payments(
        who, state=only_state, session_id=session_id, limit=limit, offset=offset
    )
    items = [_payment(each) for each in found]
    more = offset + len(items) < total
    return Page(items=items, limit=limit, offset=offset, total=total, more=more)


@post("/payments", summary="A payment was authorised: start charging", status_code=200)
async def authorised(
    deps: Deps, who: Who, request: AnyRequest, data: JSONBody[AuthorisedIn]
) -> PaymentOut:
    """From a kiosk or a payment service. Told again it changes nothing.

    Its session ends at what is reserved. 409 if the charger is away or does not start.
    """
    told = Authorised(**msgspec.structs.asdict(data))
    return _payment(await deps.billing.payments.authorised(who, told, remote=remote_of(request)))


@get("/payments/{payment_id:uuid}", summary="One payment")
async def payment(deps: Deps, who: Who, payment_id: FromPath[UUID]) -> PaymentOut:
    return _payment(await deps.billing.payments.payment(who, payment_id))


@post("/payments/{payment_id:uuid}/settlement", summary="A payment was settled", status_code=200)
async def settle(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    payment_id: FromPath[UUID],
    data: JSONBody[SettledIn],
) -> PaymentOut:
    """409 if it is settled or canceled already."""
    receipt = Receipt(data.receipt_id, data.receipt_url)
    amount: Decimal = data.amount
    return _payment(
        await deps.billing.payments.settle(
            who, payment_id, amount, receipt, remote=remote_of(request)
        )
    )


@post("/stations/{station_id:uuid}/web-payment", summary="Give a charger codes to pay by web",
      status_code=200)  # fmt: skip
async def offer_web(
    deps: Deps, who: Who, request: AnyRequest, station_id: FromPath[UUID]
) -> WebOfferOut:
    """For OCPP 2.1 chargers that show QR codes. Made anew each time: old codes are void."""
    answers = await deps.billing.payments.offer_web(who, station_id, remote=remote_of(request))
    return WebOfferOut(answers=dict(answers))


@get("/vat-numbers/{number:str}", summary="Look at the form of a VAT number")
async def vat_number(deps: Deps, who: Who, number: FromPath[str]) -> VatOut:
    verdict = deps.billing.payments.vat(number)
    return VatOut(valid=verdict.valid, why=verdict.why)


def _account(found: Account) -> AccountOut:
    facts = msgspec.to_builtins(found)
    return msgspec.convert({**facts, "free": str(found.free)}, AccountOut)


def _payment(found: Payment) -> PaymentOut:
    return msgspec.convert(msgspec.to_builtins(found), PaymentOut)


@get("/pay/{identity:str}/{evse:int}/{password:str}/{version:str}", include_in_schema=False)
async def pay(
    deps: Deps,
    request: AnyRequest,
    identity: FromPath[str],
    evse: FromPath[int],
    password: FromPath[str],
    version: FromPath[str],
) -> Response[None]:
    """Where QR codes of chargers lead: on to the payment provider. For everybody (C25)."""
    station = deps.chargers.station_named(identity)
    if station is None:
        raise NotFound("There is no such charger.")
    query = {name: str(value) for name, value in request.query_params.items()}
    found = await deps.billing.payments.begin_web(station, evse or None, password, version, query)
    headers = {"location": found.url, "cache-control": "no-store"}
    return Response(None, status_code=303, headers=headers)


ROUTER = Router(
    path="/",
    tags=["Payments"],
    route_handlers=[
        accounts,
        open_account,
        account,
        change_account,
        book,
        bookings,
        payments,
        authorised,
        payment,
        settle,
        offer_web,
        vat_number,
    ],
)
