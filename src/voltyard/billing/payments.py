"""Payments of terminals, kiosks and by web: bound to sessions, limited by them, settled once."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from secrets import token_urlsafe
from uuid import UUID

from stdnum import get_cc_module
from stdnum.eu import vat as eu_vat
from stdnum.exceptions import ValidationError

from voltyard.billing import store, totp
from voltyard.billing.commands import Authorised
from voltyard.billing.costing import Costing
from voltyard.billing.events import PaymentChanged
from voltyard.billing.model import SessionCost
from voltyard.billing.payment import OVER, Payment, PaymentSource, PaymentState
from voltyard.billing.ports import (
    Checkout,
    Limit,
    Provider,
    Receipt,
    Sessions,
    Settlement,
    Stations,
    VatVerdict,
    Words,
)
from voltyard.billing.rating import money
from voltyard.billing.shelf import Shelf
from voltyard.billing.store import WebKey
from voltyard.bus import Bus
from voltyard.chargers.commands import RemoteStart, WriteConfiguration
from voltyard.chargers.model import Station, StationRef
from voltyard.clock import Clock
from voltyard.errors import ChargerRefused, Conflict, Forbidden, Invalid, NotFound, VoltyardError
from voltyard.ids import new_id
from voltyard.sessions.model import IdToken, Session, TokenKind
from voltyard.storage.engine import Database, Tx
from voltyard.tenancy import audit, scope
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal

log = logging.getLogger(__name__)

TOKEN_MAX = 20
"""What every OCPP version takes as a token."""
WEB_TIMEOUT_S = 300
WEB_AMOUNT = Decimal(60)
"""Reserved where the driver says no most that it may cost."""
WEB_LENGTH = 8
WEB_VALIDITY_S = 30
WEB_SECRET_BYTES = 24
WEB_PATH = "/{chargingstationid}/{evse}/{totp}/{version}"
OURS = frozenset({PaymentSource.KIOSK, PaymentSource.WEB})
"""Settled by us or by who asked us to start; a terminal settles by itself."""


class Payments:
    """One row for each reference of the provider, whoever tells of it and how often."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        shelf: Shelf,
        costing: Costing,
        *,
        stations: Stations,
        sessions: Sessions,
        words: Words,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._shelf = shelf
        self._costing = costing
        self._stations = stations
        self._sessions = sessions
        self._words = words
        self._waiting: dict[tuple[UUID, str], UUID] = {}
        self.provider: Provider | None = None
        self.settled_by_us: Callable[[UUID], bool] = lambda station_id: False

    async def load(self) -> None:
        """At start: payments whose session has yet to begin, or runs."""
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            for state in (PaymentState.AUTHORISED, PaymentState.CHARGING):
                found, _ = await store.payments(
                    tx, state=state.value, session_id=None, limit=100_000, offset=0
                )
                for payment in found:
                    self._waiting[(payment.org_id, _token(payment).upper())] = payment.id
                    if payment.session_id is not None:
                        self._costing.limit(payment.session_id, _limit(payment))

    @property
    def waiting(self) -> bool:
        """Whether a payment waits for its session."""
        return bool(self._waiting)

    # From payment systems

    async def authorised(self, who: Principal, told: Authorised, *, remote: str = "") -> Payment:
        """A payment was authorised: start charging (C03, C24.FR.01, C25.FR.23).

        Told again it changes nothing. Raises what sending to a charger does; ChargerRefused if it
        does not start. The payment is then failed, and what was reserved is released.
        """
        require(who, Permission.PAYMENTS_WRITE)
        station = self._station_of(who, told.station_id)
        _checked(told)
        known, fresh = await self._taken(who, told, station, remote)
        if not fresh:
            return known
        token = IdToken(_token(known), TokenKind.DIRECT_PAYMENT)
        self._waiting[(who.org_id, token.value.upper())] = known.id
        self._sessions.expect_remote(station.id, token)
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            number = await store.request_number(tx)
        command = RemoteStart(told.evse_number, token, number)
        try:
            result = await self._stations.command(station.id, command, who.name)
            if not result.accepted:
                raise ChargerRefused("The charger does not start.", detail=result.word)
        except VoltyardError as error:
            await self._not_started(known, error)
            raise
        return known

    async def _taken(
        self, who: Principal, told: Authorised, station: Station, remote: str
    ) -> tuple[Payment, bool]:
        """Stored, and whether it is news."""
        now = self._clock.now()
        evse = self._stations.outlet(station.id, told.evse_number or 0)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            known = await store.payment_by_ref(tx, told.psp_ref)
            if known is not None and known.state is not PaymentState.ASKED:
                return known, False
            base = known or Payment(
                new_id(), who.org_id, told.psp_ref, told.source, PaymentState.AUTHORISED,
                station.id, now, now,
            )  # fmt: skip
            short = told.psp_ref if len(told.psp_ref) <= TOKEN_MAX else f"P{base.id.hex[:19]}"
            payment = replace(
                base,
                state=PaymentState.AUTHORISED,
                evse_id=base.evse_id if evse is None else evse.id,
                currency=told.currency or base.currency,
                authorised=told.amount or base.authorised,
                max_energy_wh=told.max_energy_wh or base.max_energy_wh,
                max_time_s=told.max_time_s or base.max_time_s,
                details={**base.details, "token": short},
                changed_at=now,
            )
            await store.save_payment(tx, payment)
            await self._noted(tx, who, "payment.authorise", payment, remote)
        await self._told_of(payment)
        return payment, True

    async def _not_started(self, payment: Payment, error: VoltyardError) -> None:
        self._waiting.pop((payment.org_id, _token(payment).upper()), None)
        await self._save(replace(payment, state=PaymentState.FAILED, word=error.message))
        if self.provider is not None:
            await self._released(payment)

    async def _released(self, payment: Payment) -> None:
        assert self.provider is not None
        try:
            await self.provider.cancel(payment.psp_ref)
        except VoltyardError as error:
            log.warning("payment %s was not released: %s", payment.psp_ref, error.message)

    async def settle(
        self,
        who: Principal,
        payment_id: UUID,
        amount: Decimal,
        receipt: Receipt,
        *,
        remote: str = "",
    ) -> Payment:
        """A payment system that settles by itself tells that it has. Conflict if it was before."""
        require(who, Permission.PAYMENTS_WRITE)
        payment = await self.payment(who, payment_id)
        if payment.state in OVER:
            raise Conflict("The payment is over.")
        done = self._settled_with(payment, amount, receipt)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            await store.save_payment(tx, done)
            await self._noted(tx, who, "payment.settle", done, remote)
        await self._told_of(done)
        return done

    # From sessions

    async def began(self, session: Session) -> None:
        """A session began, or its token became known: is it paid for?"""
        if not session.id_token or not self._waiting:
            return
        payment_id = self._waiting.get((session.org_id, session.id_token.upper()))
        if payment_id is None:
            return
        async with scope.transaction(self._database, scope.of(session.org_id)) as tx:
            payment = await store.payment(tx, payment_id)
            if payment is None or payment.session_id is not None:
                return
            bound = replace(
                payment, session_id=session.id, evse_id=session.evse_id,
                state=PaymentState.CHARGING, changed_at=self._clock.now(),
            )  # fmt: skip
            await store.save_payment(tx, bound)
        if not _limit(bound).none:
            self._costing.limit(session.id, _limit(bound))
        await self._told_of(bound)

    async def over(self, session: Session, cost: SessionCost) -> None:
        """Its session is over: what was reserved is taken, or released (C20, C24.FR.10)."""
        async with scope.transaction(self._database, scope.of(session.org_id)) as tx:
            payment = await store.payment_of(tx, session.id)
        if payment is None or payment.state not in (PaymentState.CHARGING, PaymentState.DUE):
            return
        self._waiting.pop((payment.org_id, _token(payment).upper()), None)
        due = replace(payment, state=PaymentState.DUE, currency=cost.cost.currency)
        await self._save(due)
        ours = payment.source in OURS or self.settled_by_us(payment.station_id)
        if not ours or self.provider is None:
            return
        gross = cost.cost.gross
        try:
            if gross == 0:
                await self.provider.cancel(payment.psp_ref)
                await self._save(replace(due, state=PaymentState.CANCELED))
                return
            receipt = await self.provider.capture(payment.psp_ref, gross, due.currency)
        except VoltyardError as error:
            await self._save(replace(due, state=PaymentState.FAILED, word=error.message))
            return
        await self._save(self._settled_with(due, gross, receipt))

    def _settled_with(self, payment: Payment, amount: Decimal, receipt: Receipt) -> Payment:
        now = self._clock.now()
        return replace(
            payment, state=PaymentState.SETTLED, settled=amount, settled_at=now, changed_at=now,
            receipt_id=receipt.id, receipt_url=receipt.url,
        )  # fmt: skip

    # From chargers

    async def paid_by(
        self,
        station: StationRef,
        ref: str,
        psp_ref: str,
        details: Mapping[str, str],
        limit: Limit,
    ) -> None:
        """A terminal of a charger has authorised a card (C18); told with the transaction."""
        now = self._clock.now()
        async with scope.transaction(self._database, scope.of(station.org_id)) as tx:
            if await store.payment_by_ref(tx, psp_ref) is not None:
                return
            session_id = await store.session_named(tx, station.id, ref)
            payment = Payment(
                new_id(), station.org_id, psp_ref, PaymentSource.TERMINAL,
                PaymentState.CHARGING, station.id, now, now, session_id=session_id,
                authorised=limit.max_cost, max_energy_wh=limit.max_energy_wh,
                max_time_s=limit.max_time_s, details=dict(details),
            )  # fmt: skip
            await store.save_payment(tx, payment)
        await self._told_of(payment)

    async def settled(self, station: StationRef, told: Settlement) -> Receipt:
        """Kept once by its reference. What is settled or canceled stays so, whatever follows."""
        now = self._clock.now()
        async with scope.transaction(self._database, scope.of(station.org_id)) as tx:
            known = await store.payment_by_ref(tx, told.psp_ref)
            if known is not None and known.state in OVER:
                same = (known.state.value, known.settled) == (told.status.value, told.amount)
                if not same:
                    self._stations.flag(station, "settled_otherwise", told.psp_ref)
                return self._receipt(known)
            session_id = None if known is None else known.session_id
            if session_id is None and told.transaction_ref:
                session_id = await store.session_named(tx, station.id, told.transaction_ref)
            base = known or Payment(
                new_id(), station.org_id, told.psp_ref, PaymentSource.TERMINAL,
                PaymentState.CHARGING, station.id, now, now,
            )  # fmt: skip
            payment = replace(
                base,
                state=PaymentState(told.status.value),
                session_id=session_id,
                settled=told.amount,
                settled_at=told.at,
                receipt_id=told.receipt_id,
                receipt_url=told.receipt_url,
                vat_number=told.vat_number,
                company=dict(told.company) or None,
                word=told.word,
                changed_at=now,
            )
            await store.save_payment(tx, payment)
        await self._told_of(payment)
        return self._receipt(payment)

    def _receipt(self, payment: Payment) -> Receipt:
        """Where the driver finds it: where the terminal said, else on the operator's server."""
        base = self._shelf.settings_of(payment.org_id).receipt_url
        if payment.receipt_url or not base or payment.state is not PaymentState.SETTLED:
            return Receipt()
        return Receipt(str(payment.id), f"{base.rstrip('/')}/{payment.id}")

    def vat(self, number: str) -> VatVerdict:
        return checked_vat(number)

    # By web (C25)

    async def offer_web(
        self, who: Principal, station_id: UUID, *, remote: str = ""
    ) -> Mapping[str, str]:
        """Give a charger what it makes its QR codes of; each variable with its answer.

        Made anew each time: addresses shown before are not valid any more.
        """
        require(who, Permission.TARIFFS_WRITE)
        station = self._station_of(who, station_id)
        base = self._shelf.settings_of(who.org_id).pay_url
        if not base:
            raise Conflict("The address that QR codes begin with is not set.", code="no_pay_url")
        secret = token_urlsafe(WEB_SECRET_BYTES)
        key = WebKey(station.id, who.org_id, secret, WEB_VALIDITY_S, WEB_LENGTH, self._clock.now())
        wanted = {
            "URLTemplate": base.rstrip("/") + WEB_PATH,
            "TOTPVersion": totp.VERSION,
            "ValidityTime": str(WEB_VALIDITY_S),
            "Length": str(WEB_LENGTH),
            "SharedSecret": secret,
        }
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            await store.save_web_key(tx, key)
            await audit.write(
                tx, who, "billing.web_payment", "station", station.id, {}, at=key.at, remote=remote
            )
        self._shelf.web_keys[station.id] = key
        answers = {}
        for name, value in wanted.items():
            command = WriteConfiguration(f"WebPaymentsCtrlr.{name}", value)
            result = await self._stations.command(station.id, command, who.name)
            answers[name] = result.word or result.status.value
        return answers

    async def begin_web(
        self,
        station: Station,
        evse_number: int | None,
        password: str,
        version: str,
        query: Mapping[str, str],
    ) -> Checkout:
        """Somebody scanned a code: where to pay (C25.FR.07 to 21).

        Forbidden (``code_expired``): the password is not of now. Conflict (``no_provider``).
        """
        key, now = self._shelf.web_keys.get(station.id), self._clock.now()
        if (
            key is None
            or version != totp.VERSION
            or not totp.valid(
                password, key.secret, now, validity_s=key.validity_s, length=key.length
            )
        ):
            raise Forbidden("This code is not valid any more. Scan it again.", code="code_expired")
        limit = totp.wishes(query)
        if self.provider is None:
            raise Conflict("Paying by web is not set up here.", code="no_provider")
        evse = self._stations.outlet(station.id, evse_number or 0)
        if evse_number and evse is None:
            raise NotFound("The charger has no such outlet.")
        currency = self._currency(station)
        payment_id = new_id()
        amount = money(limit.max_cost or WEB_AMOUNT, currency)
        back = self._shelf.settings_of(station.org_id).pay_url
        checkout = await self.provider.begin(amount, currency, str(payment_id), back)
        payment = Payment(
            payment_id, station.org_id, checkout.psp_ref, PaymentSource.WEB, PaymentState.ASKED,
            station.id, now, now, evse_id=None if evse is None else evse.id, currency=currency,
            authorised=amount, max_energy_wh=limit.max_energy_wh, max_time_s=limit.max_time_s,
        )  # fmt: skip
        await self._save(payment)
        await self._held_outlet(station, evse_number)
        return checkout

    def _currency(self, station: Station) -> str:
        for tariff in self._shelf.default_tariffs(station):
            return tariff.terms.currency
        raise Conflict("There is no tariff for this charger.", code="no_tariff")

    async def _held_outlet(self, station: Station, evse_number: int | None) -> None:
        """C25.FR.21: nobody else starts there meanwhile. It is no more than a courtesy."""
        command = self._words.web_payment(
            station.ocpp_version or "", evse_number or 0, WEB_TIMEOUT_S
        )
        if command is None:
            return
        try:
            await self._stations.command(station.id, command, "voltyard")
        except VoltyardError as error:
            log.info("%s was not told of a payment: %s", station.identity, error.message)

    # People

    async def payments(
        self,
        who: Principal,
        *,
        state: PaymentState | None = None,
        session_id: UUID | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[list[Payment], int]:
        require(who, Permission.VIEW)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            return await store.payments(
                tx, state=None if state is None else state.value, session_id=session_id,
                limit=limit, offset=offset,
            )  # fmt: skip

    async def payment(self, who: Principal, payment_id: UUID) -> Payment:
        require(who, Permission.VIEW)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            found = await store.payment(tx, payment_id)
        if found is None:
            raise NotFound("There is no such payment.", detail=str(payment_id))
        return found

    def _station_of(self, who: Principal, station_id: UUID) -> Station:
        station = self._stations.station(station_id)
        if station is None or station.org_id != who.org_id:
            raise NotFound("There is no such charger.", detail=str(station_id))
        return station

    async def _save(self, payment: Payment) -> None:
        payment = replace(payment, changed_at=self._clock.now())
        async with scope.transaction(self._database, scope.of(payment.org_id)) as tx:
            await store.save_payment(tx, payment)
        await self._told_of(payment)

    async def _told_of(self, payment: Payment) -> None:
        await self._bus.publish(
            PaymentChanged(payment.org_id, payment.id, payment.state.value, payment.changed_at)
        )

    async def _noted(
        self, tx: Tx, who: Principal, action: str, payment: Payment, remote: str
    ) -> None:
        detail = {"psp_ref": payment.psp_ref, "amount": str(payment.settled or payment.authorised)}
        at = payment.changed_at
        await audit.write(
            tx, who, f"billing.{action}", "payment", payment.id, detail, at=at, remote=remote
        )


def checked_vat(number: str) -> VatVerdict:
    """Form and check digits of a VAT number; that it exists is known to registers only."""
    compact = "".join(number.split()).upper()
    country = compact[:2]
    try:
        if country in {"GB", "CH", "NO", "IS"}:
            module = get_cc_module(country.lower(), "uid" if country == "CH" else "vat")
            if module is None:
                return VatVerdict(False, f"Numbers of {country} are not known here.")
            module.validate(compact if country == "CH" else compact[2:])
        else:
            eu_vat.validate(compact)
    except ValidationError as error:
        return VatVerdict(False, f"Form or check digits are wrong: {error}")
    return VatVerdict(True, "Form and check digits are right; no register was asked.")


def _token(payment: Payment) -> str:
    return str(payment.details.get("token") or payment.psp_ref)


def _limit(payment: Payment) -> Limit:
    return Limit(payment.authorised, payment.max_energy_wh, payment.max_time_s)


def _checked(told: Authorised) -> None:
    wrong = {}
    if not 0 < len(told.psp_ref) <= 255 or not told.psp_ref.isprintable():
        wrong["psp_ref"] = "1 to 255 printable characters"
    amounts = {
        "amount": told.amount,
        "max_energy_wh": told.max_energy_wh,
        "max_time_s": told.max_time_s,
    }
    wrong |= {
        name: "above 0" for name, value in amounts.items() if value is not None and value <= 0
    }
    if wrong:
        raise Invalid("The payment is not valid.", fields=wrong)
