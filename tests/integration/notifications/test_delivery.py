"""Deliveries over time: tried again, in order, bundled, kept quiet, refused for good."""

from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path
from uuid import uuid4

import pytest
from notify_house import OFFLINE, HandClock, House
from notify_sinks import Sinks
from standardwebhooks import Webhook

from voltyard.alerts.model import Severity
from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.notifications.commands import TargetDraft
from voltyard.notifications.model import Channel, Digest, NotificationFilter, Quiet
from voltyard.sessions.events import SessionStarted
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy import scope

LIMIT = replace(OFFLINE, kind="limit_changed", severity=Severity.INFO, params={"node": "Grid"})


async def test_a_receiver_that_is_down_gets_all_in_order_later(house: House, sinks: Sinks) -> None:
    hook, _ = await house.target(Channel.WEBHOOK, f"{sinks.web_url}/hook")
    await house.route(hook)
    sinks.web.answers = [(500, {}, "{}"), (503, {"retry-after": "600"}, "{}")]
    await house.raise_()
    assert await house.deliver() == 0
    await house.alerts.resolve(house.org_id, OFFLINE.key)
    house.clock.forward(seconds=11)
    assert await house.deliver() == 0
    house.clock.forward(seconds=300)
    assert await house.deliver() == 0
    assert len(sinks.web.requests) == 2
    house.clock.forward(seconds=301)
    assert await house.deliver() == 2
    assert [body["data"]["topic"] for body in sinks.web.bodies[2:]] == ["opened", "resolved"]
    assert {headers["webhook-id"] for _, headers, _ in sinks.web.requests[:3]} == {
        sinks.web.requests[0][1]["webhook-id"]
    }


async def test_what_is_refused_for_good_is_told_once_and_can_be_sent_again(
    house: House, sinks: Sinks
) -> None:
    mail, _ = await house.target(Channel.EMAIL, "gone@example.org")
    other, _ = await house.target(Channel.WEBHOOK, f"{sinks.web_url}/ops")
    await house.route(mail, other)
    sinks.mail.refuse = ["550 no such mailbox"]
    await house.raise_()
    await house.deliver()
    (failed,), _ = await house.notifications.find(
        house.who, NotificationFilter(channel=Channel.EMAIL), limit=10, offset=0
    )
    assert (failed.state, failed.attempts) == ("failed", 1)
    kinds = {alert.kind for alert in house.alerts.open_now(house.org_id)}
    assert kinds == {"charger_offline", "notification_failed"}
    again = await house.notifications.send_again(house.who, failed.id)
    assert await house.deliver() >= 1
    with pytest.raises(Conflict):
        await house.notifications.send_again(house.who, again.id)
    assert str(sinks.mail.mails[0]["message-id"]) == f"<{failed.id}@example.org>"
    assert [a.kind for a in house.alerts.open_now(house.org_id)] == ["charger_offline"]


async def test_quiet_hours_hold_back_and_what_is_over_by_then_is_never_told(
    database: PostgresDatabase, tmp_path: Path, sinks: Sinks
) -> None:
    night = HandClock(datetime(2026, 3, 28, 23, 30, tzinfo=UTC))  # 00:30 before summer time
    house = await House(database, tmp_path, sinks.settings, clock=night).insert()
    quiet = Quiet(time(22), time(6))
    mail, _ = await house.target(Channel.EMAIL, "desk@example.org", quiet=quiet)
    await house.route(mail)
    passing = replace(OFFLINE, key="passing")
    await house.raise_()
    await house.raise_(passing)
    await house.raise_(replace(OFFLINE, key="loud", severity=Severity.CRITICAL))
    assert await house.deliver() == 1
    await house.alerts.resolve(house.org_id, passing.key)
    due = {row["due_at"] for row in await house.log() if row["state"] == "waiting"}
    assert due == {datetime(2026, 3, 29, 4, 0, tzinfo=UTC)}  # 06:00 in summer time
    night.forward(hours=4)
    assert await house.deliver() == 0
    night.forward(minutes=31)
    assert await house.deliver() == 1
    await house.close()


async def test_a_digest_bundles_what_is_not_severe(house: House, sinks: Sinks) -> None:
    digest = Digest(every_min=30)
    mail, _ = await house.target(Channel.EMAIL, "desk@example.org", digest=digest, locale="de")
    await house.route(mail)
    for number in range(3):
        await house.raise_(replace(LIMIT, key=f"limit:{number}", params={"node": f"Feld {number}"}))
    await house.alerts.resolve(house.org_id, "limit:1")
    assert await house.deliver() == 0
    house.clock.forward(minutes=31)
    assert await house.deliver() == 1
    assert await house.deliver() == 0
    text = sinks.mail.mails[0].get_content()  # type: ignore[attr-defined]
    assert str(sinks.mail.mails[0]["subject"]) == "3 Nachrichten – Stadtwerke"
    assert [text.count(name) for name in ("Feld 0", "Feld 1", "Feld 2", "Behoben: ")] == [1] * 4


