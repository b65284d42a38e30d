"""Chats by apprise, the one place that knows it: only services that speak HTTP."""

from collections.abc import Callable
from urllib.parse import urlsplit

import apprise

from voltyard.alerts.model import Severity
from voltyard.clock import Clock
from voltyard.errors import Invalid
from voltyard.notifications.guard import Guard
from voltyard.notifications.ports import Message, RunBlocking, Undeliverable

SERVICES = frozenset(
    {
        "discord", "gchat", "googlechat", "msteams", "pover", "pushover", "signl4", "slack",
        "telegram", "tgram", "webex", "wxteams", "workflow", "workflows", "opsgenie", "pagerduty",
    }
)  # fmt: skip
"""Services of a known host. Their addresses hold tokens only."""
HOSTED = frozenset(
    {
        "gotify", "gotifys", "json", "jsons", "matrix", "matrixs", "mmost", "mmosts",
        "mattermost", "mattermosts", "ntfy", "ntfys", "rocket", "rockets", "zulip",
    }
)  # fmt: skip
"""Services on a host that the address names; it is looked up and checked before each message."""

_LOOKS = {
    Severity.CRITICAL: apprise.NotifyType.FAILURE,
    Severity.WARNING: apprise.NotifyType.WARNING,
    Severity.INFO: apprise.NotifyType.INFO,
}


def shown(url: str) -> str:
    """What may be seen of a chat's address: its service, and its host where it has one.

    Raises Invalid for what apprise does not read, or what is not allowed.
    """
    scheme = url.partition(":")[0].lower()
    if scheme not in SERVICES | HOSTED:
        raise Invalid("This chat service is not known.", fields={"address": "unknown service"})
    if _target(url) is None:
        raise Invalid("This is no address of that service.", fields={"address": "unreadable"})
    host = urlsplit(url).hostname if scheme in HOSTED else ""
    return f"{scheme}://{host or '…'}"


class ChatSender:
    """apprise waits in a thread. Whether a chat drops doubles is the service's own affair."""

    def __init__(
        self, clock: Clock, guard: Guard, run_blocking: RunBlocking, timeout_s: float
    ) -> None:
        self._clock = clock
        self._guard = guard
        self._run_blocking = run_blocking
        self._timeout_s = timeout_s

    async def send(self, message: Message) -> str:
        url = message.secrets[0]
        parts, target = urlsplit(url), _target(url)
        if target is None:
            raise Undeliverable("This is no address of that service.", final=True)
        if parts.scheme.lower() in HOSTED:
            if not parts.hostname or parts.hostname != str(target.host or "").lower():
                raise Undeliverable("This address names no host.", final=True)
            await self._guard.endpoint(parts.hostname, parts.port or 443)
        try:
            async with self._clock.timeout(self._timeout_s):
                sent = await self._run_blocking(_call(target, message))
        except TimeoutError:
            raise Undeliverable(f"No answer within {self._timeout_s:g} s.") from None
        if not sent:
            raise Undeliverable("The service did not take it.")
        return "sent"

    async def close(self) -> None:
        """Nothing is kept open."""


def _target(url: str) -> apprise.NotifyBase | None:
    asset = apprise.AppriseAsset(app_id="voltyard", app_desc="voltyard", http_redirects=False)
    found = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if not isinstance(found, apprise.NotifyBase):
        return None
    found.socket_connect_timeout = found.socket_read_timeout = 10.0
    found.redirects = False
    return found


def _call(target: apprise.NotifyBase, message: Message) -> Callable[[], bool]:
    def call() -> bool:
        return bool(
            target.notify(
                title=message.subject,
                body=message.body,
                notify_type=_LOOKS[message.severity],
                body_format=apprise.NotifyFormat.TEXT,
            )
        )

    return call
