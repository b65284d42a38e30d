"""Reminders and alerts arrive by mail, text message and signed webhook, exactly once each."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from notify_house import OFFLINE, House
from notify_sinks import Sinks
from standardwebhooks import Webhook

from voltyard.alerts.model import Severity
from voltyard.notifications.model import Channel
from voltyard.timetable.model import Departing, Duty


def bus_42(house: House) -> Departing:
    """Departs in an hour, at 60 % of the 90 % it needs."""
    now = house.clock.now()
    duty = Duty(
        uuid4(), house.org_id, house.site_id, "D42", now - timedelta(hours=8),
        now + timedelta(hours=1), target_soc_pct=90.0,
    )  # fmt: skip
    return Departing(duty, "Bus 42", True, True, True, False, 60.0, 90_000.0)


async def everywhere(house: House, sinks: Sinks) -> str:
    """A route to all three channels; the webhook's secret."""
    mail, _ = await house.target(Channel.EMAIL, "desk@example.org")
    sms, _ = await house.target(Channel.SMS, "0049 170 1234567", locale="de")
    hook, secret = await house.target(Channel.WEBHOOK, f"{sinks.web_url}/hook")
    await house.route(mail, sms, hook)
    return secret


async def test_before_at_and_after_the_departure_each_once_on_every_channel(
    house: House, sinks: Sinks
) -> None:
    secret = await everywhere(house, sinks)
    house.yard.found = [bus_42(house)]
    counts = []
    for minutes in (30, 15, 7, 8, 5, 5, 5):  # −30, −15, −8, 0, +5, +10, +15
        house.clock.forward(minutes=minutes)
        for _ in range(2):
            await house.departures.tick()
            await house.deliver()
        counts.append((len(sinks.mail.mails), len(sinks.sms.requests), len(sinks.web.requests)))
    assert counts == [(n, n, n) for n in (0, 1, 1, 2, 2, 3, 3)]
    subjects = [str(mail["subject"]) for mail in sinks.mail.mails]
    assert subjects == [
        "Departure in 15 min – Depot Nord",
        "Departure is now – Depot Nord",
        "Departure was 10 min ago – Depot Nord",
    ]
    assert "has 60\u202f% of 90\u202f%" in sinks.mail.mails[0].get_content()  # type: ignore[attr-defined]
    texts = [form["Body"] for form in sinks.sms.forms]
    assert texts[2].startswith("KRITISCH: Abfahrt war vor 10 min, Depot Nord. Bus 42 fährt um")
    for _, headers, body in sinks.web.requests:
        at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        signed = Webhook(secret).sign(headers["webhook-id"], at, body.decode())
        assert headers["webhook-signature"] == signed
    assert len({str(mail["message-id"]) for mail in sinks.mail.mails}) == 3
    (alert,) = house.alerts.open_now(house.org_id)
    assert (alert.stage, alert.severity) == (3, Severity.CRITICAL)


async def test_a_webhook_is_verified_by_the_package_of_the_standard(
    house: House, sinks: Sinks
) -> None:
    secret = await everywhere(house, sinks)
    await house.raise_()
    assert await house.deliver() == 3
    ((path, headers, body),) = sinks.web.requests
    told = Webhook(secret).verify(body, headers)
    assert path == "/hook"
    assert told["type"] == "notification"
    assert told["data"]["alert"]["kind"] == "charger_offline"
    ((_, sms, _),) = sinks.sms.requests
    assert sms["idempotency-key"] == sms["i-twilio-idempotency-token"]
    assert sinks.sms.forms[0]["To"] == "+491701234567"


async def test_ready_or_gone_ends_the_reminder_and_tells_so(house: House, sinks: Sinks) -> None:
    mail, _ = await house.target(Channel.EMAIL, "desk@example.org")
    await house.route(mail)
    departing = bus_42(house)
    house.yard.found = [departing]
    house.clock.forward(minutes=50)
    await house.departures.tick()
    house.yard.found = [replace(departing, ready=True, charging=False)]
    await house.departures.tick()
    await house.deliver()
    subjects = [str(mail["subject"]).partition(" –")[0] for mail in sinks.mail.mails]
    assert subjects == ["Departure in 15 min", "Resolved: Departure in 15 min"]
    assert house.alerts.open_now(house.org_id) == []


async def test_acknowledged_is_quiet_until_it_is_worse(house: House, sinks: Sinks) -> None:
    mail, _ = await house.target(Channel.EMAIL, "desk@example.org")
    await house.route(mail)
    house.yard.found = [bus_42(house)]
    told = []
    for minutes in (45, 15, 10):
        house.clock.forward(minutes=minutes)
        await house.departures.tick()
        await house.deliver()
        told.append(len(sinks.mail.mails))
        if minutes == 45:
            (alert,) = house.alerts.open_now(house.org_id)
            await house.alerts.acknowledge(house.who, alert.id)
    assert told == [1, 1, 2]
    assert house.alerts.open_now(house.org_id)[0].acknowledged_at is None


async def test_what_slept_is_told_again_if_it_lasts(house: House, sinks: Sinks) -> None:
    mail, _ = await house.target(Channel.EMAIL, "desk@example.org")
    await house.route(mail)
    await house.raise_()
    await house.deliver()
    (alert,) = house.alerts.open_now(house.org_id)
    until = house.clock.now() + timedelta(hours=2)
    await house.alerts.snooze(house.who, alert.id, until)
    house.clock.forward(hours=1)
    await house.alerts.tick()
    assert await house.deliver() == 0
    house.clock.forward(hours=1)
    await house.alerts.tick()
    await house.alerts.tick()
    assert await house.deliver() == 1
    assert str(sinks.mail.mails[-1]["subject"]).startswith("Still open: Charger offline")


async def test_told_only_if_nobody_acknowledged_it_meanwhile(house: House, sinks: Sinks) -> None:
    boss, _ = await house.target(Channel.EMAIL, "boss@example.org")
    await house.route(boss, delay_min=20)
    await house.raise_()
    assert await house.deliver() == 0
    (alert,) = house.alerts.open_now(house.org_id)
    await house.alerts.acknowledge(house.who, alert.id)
    house.clock.forward(minutes=30)
    assert await house.deliver() == 0
    second = replace(OFFLINE, key="charger_offline:2", object_id="2")
    await house.raise_(second)
    house.clock.forward(minutes=21)
    assert await house.deliver() == 1
    await house.alerts.resolve(house.org_id, second.key)
    assert await house.deliver() == 1
    states = [(row["topic"], row["state"]) for row in await house.log()]
    assert states == [("opened", "dropped"), ("opened", "sent"), ("resolved", "sent")]