async def test_a_storm_of_alerts_is_no_storm_of_texts(house: House, sinks: Sinks) -> None:
    sms, _ = await house.target(Channel.SMS, "+491701234567")
    hook, _ = await house.target(Channel.WEBHOOK, f"{sinks.web_url}/hook")
    await house.route(sms, hook)
    causes = [replace(OFFLINE, key=f"charger_offline:{n}") for n in range(35)]
    await house.alerts.sync(house.org_id, house.site_id, ("charger_offline",), causes)
    await house.deliver()
    assert (len(sinks.sms.requests), len(sinks.web.requests)) == (20, 35)
    house.clock.forward(minutes=10)
    await house.deliver()
    assert len(sinks.sms.requests) == 21
    assert "Charger offline, Depot Nord" in sinks.sms.forms[-1]["Body"]


async def test_webhooks_hear_the_events_they_subscribe_to_once(house: House, sinks: Sinks) -> None:
    url = f"{sinks.web_url}/events"
    _, secret = await house.target(
        Channel.WEBHOOK, url, events=frozenset({"session.started", "alert.opened"})
    )
    event = SessionStarted(
        house.org_id, house.site_id, uuid4(), None, uuid4(), None, house.clock.now()
    )
    await house.bus.publish(event, event)
    await house.bus.publish(replace(event, org_id=uuid4()))
    await house.raise_()
    assert await house.deliver() == 2
    told = [Webhook(secret).verify(body, headers) for _, headers, body in sinks.web.requests]
    assert [each["type"] for each in told] == ["session.started", "alert.opened"]
    assert told[0]["data"]["session_id"] == str(event.session_id)


async def test_a_new_secret_signs_beside_the_old_one_for_a_day(house: House, sinks: Sinks) -> None:
    target, old = await house.target(Channel.WEBHOOK, f"{sinks.web_url}/hook")
    new = await house.notifications.rotate(house.who, target.id)
    assert (await house.notifications.test(house.who, target.id)).state == "sent"
    ((_, headers, body),) = sinks.web.requests
    for secret in (old, new):
        Webhook(secret).verify(body, headers)
    house.clock.forward(hours=25)
    await house.notifications.test(house.who, target.id)
    assert len(sinks.web.requests[1][1]["webhook-signature"].split(" ")) == 1
    async with scope.transaction(house.database, scope.of(house.org_id)) as tx:
        row = await tx.one("SELECT secret, secret_before FROM notification_targets")
    assert row is not None
    assert old.encode() not in bytes(row["secret_before"])


async def test_gone_switches_a_webhook_off(house: House, sinks: Sinks) -> None:
    target, _ = await house.target(Channel.WEBHOOK, f"{sinks.web_url}/hook")
    sinks.web.answers = [(410, {}, "{}")]
    tried = await house.notifications.test(house.who, target.id)
    assert tried.state == "failed"
    assert not house.notifications.target(house.who, target.id).enabled


async def test_inside_addresses_are_refused_unless_the_settings_allow_them(
    house: House, sinks: Sinks, database: PostgresDatabase, tmp_path: Path
) -> None:
    strict = await House(database, tmp_path, replace(sinks.settings, notify_networks="")).insert()
    for url in (sinks.web_url, "http://[::ffff:127.0.0.1]:9/", "http://169.254.169.254/latest"):
        target, _ = await strict.target(Channel.WEBHOOK, url)
        tried = await strict.notifications.test(strict.who, target.id)
        assert (tried.state, tried.answer) == (
            "failed", "This host is inside a network that is not allowed.",
        )  # fmt: skip
    chat, _ = await strict.target(Channel.CHAT, sinks.web_url.replace("http", "json"))
    assert (await strict.notifications.test(strict.who, chat.id)).state == "failed"
    assert sinks.web.requests == []
    await strict.close()


async def test_a_chat_is_reached_by_apprise_and_its_address_is_sealed(
    house: House, sinks: Sinks
) -> None:
    url = sinks.web_url.replace("http://", "json://") + "/room?token=hidden"
    chat, _ = await house.target(Channel.CHAT, url, name="Room")
    await house.route(chat)
    await house.raise_()
    assert await house.deliver() == 1
    assert sinks.web.bodies[0]["title"] == "Charger offline, Depot Nord"
    assert "hidden" not in repr(house.notifications.targets(house.who))
    with pytest.raises(Invalid):
        await house.target(Channel.CHAT, "syslog://localhost")


async def test_nobody_reaches_anothers_targets_and_routes(house: House, sinks: Sinks) -> None:
    target, _ = await house.target(Channel.EMAIL, "desk@example.org")
    await house.route(target)
    stranger = replace(house.who, org_id=uuid4())
    assert house.notifications.targets(stranger) == []
    with pytest.raises(NotFound):
        await house.notifications.test(stranger, target.id)
    draft = TargetDraft(target.name, Channel.EMAIL, "other@example.org")
    with pytest.raises(Conflict):
        await house.notifications.save_target(house.who, draft)
    await house.raise_()
    await house.notifications.delete_target(house.who, target.id)
    assert await house.deliver() == 0
    assert house.notifications.routes(house.who)[0].target_ids == frozenset()
