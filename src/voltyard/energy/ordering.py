"""Orders to discharge: who may give them, where they are kept, what has become of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.chargers.model import PowerMode
from voltyard.clock import Clock
from voltyard.energy import store
from voltyard.energy.control import SiteController
from voltyard.energy.discharging import Hindrance, Order, Verdict
from voltyard.energy.outlet import Outlet
from voltyard.errors import Conflict, Forbidden, Invalid, NotFound
from voltyard.storage.engine import Database
from voltyard.tenancy import audit, scope
from voltyard.tenancy.model import Permission, Principal

LONGEST = timedelta(days=2)
MODES = frozenset({PowerMode.SETPOINT, PowerMode.FREQUENCY, PowerMode.IDLE})


@dataclass(frozen=True, slots=True)
class Discharge:
    """An order as it stands; ``setpoint_w`` None while it rests, below 0 what flows back."""

    order: Order
    setpoint_w: float | None
    why: Hindrance


class DischargeDesk:
    """Orders of people and of API keys, obeyed at the next look."""

    def __init__(
        self, database: Database, clock: Clock, controllers: Callable[[], Iterable[SiteController]]
    ) -> None:
        self._database = database
        self._clock = clock
        self._controllers = controllers

    async def order(
        self,
        who: Principal,
        session_id: UUID,
        *,
        power_w: float,
        until_at: datetime,
        soc_floor_pct: float,
        mode: PowerMode = PowerMode.SETPOINT,
        remote: str = "",
    ) -> Discharge:
        """``power_w`` (0 or more) is to flow back until then, as far as nothing forbids it.

        Raises Forbidden, NotFound, Invalid, and Conflict where charger or vehicle never can.
        """
        controller, outlet = self._running(who, session_id)
        now = self._clock.now()
        _check(now, power_w, until_at, soc_floor_pct, mode)
        _check_able(outlet, mode)
        order = Order(session_id, mode, power_w, until_at, soc_floor_pct, who.name)
        detail = {"mode": mode.value, "power_w": power_w, "until_at": until_at.isoformat()}
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            await store.save_discharge(tx, who.org_id, controller.site_id, order, now)
            await audit.write(
                tx, who, "session.discharge", "session", session_id,
                detail | {"soc_floor_pct": soc_floor_pct}, at=now, remote=remote,
            )  # fmt: skip
        controller.discharging.put(order)
        controller.mark()
        return _shown(order, controller.discharging.verdicts.get(session_id))

    async def end(self, who: Principal, session_id: UUID, *, remote: str = "") -> None:
        """Raises Forbidden, NotFound. One that is over already stays over."""
        controller, _ = self._running(who, session_id)
        now = self._clock.now()
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            await store.drop_discharge(tx, session_id)
            await audit.write(
                tx, who, "session.discharge_end", "session", session_id, {}, at=now, remote=remote
            )
        controller.discharging.drop(session_id)
        controller.mark()

    def standing(self, org_id: UUID, session_id: UUID) -> Discharge | None:
        """The order of a running session and what has become of it; None without one."""
        found = self._find(org_id, session_id)
        if found is None:
            return None
        discharging = found[0].discharging
        order = discharging.order(session_id, self._clock.now())
        return None if order is None else _shown(order, discharging.verdicts.get(session_id))

    def able(self, org_id: UUID, session_id: UUID) -> bool:
        """Whether an order would be taken."""
        found = self._find(org_id, session_id)
        needs = None if found is None or found[1].session is None else found[1].session.needs
        if found is None or needs is None:
            return False
        return found[1].abilities.discharges and needs.could_give

    def _running(self, who: Principal, session_id: UUID) -> tuple[SiteController, Outlet]:
        if not who.may(Permission.SESSIONS_CONTROL):
            raise Forbidden("You may not change sessions.")
        found = self._find(who.org_id, session_id)
        if found is None:
            raise NotFound("No such session runs on the electrical tree of a site.")
        return found

    def _find(self, org_id: UUID, session_id: UUID) -> tuple[SiteController, Outlet] | None:
        for controller in self._controllers():
            setup = controller.board.setup
            if setup.site.org_id != org_id:
                continue
            for outlet in controller.board:
                session = outlet.session
                on_tree = outlet.evse.id in setup.tree.leaf_of_evse
                if session is not None and session.session_id == session_id and on_tree:
                    return controller, outlet
        return None


def _shown(order: Order, verdict: Verdict | None) -> Discharge:
    if verdict is None:
        return Discharge(order, None, Hindrance.NONE)
    steered = verdict.steer.mode is not PowerMode.LIMIT
    return Discharge(order, verdict.steer.setpoint_w if steered else None, verdict.why)


def _check(
    now: datetime, power_w: float, until_at: datetime, soc_floor_pct: float, mode: PowerMode
) -> None:
    faults: dict[str, str] = {}
    if mode not in MODES:
        faults["mode"] = "setpoint, frequency or idle"
    if not 0.0 <= power_w < 1e9:
        faults["power_w"] = "0 or more"
    if not 0.0 <= soc_floor_pct <= 100.0:
        faults["soc_floor_pct"] = "0 to 100"
    if not now < until_at <= now + LONGEST:
        faults["until"] = "within two days from now"
    if faults:
        raise Invalid("This is no order to discharge.", fields=faults)


def _check_able(outlet: Outlet, mode: PowerMode) -> None:
    if mode not in outlet.abilities.modes:
        raise Conflict("This charger cannot do that.", code="cannot_discharge")
    needs = None if outlet.session is None else outlet.session.needs
    if mode is not PowerMode.IDLE and (needs is None or not needs.could_give):
        raise Conflict("This vehicle does not offer to be discharged.", code="cannot_discharge")
