"""Nodes held down for a while by people: lowered at once, loosened as others may have to agree."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from voltyard.approvals.gate import Action, Gate, OpenGate, fingerprint
from voltyard.approvals.model import Change, Difference, Kind
from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.energy import store
from voltyard.energy.control import SiteController
from voltyard.energy.events import LimitOverridden
from voltyard.energy.overrides import Override
from voltyard.errors import Forbidden, Invalid, NotFound
from voltyard.sites.guarding import power_text
from voltyard.sites.model import Site
from voltyard.storage.engine import Database
from voltyard.tenancy import audit, scope
from voltyard.tenancy.model import Permission, Principal


@dataclass(frozen=True, slots=True)
class LimitHold:
    """Not more than ``power_w`` at a node until then; one that is past lifts it."""

    site_id: UUID
    node_id: UUID
    power_w: float
    until_at: datetime


def loosens(present: Override | None, asked: LimitHold, now: datetime) -> bool:
    """Whether it lets through more than what holds, now or before that ends by itself."""
    if present is None or present.until_at <= now:
        return False
    return asked.power_w > present.power_w or asked.until_at < present.until_at


def at_once(present: Override | None, asked: LimitHold, now: datetime) -> LimitHold | None:
    """The cut in something that loosens as well: lower now, and as long as what holds."""
    if present is None or asked.until_at <= now or not loosens(present, asked, now):
        return None
    if asked.power_w >= present.power_w:
        return None
    return replace(asked, until_at=present.until_at)


class HoldDesk:
    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        controller: Callable[[UUID], SiteController],
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._controller = controller
        self._gate: Gate = OpenGate()

    def gated_by(self, gate: Gate) -> None:
        """Lifts and raises wait for a second person where that is switched on; cuts never do."""
        self._gate = gate
        gate.carries_out(Action("limits.hold", LimitHold, self._carry_out))

    async def hold(self, who: Principal, asked: LimitHold, *, remote: str = "") -> None:
        """Obeyed at the next tick, audited. Raises Forbidden, NotFound, Invalid, Proposed.

        Of what waits, the part that is a cut is obeyed at once.
        """
        if not who.may(Permission.SITES_WRITE):
            raise Forbidden("You may not set limits.")
        controller = self._controller(asked.site_id)
        setup, now = controller.board.setup, self._clock.now()
        if setup.site.org_id != who.org_id or asked.node_id not in setup.tree.by_id:
            raise NotFound("There is no such node.")
        if not 0.0 <= asked.power_w < 1e9:
            raise Invalid("A limit is 0 or more watts.", fields={"power_w": "0 or more"})
        if self._gate.waits(who, Kind.LIMITS):
            cut = at_once(controller.overrides.active(now).get(asked.node_id), asked, now)
            if cut is not None:
                await self._set(who, controller, cut, remote)
        await self._set(who, controller, asked, remote)

    async def _set(
        self, who: Principal, controller: SiteController, asked: LimitHold, remote: str
    ) -> None:
        now, setup = self._clock.now(), controller.board.setup
        node = setup.tree.by_id[asked.node_id]
        async with (
            self._gate.guarding(who),
            scope.transaction(self._database, scope.of(who.org_id)) as tx,
        ):
            present = await store.override(tx, node.id)
            self._gate.check(
                who,
                Kind.LIMITS,
                lambda: _change(setup.site, node.name, present, asked, now),
                needed=loosens(present, asked, now),
            )
            await store.save_override(
                tx, who.org_id, asked.site_id, node.id, asked.power_w, asked.until_at, who.name
            )
            detail = {"power_w": asked.power_w, "until_at": asked.until_at.isoformat()}
            await audit.write(
                tx, who, "limit.override", "node", node.id, detail, at=now, remote=remote
            )
        controller.overrides.put(Override(node.id, asked.power_w, asked.until_at, who.name))
        controller.mark_at_once()
        await self._bus.publish(
            LimitOverridden(
                who.org_id,
                asked.site_id,
                node.id,
                node.name,
                asked.power_w,
                asked.until_at,
                who.name,
                now,
            )
        )

    async def _carry_out(self, who: Principal, asked: LimitHold) -> Mapping[str, Any]:
        await self.hold(who, asked)
        return {}


def _change(
    site: Site, node: str, present: Override | None, asked: LimitHold, now: datetime
) -> Change:
    holds = present if present is not None and present.until_at > now else None
    base = None if holds is None else (holds.power_w, holds.until_at)

    def text(power_w: float, until_at: datetime) -> str:
        if until_at <= now:
            return ""
        return f"{power_text(power_w)} → {until_at.astimezone(site.zone):%Y-%m-%d %H:%M}"

    before = "" if holds is None else text(holds.power_w, holds.until_at)
    row = Difference(node, "held", before, text(asked.power_w, asked.until_at))
    return Change(
        "limits.hold",
        Permission.SITES_WRITE,
        f"{site.name} · {node}",
        asked,
        fingerprint(asked.node_id, base),
        (row,),
        site.id,
        asked.until_at,
    )
