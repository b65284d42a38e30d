"""What billing has in memory, so that a message asks the database nothing."""

from collections import OrderedDict
from collections.abc import Iterator
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
        self.assignments: dict[UUID, Assignment] = {}
        self.settings: dict[UUID, BillingSettings] = {}
        self.accounts: dict[UUID, Account] = {}
        self.placed: dict[tuple[UUID, int], Placed] = {}
        self.web_keys: dict[UUID, WebKey] = {}
        self._costs: dict[UUID, SessionCost] = {}
        self._ended: OrderedDict[UUID, SessionCost] = OrderedDict()
        self._refs: dict[tuple[UUID, str], UUID] = {}
        self._ref_of: dict[UUID, tuple[UUID, str]] = {}

    def settings_of(self, org_id: UUID) -> BillingSettings:
        return self.settings.get(org_id, DEFAULTS)

    def prices(self, org_id: UUID) -> bool:
        """Whether an organisation prices anything at all."""
        return any(each.org_id == org_id for each in self.assignments.values())

    def chosen(self, asked: Asked) -> tuple[Tariff, Assignment] | None:
        found = choose(self.assignments.values(), asked)
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
        wanted = token.upper()
        for account in self.accounts.values():
            if account.org_id == org_id and not account.closed and wanted in account.tokens:
                return self.with_holds(account)
        return None

    def with_holds(self, account: Account) -> Account:
        held = sum(self._holds(account.id), ZERO)
        return replace(account, held=held)

    def _holds(self, account_id: UUID) -> Iterator[Decimal]:
        for cost in self._costs.values():
            if cost.account_id == account_id and cost.hold is not None:
                yield cost.hold
