"""The door for any message of a charger's own OCPP version, and what is refused at it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from voltyard.chargers.commands import Ask, Command, CommandResult
from voltyard.chargers.directory import Entry
from voltyard.chargers.settings import StationSettings
from voltyard.chargers.speech import VERSIONS, Speech
from voltyard.errors import Conflict, Invalid
from voltyard.tenancy import scope
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Principal


class StationAsking(StationSettings):
    """``speech`` is set where the application is put together."""

    speech: Speech | None = None

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

        Raises Invalid (each wrong field by its path), Conflict (``limits_kept``), Forbidden, and
        whatever ``StationLink.send`` does. Audited.
        """
        entry = self._of(who.org_id, station_id)
        self.check_asking(who, station_id, action, payload)
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
