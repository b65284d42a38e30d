"""What billing has in memory, so that a message asks the database nothing."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from voltyard.billing.commands import BillingSettings
from voltyard.billing.model import (
    ZERO,
    Asked,
    Assignment,
    CostState,
    SessionCost,
    Target,
    Tariff,
    choose,
)
from voltyard.billing.payment import Account
from voltyard.billing.store import Placed, WebKey
from voltyard.chargers.model import Evse, Station

ENDED_MAX = 2_000
DEFAULTS = BillingSettings()


class Shelf:
    """Tariffs, whom they are for, accounts, and the costs of running sessions."""

    def __init__(self) -> None:
        self.tariffs: dict[UUID, Tariff] = {}
        self._assignments: dict[UUID, Assignment] = {}
        self._assigned: dict[tuple[UUID, Target, str], Assignment] = {}
        self._pricing: frozenset[UUID] = frozenset()
        self._grouping: frozenset[UUID] = frozenset()
        self.settings: dict[UUID, BillingSettings] = {}
        self._accounts: dict[UUID, Account] = {}
        self._charged: dict[tuple[UUID, str], UUID] = {}
        self.placed: dict[tuple[UUID, int], Placed] = {}
        self.web_keys: dict[UUID, WebKey] = {}
        self._costs: dict[UUID, SessionCost] = {}
        self._ended: OrderedDict[UUID, SessionCost] = OrderedDict()
        self._refs: dict[tuple[UUID, str], UUID] = {}
        self._ref_of: dict[UUID, tuple[UUID, str]] = {}

    def settings_of(self, org_id: UUID) -> BillingSettings:
        return self.settings.get(org_id, DEFAULTS)

    @property
    def assignments(self) -> Mapping[UUID, Assignment]:
        return self._assignments

    def assign(self, found: Iterable[Assignment]) -> None:
        """Whom tariffs are for, from now on: all of them."""
        self._assignments = {row.id: row for row in found}
        self._assigned = {
            (row.org_id, row.target, row.ref): row for row in self._assignments.values()
        }
        rows = self._assignments.values()
        self._pricing = frozenset(row.org_id for row in rows)
        self._grouping = frozenset(row.org_id for row in rows if row.target is Target.GROUP)

    @property
    def accounts(self) -> Mapping[UUID, Account]:
        return self._accounts

    def put_account(self, account: Account) -> None:
        before = self._accounts.get(account.id)
        for token in () if before is None else before.tokens:
            self._charged.pop((account.org_id, token), None)
        self._accounts[account.id] = account
        if not account.closed:
            self._charged.update({(account.org_id, token): account.id for token in account.tokens})

    def prices(self, org_id: UUID) -> bool:
        """Whether an organisation prices anything at all."""
        return org_id in self._pricing

    def groups(self, org_id: UUID) -> bool:
        """Whether a tariff of an organisation is for a group of tokens."""
        return org_id in self._grouping

    def chosen(self, asked: Asked) -> tuple[Tariff, Assignment] | None:
        """Found by its key, the most particular first: ``choose`` without looking at all."""
        refs = asked.refs()
        fitting = (self._assigned.get((asked.org_id, target, refs[target])) for target in Target)
        found = choose((row for row in fitting if row is not None), asked)
        return None if found is None else (self.tariffs[found.tariff_id], found)

    def session_id(self, station_id: UUID, ref: str) -> UUID | None:
        """The priced session of a charger's transaction."""
        return self._refs.get((station_id, ref))

    def default_tariffs(self, station: Station, evse: Evse | None = None) -> Iterator[Tariff]:
        """What counts there for whom nothing else is agreed; none, or one."""
        place = Asked(
            station.org_id, station.site_id, station.id, None if evse is None else evse.id
        )
        found = self.chosen(place)
        if found is not None:
            yield found[0]

    def put_cost(self, cost: SessionCost, ref: str) -> None:
        """A bounded number of ended ones stays, for chargers that tell their end again."""
        self._refs[(cost.station_id, ref)] = cost.session_id
        self._ref_of[cost.session_id] = (cost.station_id, ref)
        if cost.state is CostState.RUNNING:
            self._ended.pop(cost.session_id, None)
            self._costs[cost.session_id] = cost
            return
        self._costs.pop(cost.session_id, None)
        self._ended[cost.session_id] = cost
        self._ended.move_to_end(cost.session_id)
        if len(self._ended) > ENDED_MAX:
            oldest, _ = self._ended.popitem(last=False)
            self._refs.pop(self._ref_of.pop(oldest), None)

    def cost(self, session_id: UUID) -> SessionCost | None:
        return self._costs.get(session_id) or self._ended.get(session_id)

    def running(self) -> list[SessionCost]:
        return list(self._costs.values())

    def account_of(self, org_id: UUID, token: str) -> Account | None:
        """The open account a token charges on, with what is held of it."""
        account_id = self._charged.get((org_id, token.upper()))
        return None if account_id is None else self.with_holds(self._accounts[account_id])

    def with_holds(self, account: Account) -> Account:
        held = sum(self._holds(account.id), ZERO)
        return replace(account, held=held)

    def _holds(self, account_id: UUID) -> Iterator[Decimal]:
        for cost in self._costs.values():
            if cost.account_id == account_id and cost.hold is not None:
                yield cost.hold
