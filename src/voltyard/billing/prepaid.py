"""Prepaid accounts: what is held for running sessions, what is booked when they are over."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from voltyard.billing import store
from voltyard.billing.commands import NewAccount, checked_name
from voltyard.billing.model import ZERO, SessionCost
from voltyard.billing.payment import Account, Entry, EntryKind
from voltyard.billing.shelf import Shelf
from voltyard.clock import Clock
from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.ids import new_id
from voltyard.sessions.model import Session
from voltyard.storage.engine import Database, Tx
from voltyard.tenancy import audit, scope
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal

ENTRIES_MAX = 1_000
AMOUNT_MAX = Decimal(1_000_000)
TOKENS_MAX = 100


class Prepaid:
    """A session holds what is free of its account when it begins; so two never spend the same.

    Implements ``voltyard.sessions.ports.Credit``.
    """

    def __init__(self, database: Database, clock: Clock, shelf: Shelf) -> None:
        self._database = database
        self._clock = clock
        self._shelf = shelf

    def refuses(self, org_id: UUID, station_id: UUID, value: str) -> bool | None:
        """None for a token that is not prepaid, else whether nothing is left (OCPP 2.1 C17).

        At the station where it charges, it may be there to stop that.
        """
        account = self._shelf.account_of(org_id, value)
        if account is None:
            return None
        here = any(
            cost.account_id == account.id and cost.station_id == station_id
            for cost in self._shelf.running()
        )
        return account.free <= 0 and not here

    def held(self, cost: SessionCost, session: Session) -> SessionCost:
        """With what it may spend of its account, from the moment its token is known."""
        if cost.account_id is not None or not session.id_token:
            return cost
        account = self._shelf.account_of(session.org_id, session.id_token)
        if account is None or account.currency != cost.phases[-1].tariff.terms.currency:
            return cost
        return replace(cost, account_id=account.id, hold=max(ZERO, account.free))

    async def book(self, session: Session, cost: SessionCost) -> None:
        """Take what a session cost, or the difference if it was rated again. Once, whatever."""
        if cost.account_id is None:
            return
        async with scope.transaction(self._database, scope.of(cost.org_id)) as tx:
            due = -cost.cost.gross - await store.booked_for(tx, session.id)
            if due:
                await self._booked(
                    tx, cost.org_id, cost.account_id, due, EntryKind.SESSION,
                    by="voltyard", note=cost.reason, session_id=session.id,
                )  # fmt: skip
        await self._reread(cost.org_id, cost.account_id)

    async def _booked(
        self,
        tx: Tx,
        org_id: UUID,
        account_id: UUID,
        amount: Decimal,
        kind: EntryKind,
        *,
        by: str,
        note: str,
        session_id: UUID | None = None,
    ) -> Decimal:
        balance = await store.book(tx, account_id, amount)
        now = self._clock.now()
        entry = Entry(
            new_id(), org_id, account_id, now, amount, balance, kind, by, session_id, note
        )
        await store.insert_entry(tx, entry)
        return balance

    async def _reread(self, org_id: UUID, account_id: UUID) -> None:
        async with scope.transaction(self._database, scope.of(org_id)) as tx:
            for account in await store.accounts(tx):
                if account.id == account_id:
                    self._shelf.put_account(account)

    # People

    def accounts(self, who: Principal) -> list[Account]:
        require(who, Permission.VIEW)
        found = [each for each in self._shelf.accounts.values() if each.org_id == who.org_id]
        return sorted(map(self._shelf.with_holds, found), key=lambda each: each.name.casefold())

    def account(self, who: Principal, account_id: UUID) -> Account:
        require(who, Permission.VIEW)
        found = self._shelf.accounts.get(account_id)
        if found is None or found.org_id != who.org_id:
            raise NotFound("There is no such account.", detail=str(account_id))
        return self._shelf.with_holds(found)

    async def entries(self, who: Principal, account_id: UUID) -> list[Entry]:
        """Newest first, at most ``ENTRIES_MAX``."""
        self.account(who, account_id)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            return await store.entries(tx, account_id, limit=ENTRIES_MAX)

    async def open(self, who: Principal, new: NewAccount, *, remote: str = "") -> Account:
        """Conflict (``token_taken``) if a token charges on another account already."""
        require(who, Permission.TARIFFS_WRITE)
        account = Account(
            new_id(), who.org_id, checked_name(new.name), new.currency, ZERO,
            self._tokens(who, new.tokens, None), self._clock.now(),
        )  # fmt: skip
        await self._save(who, "account.open", account, remote)
        return account

    async def change(
        self,
        who: Principal,
        account_id: UUID,
        *,
        name: str,
        tokens: tuple[str, ...],
        closed: bool = False,
        remote: str = "",
    ) -> Account:
        require(who, Permission.TARIFFS_WRITE)
        before = self.account(who, account_id)
        after = replace(
            before, name=checked_name(name), tokens=self._tokens(who, tokens, account_id),
            closed=closed,
        )  # fmt: skip
        await self._save(who, "account.change", after, remote)
        return after

    async def top_up(
        self, who: Principal, account_id: UUID, amount: Decimal, note: str, *, remote: str = ""
    ) -> Account:
        """Below 0 it is a correction, or a payout."""
        require(who, Permission.TARIFFS_WRITE)
        account = self.account(who, account_id)
        if not amount.is_finite() or amount == 0 or abs(amount) > AMOUNT_MAX:
            raise Invalid("This is no amount.", fields={"amount": "not 0"})
        kind = EntryKind.TOP_UP if amount > 0 else EntryKind.CORRECTION
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            await self._booked(
                tx, who.org_id, account.id, amount, kind, by=who.name, note=note[:200]
            )
            await self._noted(tx, who, "account.book", account_id, remote, amount=str(amount))
        await self._reread(who.org_id, account_id)
        return self.account(who, account_id)

    def _tokens(self, who: Principal, tokens: tuple[str, ...], own: UUID | None) -> tuple[str, ...]:
        tidy = tuple(dict.fromkeys(token.strip().upper() for token in tokens if token.strip()))
        if not 0 < len(tidy) <= TOKENS_MAX or any(len(token) > 255 for token in tidy):
            raise Invalid("The tokens are not valid.", fields={"tokens": f"1 to {TOKENS_MAX}"})
        for token in tidy:
            other = self._shelf.account_of(who.org_id, token)
            if other is not None and other.id != own:
                raise Conflict(
                    "A token charges on another account already.",
                    code="token_taken",
                    fields={"tokens": token},
                )
        return tidy

    async def _save(self, who: Principal, action: str, account: Account, remote: str) -> None:
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            await store.save_account(tx, account)
            await self._noted(tx, who, action, account.id, remote, name=account.name)
        self._shelf.put_account(account)

    async def _noted(
        self, tx: Tx, who: Principal, action: str, account_id: UUID, remote: str, **detail: str
    ) -> None:
        at: datetime = self._clock.now()
        await audit.write(
            tx, who, f"billing.{action}", "account", account_id, detail, at=at, remote=remote
        )
