"""The channels that the settings make possible, in one place."""

from dataclasses import dataclass

from voltyard.clock import Clock
from voltyard.notifications.channels.chat import ChatSender
from voltyard.notifications.channels.email import EmailSender, read_server
from voltyard.notifications.channels.post import Poster
from voltyard.notifications.channels.sms import PROVIDERS, SmsAccount, SmsSender
from voltyard.notifications.channels.webhook import WebhookSender
from voltyard.notifications.guard import Guard, read_hosts, read_networks
from voltyard.notifications.model import Channel
from voltyard.notifications.ports import RunBlocking, Sender


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """As in ``config.Settings``; an empty ``smtp_url`` or ``sms_url`` leaves that channel out."""

    smtp_url: str = ""
    mail_from: str = ""
    sms_provider: str = "twilio"
    sms_url: str = ""
    sms_user: str = ""
    sms_token: str = ""
    sms_from: str = ""
    notify_networks: str = ""
    notify_hosts: str = ""
    notify_timeout_s: float = 15.0


def senders(
    settings: ChannelSettings, clock: Clock, run_blocking: RunBlocking
) -> dict[Channel, Sender]:
    """The administrator's own servers (mail, SMS) are reached wherever they are; what tenants
    name goes through the guard."""
    guard = Guard(read_networks(settings.notify_networks), read_hosts(settings.notify_hosts))
    timeout_s = settings.notify_timeout_s
    found: dict[Channel, Sender] = {
        Channel.WEBHOOK: WebhookSender(Poster(clock, timeout_s, guard)),
        Channel.CHAT: ChatSender(clock, guard, run_blocking, timeout_s),
    }
    if settings.smtp_url:
        server = read_server(settings.smtp_url)
        found[Channel.EMAIL] = EmailSender(clock, server, settings.mail_from, timeout_s)
    if settings.sms_url:
        account = SmsAccount(
            settings.sms_url, settings.sms_user, settings.sms_token, settings.sms_from
        )
        provider = PROVIDERS[settings.sms_provider]
        found[Channel.SMS] = SmsSender(provider, account, Poster(clock, timeout_s, None))
    return found
