"""What happens at the same moment: a person's word, a cause that ends, a message that cannot go."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from notify_house import OFFLINE, House
from notify_sinks import Sinks

from voltyard.alerts.model import Alert, Severity, Topic
from voltyard.alerts.ports import News
from voltyard.notifications import store
from voltyard.notifications.model import Channel
from voltyard.storage.engine import Tx
from voltyard.tenancy import scope


@dataclass
class SlowOutbox:
    """Stands still within the transaction of the first news of a topic, until it is let."""

    topic: Topic
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    let: asyncio.Event = field(default_factory=asyncio.Event)

    async def stage(self, tx: Tx, news: Sequence[News]) -> None:
        if not self.reached.is_set() and any(each.topic is self.topic for each in news):
            self.reached.set()
            await self.let.wait()

    def wake(self) -> None:
        """Nobody sends."""


async def opened(house: House) -> Alert:
    await house.raise_()
    (alert,) = house.alerts.open_now(house.org_id)
    return alert


async def both(house: House, slow: SlowOutbox, *tasks: asyncio.Task[object]) -> None:
    """The second has time to read what it likes while the first is at work."""
    for _ in range(5):
        await house.alerts.list(house.org_id)
    slow.let.set()
    await asyncio.gather(*tasks)


async def test_what_is_resolved_while_somebody_acknowledges_it_stays_resolved(
    house: House,
) -> None:
    alert = await opened(house)
    slow = house.alerts.outbox = SlowOutbox(Topic.RESOLVED)
    ends = asyncio.create_task(house.alerts.resolve(house.org_id, alert.key))
    await slow.reached.wait()
    sees = asyncio.create_task(house.alerts.acknowledge(house.who, alert.id))
    await both(house, slow, ends, sees)
    assert house.alerts.open_now(house.org_id) == []
    kept = await house.alerts.get(house.org_id, alert.id)
    assert kept.resolved_at is not None


async def test_an_acknowledgement_is_not_lost_to_new_facts(house: House) -> None:
    alert = await opened(house)
    slow = house.alerts.outbox = SlowOutbox(Topic.ACKNOWLEDGED)
    sees = asyncio.create_task(house.alerts.acknowledge(house.who, alert.id))
    await slow.reached.wait()
    news = asyncio.create_task(house.raise_(replace(OFFLINE, params={"station": "CP7", "n": 2})))
    await both(house, slow, sees, news)
    kept = await house.alerts.get(house.org_id, alert.id)
    assert kept.acknowledged_by == "Ada"
    assert kept.params == {"station": "CP7", "n": 2}
    assert house.alerts.open_now(house.org_id) == [kept]


async def test_a_target_whose_secret_is_lost_is_told_and_stops_nobody(
    house: House, sinks: Sinks
) -> None:
    broken, _ = await house.target(Channel.WEBHOOK, f"{sinks.web_url}/broken")
    whole, _ = await house.target(Channel.EMAIL, "desk@example.org")
    await house.route(broken, whole)
    async with scope.transaction(house.database, scope.SYSTEM) as tx:
        await store.put_secret(tx, broken.id, b"not sealed by this key", None, house.clock.now())
    await house.raise_()
    await house.deliver()
    log = {row["channel"]: row["state"] for row in await house.log() if row["topic"] == "opened"}
    assert log["webhook"] == "failed"
    assert log["email"] == "sent"
    kinds = {alert.kind for alert in house.alerts.open_now(house.org_id)}
    assert kinds == {"charger_offline", "notification_failed"}


async def test_who_may_not_sign_in_any_more_is_not_told(house: House, sinks: Sinks) -> None:
    person = uuid4()
    async with scope.transaction(house.database, scope.SYSTEM) as tx:
        values = {"id": person, "org": house.org_id, "at": house.clock.now()}
        await tx.execute(
            "INSERT INTO users (id, org_id, email, name, role, password_hash, created_at)"
            " VALUES (:id, :org, 'bob@example.org', 'Bob', 'dispatcher', 'x', :at)",
            values,
        )
    bob, _ = await house.target(Channel.EMAIL, "bob@example.org", user_id=person)
    await house.route(bob)
    await house.raise_()
    assert await house.deliver() == 1
    async with scope.transaction(house.database, scope.SYSTEM) as tx:
        await tx.execute("UPDATE users SET active = false WHERE id = :id", {"id": person})
    await house.raise_(replace(OFFLINE, key="charger_offline:2"))
    await house.deliver()
    assert len(sinks.mail.mails) == 1
    kinds = {alert.kind for alert in house.alerts.open_now(house.org_id)}
    assert "notification_failed" in kinds, "somebody else must be named"


async def test_news_that_come_while_the_outbox_is_read_are_seen_at_the_next_look(
    house: House, sinks: Sinks, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook, _ = await house.target(Channel.WEBHOOK, f"{sinks.web_url}/hook")
    await house.route(hook)
    read = store.next_due

    async def then_news(tx: Tx) -> datetime | None:
        found = await read(tx)
        await house.raise_(replace(OFFLINE, severity=Severity.CRITICAL))
        return found or house.clock.now() + timedelta(hours=1)

    monkeypatch.setattr(store, "next_due", then_news)
    assert await house.deliver() == 0
    monkeypatch.setattr(store, "next_due", read)
    assert await house.deliver() == 1
