"""The door for any message of a charger's own OCPP version, and what is refused at it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from voltyard.approvals.gate import Action, Gate, OpenGate
from voltyard.chargers import store
from voltyard.chargers.approving import Order, answered, kind_of, order_change
from voltyard.chargers.commands import Ask, Command, CommandResult, WriteConfiguration
from voltyard.chargers.directory import Entry
from voltyard.chargers.settings import StationSettings, named
from voltyard.chargers.speech import VERSIONS, Speech
from voltyard.errors import Conflict, Invalid
from voltyard.tenancy import scope
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal


class StationAsking(StationSettings):
    """``speech`` is set where the application is put together."""

    speech: Speech | None = None
    approvals: Gate = OpenGate()

    def gated_by(self, gate: Gate) -> None:
        """Configuration and firmware by people's commands may wait for a second person."""
        self.approvals = gate
        order = Action("chargers.order", Order, self._carry_out_order, provable=False)
        gate.carries_out(order)

    async def order(
        self, who: Principal, station_id: UUID, command: Command, *, timeout_s: float = 30.0
    ) -> CommandResult:
        """A person's command; who may give it was asked before. Raises Proposed where it waits."""
        await self.permit(who, station_id, command, timeout_s=timeout_s)
        return await self.command(station_id, command, who.name, timeout_s=timeout_s)

    async def permit(
        self, who: Principal, station_id: UUID, command: Command, *, timeout_s: float = 30.0
    ) -> None:
        """Return if it may go out now. Raises Proposed, and Conflict for what never may."""
        entry, kind = self._of(who.org_id, station_id), kind_of(command)
        if kind is None:
            return
        self._refuse_danger(entry, command)
        present = await self._set_now(entry, command)
        async with self.approvals.guarding(who):
            self.approvals.check(
                who,
                kind,
                lambda: order_change(
                    [entry.station], command, present=present, timeout_s=timeout_s
                ),
            )

    async def _set_now(self, entry: Entry, command: Command) -> str | None:
        """What the key of a command is known to be set to."""
        if not isinstance(command, WriteConfiguration):
            return None
        row = named(command.key, self._version(entry))
        attribute = command.attribute or "Actual"
        async with scope.transaction(self._database, scope.of(entry.station.org_id)) as tx:
            found = await store.config(tx, entry.station.id)
        known = [e.row for e in found if e.row.key == row.key and e.row.attribute == attribute]
        return known[0].value if known else None

    async def _carry_out_order(self, who: Principal, order: Order) -> Mapping[str, Any]:
        require(who, Permission.CHARGERS_COMMAND)
        station_id, command = order.station_ids[0], order.command
        if isinstance(command, Ask):
            payload = dict(command.payload)
            result = await self.ask(
                who, station_id, command.action, payload, timeout_s=order.timeout_s
            )
            return {"answer": result.detail.get("answer", {})}
        return answered(await self.order(who, station_id, command, timeout_s=order.timeout_s))

    async def ask(
        self,
        who: Principal,
        station_id: UUID,
        action: str,
        payload: Mapping[str, Any],
        *,
        timeout_s: float = 30.0,
    ) -> CommandResult:
        """Send a message by its name; the answer is in ``detail["answer"]``.

        Raises Invalid (each wrong field by its path), Conflict (``limits_kept``), Forbidden,
        Proposed, and whatever ``StationLink.send`` does. Audited.
        """
        entry = self._of(who.org_id, station_id)
        self.check_asking(who, station_id, action, payload)
        await self.permit(who, station_id, Ask(action, dict(payload)), timeout_s=timeout_s)
        async with scope.transaction(self._database, scope.of(who.org_id)) as tx:
            await self._audit(tx, who, "station.ask", "station", str(station_id), {"ocpp": action})
        return await self.command(
            entry.station.id, Ask(action, dict(payload)), who.name, timeout_s=timeout_s
        )

    def check_asking(
        self, who: Principal, station_id: UUID, action: str, payload: Mapping[str, Any]
    ) -> None:
        """Everything that is wrong before it is sent: version, message, rights, fields, limits."""
        entry = self._of(who.org_id, station_id)
        speech, version = self.spoken(), self._version(entry)
        if version not in VERSIONS:
            raise Conflict("The charger has never connected: its OCPP version is not known.")
        known = {kind.action: kind for kind in speech.messages(version)}
        if action not in known:
            raise Invalid(
                "There is no such message in this charger's OCPP version.",
                fields={"action": f"not sent to chargers in OCPP {version}"},
            )
        require(who, known[action].permission)
        speech.check(version, action, payload)
        self._refuse_danger(entry, Ask(action, dict(payload)))

    async def command(
        self,
        station_id: UUID,
        command: Command,
        principal_name: str,
        *,
        timeout_s: float = 30.0,
    ) -> CommandResult:
        raise NotImplementedError

    def spoken(self) -> Speech:
        """What messages there are."""
        assert self.speech is not None, "set where the application is put together"
        return self.speech

    def _refuse_danger(self, entry: Entry, command: Command) -> None:
        """Chargers on the electrical tree: their limits belong to the control of their site."""
        on_tree = any(evse.node_id is not None for evse in entry.evses.values())
        if self.speech is None or not on_tree:
            return
        why = self.speech.endangers(self._version(entry), command, entry.station.quirks)
        if why:
            raise Conflict(f"This could lift a limit: {why}.", code="limits_kept")
