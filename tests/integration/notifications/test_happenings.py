"""Alerts of what just happened or is about to: changed limits, reservations that cannot hold."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from notify_house import House

from voltyard.alerts.happenings import Happenings, Places
from voltyard.chargers.model import Evse, EvseStatus, Station
from voltyard.energy.events import LimitOverridden
from voltyard.errors import NotFound
from voltyard.reservations.events import ReservationChanged
from voltyard.reservations.model import Reservation, ReservationState
from voltyard.sites.events import LimitChanged
from voltyard.sites.model import ElectricalTree
from voltyard.web.console import alert_words


@dataclass
class Around:
    """The other rooms, as far as they are asked."""

    rows: list[Reservation] = field(default_factory=list)
    evses: list[Evse] = field(default_factory=list)
    connected: bool = True
    busy: bool = False

    def pending(self) -> Sequence[Reservation]:
        return self.rows

    def station(self, station_id: UUID) -> Station | None:
        return None

    def outlets(self, station_id: UUID) -> Sequence[Evse]:
        return self.evses

    def is_connected(self, station_id: UUID) -> bool:
        return self.connected

    def current(self, evse_id: UUID) -> Any:
        return object() if self.busy else None

    async def tree(self, site_id: UUID) -> ElectricalTree:
        raise NotFound("This site has no electrical tree yet.", code="no_tree")


def set_up(house: House) -> tuple[Around, Happenings]:
    around = Around()
    made = Happenings(house.alerts, house.clock, around, Places(around, around, around))
    made.listen(house.bus)
    return around, made


def kinds(house: House) -> list[str]:
    return [alert.kind for alert in house.alerts.open_now(house.org_id)]


async def test_a_changed_limit_is_news_for_an_hour(house: House) -> None:
    set_up(house)
    event = LimitChanged(house.org_id, house.site_id, uuid4(), house.clock.now())
    await house.bus.publish(event, event)
    assert kinds(house) == ["limit_changed"]
    house.clock.forward(minutes=59)
    await house.alerts.tick()
    assert kinds(house) == ["limit_changed"]
    house.clock.forward(minutes=2)
    await house.alerts.tick()
    assert kinds(house) == []


async def test_a_limit_lowered_for_a_while_is_told_until_its_end(house: House) -> None:
    set_up(house)
    now = house.clock.now()
    lowered = LimitOverridden(
        house.org_id, house.site_id, uuid4(), "Grid", 50_000.0, now + timedelta(hours=1), "Ada", now
    )
    await house.bus.publish(lowered)
    (alert,) = house.alerts.open_now(house.org_id)
    title, text = alert_words.told(alert, "en", house.zone)
    until = f"{lowered.until_at.astimezone(house.zone):%H:%M}"
    assert text == f"Grid: no more than 50 kW until {until}, by Ada."
    await house.bus.publish(replace(lowered, until_at=now))
    assert kinds(house) == []
    house.clock.forward(minutes=1)
    await house.bus.publish(lowered)
    house.clock.forward(minutes=60)
    await house.alerts.tick()
    assert kinds(house) == []
    assert title == "Limit lowered for a while"


async def test_a_reservation_that_cannot_hold_is_told_until_it_can(house: House) -> None:
    around, happenings = set_up(house)
    now = house.clock.now()
    evse = Evse(uuid4(), house.org_id, house.site_id, uuid4(), 1, "1A")
    around.evses = [evse]
    row = Reservation(
        uuid4(), house.org_id, house.site_id, evse.station_id, evse.id, 1, "T", "rfid",
        now + timedelta(minutes=40), now + timedelta(hours=3), ReservationState.PLANNED, "Ada",
        now, now,
    )  # fmt: skip
    around.rows = [row]

    async def told() -> list[object]:
        await happenings.tick()
        return [alert.params["why"] for alert in house.alerts.open_now(house.org_id)]

    around.connected = False
    assert await told() == []
    house.clock.forward(minutes=15)
    assert await told() == ["offline"]
    around.connected = True
    around.evses = [replace(evse, status=EvseStatus.FAULTED)]
    assert await told() == ["out_of_order"]
    around.evses, around.busy = [evse], True
    assert await told() == []
    house.clock.forward(minutes=30)
    assert await told() == ["occupied"]
    around.rows = []
    assert await told() == []
    house.clock.forward(minutes=1)
    refused = ReservationChanged(
        house.org_id, house.site_id, evse.station_id, evse.id, row.id,
        ReservationState.REFUSED.value, now,
    )  # fmt: skip
    await house.bus.publish(refused)
    assert await told() == ["refused"]
