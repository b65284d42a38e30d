"""A charger at the other end of a link, by its OCPP version, for tests of what technicians do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec
from api_world import Tenant, World

from voltyard.chargers.commands import Command, CommandResult
from voltyard.chargers.model import BootInfo, StationRef
from voltyard.errors import VoltyardError
from voltyard.ocpp.gateway import DIALECTS

Say = Callable[[str, Mapping[str, Any]], Mapping[str, Any] | VoltyardError]


def accepts(action: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"status": "Accepted"}


@dataclass
class Played:
    """Answers every call by ``say``; what is asked goes through the version's own structs."""

    station: StationRef
    version: str
    clock: Any
    say: Say = accepts
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def send(self, command: Command, *, timeout_s: float = 30.0) -> CommandResult:
        dialect = DIALECTS[f"ocpp{self.version}"]
        calls, combine = dialect.express(command, self.clock.now())
        results = []
        for call in calls:
            payload = msgspec.json.decode(msgspec.json.encode(call.request))
            self.heard.append((call.action, payload))
            told = self.say(call.action, payload)
            if isinstance(told, VoltyardError):
                raise told
            answer = msgspec.Raw(msgspec.json.encode(told))
            results.append(call.answer(call.reader.read(answer, dialect.words, lambda *_: None)))
        return combine(results)

    async def close(self, reason: str) -> None:
        """Nothing is open."""


async def plug(
    world: World,
    tenant: Tenant,
    identity: str = "CP-1",
    version: str = "1.6",
    say: Say = accepts,
    *,
    make: tuple[str, str] = ("Maker", "One"),
) -> Played:
    """A connected charger of that make."""
    chargers = world.core.chargers
    station = await chargers.create_station(tenant.who, identity, password="charger password")
    link = Played(station.ref, version, world.core.clock, say)
    await chargers.connected(link)
    await chargers.booted(station.ref, BootInfo(*make, firmware="1.0"))
    return link


async def on_tree(world: World, tenant: Tenant, station_id: UUID) -> None:
    """Its outlet hangs on a node, so its limits are the control's."""
    site = await tenant.post("/sites", {"name": "Nord"})
    await tenant.call("PATCH", f"/stations/{station_id}", json={"site_id": site["id"]})
    grid = {"kind": "grid", "name": "Grid", "limits": [{"power_w": 1e6}]}
    node = await tenant.post(f"/sites/{site['id']}/nodes", grid)
    answer = await tenant.call(
        "PUT", f"/stations/{station_id}/evses/1", json={"node_id": node["id"]}
    )
    assert answer.status_code == 200, answer.text
