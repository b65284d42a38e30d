"""Addresses that are allowed, and messages as servers and providers want them."""

import ipaddress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs
from uuid import UUID

import pytest

import voltyard
from voltyard.alerts.model import Severity
from voltyard.errors import Invalid
from voltyard.notifications.channels.chat import shown
from voltyard.notifications.channels.email import read_server, written
from voltyard.notifications.channels.post import Answer
from voltyard.notifications.channels.sms import SmsAccount, Twilio, Vonage, shortened
from voltyard.notifications.checking import checked_target
from voltyard.notifications.commands import TargetDraft
from voltyard.notifications.guard import Guard, host_of, read_hosts, read_networks
from voltyard.notifications.model import Channel
from voltyard.notifications.ports import Message, Undeliverable
from voltyard.notifications.subscriptions import EVENTS, UNTOLD

ACCOUNT = SmsAccount("https://sms.example/", "AC1", "s3cret", "+4930111")
AT = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1::1", True), ("127.0.0.1", False),
        ("10.1.2.3", False), ("192.168.1.1", False), ("169.254.169.254", False),
        ("100.64.0.1", False), ("0.0.0.0", False), ("224.0.0.1", False), ("::1", False),
        ("fe80::1", False), ("fd00::1", False), ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False), ("::ffff:93.184.216.34", True),
    ],
)  # fmt: skip
def test_only_public_addresses_are_reached(address: str, allowed: bool) -> None:
    assert Guard().allows(ipaddress.ip_address(address)) is allowed


async def test_settings_open_networks_and_close_hosts() -> None:
    guard = Guard(read_networks("10.1.0.0/16, fd00::/8"), read_hosts("example.org"))
    assert guard.allows(ipaddress.ip_address("::ffff:10.1.9.9"))
    assert not guard.allows(ipaddress.ip_address("10.2.0.1"))
    assert guard.names("hooks.example.org")
    assert not guard.names("example.org.evil.net")
    with pytest.raises(Undeliverable, match="do not allow"):
        await guard.endpoint("evilexample.org", 443)


@pytest.mark.parametrize(
    "url", ["ftp://a.de/", "https://u:p@a.de/", "https:///x", "https://a.de/#x", "https://a b/"]
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        host_of(url)


@pytest.mark.parametrize("url", ["syslog://x", "file:///etc/passwd", "mailto://a:b@c.de", "x"])
def test_chats_are_services_that_speak_http(url: str) -> None:
    with pytest.raises(Invalid):
        shown(url)
    assert shown("ntfys://ntfy.example/topic") == "ntfys://ntfy.example"


def message(text: str = "Bus 42") -> Message:
    note_id = UUID(int=7)
    return Message(note_id, "a@b.de", f"Late\r\nBcc: x@y.de {text}", text, Severity.CRITICAL,
                   "opened", AT, AT)  # fmt: skip


def test_a_mail_has_the_id_of_its_notification_and_no_header_of_others() -> None:
    mail = written(message(), "voltyard <yard@example.org>")
    assert mail["Message-ID"] == f"<{UUID(int=7)}@example.org>"
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Late Bcc: x@y.de Bus 42"
    assert mail["Auto-Submitted"] == "auto-generated"


def test_mail_servers_by_their_address() -> None:
    server = read_server("smtps://yard:p%40ss@mail.example")
    assert (server.port, server.user, server.password) == (465, "yard", "p@ss")
    with pytest.raises(Invalid):
        read_server("http://mail.example")


def test_twilio_is_asked_and_read_as_it_answers() -> None:
    asked = Twilio().request(ACCOUNT, "+49170", "Hi", "id-1")
    assert asked.url == "https://sms.example/2010-04-01/Accounts/AC1/Messages.json"
    assert parse_qs(asked.body.decode()) == {"To": ["+49170"], "From": ["+4930111"], "Body": ["Hi"]}
    assert asked.auth == ("AC1", "s3cret")
    assert Twilio().read(Answer(201, '{"sid": "SM9"}')) == "SM9"
    for status, final in ((400, True), (401, True), (500, False)):
        with pytest.raises(Undeliverable) as caught:
            Twilio().read(Answer(status, '{"code": 21211, "message": "Invalid number"}'))
        assert caught.value.final is final


def test_vonage_is_asked_and_read_as_it_answers() -> None:
    asked = Vonage().request(ACCOUNT, "+49170", "Grüße", "id-1")
    form = parse_qs(asked.body.decode())
    assert (form["to"], form["client-ref"], form["type"]) == (["49170"], ["id-1"], ["unicode"])
    taken = '{"messages": [{"status": "0", "message-id": "M1"}]}'
    assert Vonage().read(Answer(200, taken)) == "M1"
    for status, final in (("1", False), ("4", True)):
        with pytest.raises(Undeliverable) as caught:
            Vonage().read(Answer(200, f'{{"messages": [{{"status": "{status}"}}]}}'))
        assert caught.value.final is final
    with pytest.raises(Undeliverable):
        Vonage().read(Answer(200, "<html>"))


def test_text_messages_are_plain_and_short() -> None:
    assert shortened("60\u202f% – now\n") == "60 % - now"
    assert len(shortened("x" * 1000)) == 459


@pytest.mark.parametrize(
    ("channel", "address", "kept"),
    [
        (Channel.SMS, "0049 (170) 123-4567", "+491701234567"),
        (Channel.SMS, "0170 1234567", None),
        (Channel.EMAIL, " a@b.de ", "a@b.de"),
        (Channel.EMAIL, "a@b.de, c@d.de", None),
        (Channel.EMAIL, "a@b", None),
        (Channel.WEBHOOK, "https://a.de/x?y=1", "https://a.de/x?y=1"),
        (Channel.WEBHOOK, "a.de", None),
    ],
)
def test_addresses_are_checked_by_channel(channel: Channel, address: str, kept: str | None) -> None:
    draft = TargetDraft("x", channel, address)
    if kept is not None:
        assert checked_target(draft, None, frozenset()) == kept
        return
    with pytest.raises(Invalid) as caught:
        checked_target(draft, None, frozenset())
    assert "address" in caught.value.fields


def test_every_event_of_the_domain_is_for_webhooks_or_has_a_reason_not_to_be() -> None:
    root = Path(voltyard.__file__).parent
    known = {event.__module__ + "." + event.__name__ for event in (*EVENTS.values(), *UNTOLD)}
    missing = []
    for path in sorted(root.rglob("events.py")):
        module = ".".join(("voltyard", *path.relative_to(root).with_suffix("").parts))
        if module == "voltyard.alerts.events":
            continue  # told with their transaction, as alert.…
        lines = path.read_text().splitlines()
        names = [
            line[6:].partition(":")[0].partition("(")[0] for line in lines if line[:6] == "class "
        ]
        missing += [f"{module}.{name}" for name in names if f"{module}.{name}" not in known]
    assert missing == [], (
        "give them a name in notifications/subscriptions.py: docs/extend/notifier.md"
    )


def test_names_of_events_are_unlike() -> None:
    assert len(set(EVENTS.values())) == len(EVENTS)
    assert all(name == name.lower() and name.count(".") == 1 for name in EVENTS)
