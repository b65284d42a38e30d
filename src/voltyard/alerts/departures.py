"""Reminders of departures as alerts, and the rules that people set for them."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from voltyard.alerts import store
from voltyard.alerts.ports import Departures
from voltyard.alerts.reminders import KIND, DepartureRule, Rules, due, problems
from voltyard.alerts.service import AlertService, Cause
from voltyard.clock import Clock
from voltyard.errors import Invalid, NotFound
from voltyard.storage.engine import Database
from voltyard.tenancy import audit, scope
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal


class DepartureDesk:
    """``tick`` looks at every departure that is near; the rules are kept in memory."""

    def __init__(
        self, database: Database, clock: Clock, alerts: AlertService, departures: Departures
    ) -> None:
        self._database = database
        self._clock = clock
        self._alerts = alerts
        self._departures = departures
        self._rules = Rules()

    async def load(self) -> None:
        async with scope.transaction(self._database, scope.SYSTEM) as tx:
            found = await store.departure_rules(tx)
        self._rules = Rules({(rule.org_id, rule.site_id): rule for rule in found})

    async def tick(self) -> None:
        """Run every quarter of a minute."""
        now = self._clock.now()
        found = await self._departures.departing(*self._rules.window(now))
        causes: dict[tuple[UUID, UUID], list[Cause]] = {
            place: [] for place in self._alerts.places(KIND)
        }
        for place, cause in due(self._rules, found, now):
            causes.setdefault(place, []).append(cause)
        for (org_id, site_id), told in causes.items():
            await self._alerts.sync(org_id, site_id, (KIND,), told)

    def rules(self, who: Principal) -> Sequence[DepartureRule]:
        """The organisation's own (or the default), then those of sites that have one."""
        require(who, Permission.VIEW)
        own = self._rules.rule(who.org_id, None)
        of_sites = [
            rule
            for (org_id, site_id), rule in self._rules.of.items()
            if org_id == who.org_id and site_id is not None
        ]
        return [own, *sorted(of_sites, key=lambda rule: str(rule.site_id))]

    async def save(self, who: Principal, rule: DepartureRule, *, remote: str = "") -> DepartureRule:
        """Of a site, or of the organisation. Raises Invalid, NotFound for a site not theirs."""
        require(who, Permission.NOTIFICATIONS_WRITE)
        rule = replace(rule, org_id=who.org_id)
        wrong = problems(rule)
        if wrong:
            raise Invalid("These steps cannot be followed.", fields=wrong)
        now = self._clock.now()
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            if rule.site_id is not None and not await store.site_exists(
                tx, who.org_id, rule.site_id
            ):
                raise NotFound("There is no such site.")
            await store.put_departure_rule(tx, rule, now)
            await audit.write(
                tx, who, "departure_rule.save", "site", rule.site_id or "",
                {"steps": [[s.offset_min, s.severity.value] for s in rule.steps]},
                at=now, remote=remote,
            )  # fmt: skip
        self._keep(rule)
        return rule

    async def forget(self, who: Principal, site_id: UUID, *, remote: str = "") -> None:
        """The site follows the organisation's rule again. Raises NotFound when it had none."""
        require(who, Permission.NOTIFICATIONS_WRITE)
        if (who.org_id, site_id) not in self._rules.of:
            raise NotFound("This site has no rule of its own.")
        now = self._clock.now()
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            await store.delete_departure_rule(tx, site_id)
            await audit.write(
                tx, who, "departure_rule.delete", "site", site_id, at=now, remote=remote
            )
        self._rules = Rules({k: r for k, r in self._rules.of.items() if k[1] != site_id})

    def _keep(self, rule: DepartureRule) -> None:
        self._rules = Rules({**self._rules.of, (rule.org_id, rule.site_id): rule})
