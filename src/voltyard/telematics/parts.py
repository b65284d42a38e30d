"""The parts of the room, built together and run together."""

from collections.abc import Sequence
from dataclasses import dataclass

from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.jobs import Periodic
from voltyard.notifications.guard import Guard
from voltyard.storage.engine import Database
from voltyard.telematics.fetching import Fetcher
from voltyard.telematics.listening import Listener
from voltyard.telematics.polling import Poller
from voltyard.telematics.ports import Sessions
from voltyard.telematics.posting import PostDesk
from voltyard.telematics.service import OtherRooms, TelematicsService
from voltyard.telematics.standing import StandingDesk


@dataclass(frozen=True, slots=True)
class Telematics:
    """``listener.run`` is a task of its own."""

    service: TelematicsService
    poller: Poller
    listener: Listener
    posts: PostDesk
    standing: StandingDesk

    def periodic(self) -> Sequence[Periodic]:
        return (
            Periodic("telematics", 5.0, self.poller.tick),
            Periodic("telematics silence", 30.0, self.service.tick),
            Periodic("old observations", 24 * 3600.0, self.service.drop_old),
        )


def built(
    database: Database,
    bus: Bus,
    clock: Clock,
    parts: OtherRooms,
    sessions: Sessions,
    guard: Guard,
    *,
    assumed_pct: float,
    keep_days: int,
) -> Telematics:
    """``guard``: where tenants' connections may lead. ``assumed_pct`` is planned with where nobody
    tells a charge."""
    service = TelematicsService(database, bus, clock, parts, keep_days=keep_days)
    poller = Poller(service, Fetcher(clock, guard))
    listener = Listener(service, guard)
    listener.listen(bus)
    standing = StandingDesk(service, parts.vehicles, sessions, parts.duties, assumed_pct)
    return Telematics(service, poller, listener, PostDesk(service, poller), standing)
