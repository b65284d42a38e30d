"""What a notification says, in the language of whoever reads it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from voltyard.alerts.model import Alert, Severity
from voltyard.notifications.model import Channel, Notification, Target
from voltyard.notifications.ports import Teller

LOCALES = ("en", "de")
SEVERITIES = {
    "en": {Severity.CRITICAL: "critical", Severity.WARNING: "warning", Severity.INFO: "notice"},
    "de": {Severity.CRITICAL: "kritisch", Severity.WARNING: "Warnung", Severity.INFO: "Hinweis"},
}
_TIMES = {"en": "%Y-%m-%d %H:%M", "de": "%d.%m.%Y %H:%M"}
SHORT = frozenset({Channel.SMS, Channel.CHAT})
BUNDLE_MAX = 200


@dataclass(frozen=True, slots=True)
class Setting:
    """Where it happened, as shown: the organisation, the site ("" for none) and its clock."""

    organisation: str
    site: str
    zone: ZoneInfo


class Wording:
    """Subject and body; ``tell`` says what an alert means, ``url`` is where the console is."""

    def __init__(self, tell: Teller, url: str) -> None:
        self._tell = tell
        self._url = url.rstrip("/")

    def alert(
        self, target: Target, alert: Alert, topic: str, route: str, where: Setting
    ) -> tuple[str, str]:
        locale = _locale(target)
        title, detail = self._tell(alert, locale, where.zone)
        return _render(
            "short.txt" if target.channel in SHORT else "alert.txt",
            locale,
            topic=topic,
            kind=alert.kind,
            title=title,
            detail=detail,
            severity=SEVERITIES[locale][alert.severity],
            severity_code=alert.severity.value,
            site=where.site,
            opened=_time(alert.opened_at, locale, where.zone),
            resolved=_time(alert.resolved_at, locale, where.zone),
            link=self._link("/alerts"),
            organisation=where.organisation,
            route=route,
        )

    def digest(
        self, target: Target, parts: Sequence[Notification], where: Setting
    ) -> tuple[str, str]:
        locale = _locale(target)
        entries = [
            {
                "at": _time(part.created_at, locale, where.zone),
                "subject": part.subject,
                "detail": "" if target.channel in SHORT else _second(part.body),
            }
            for part in parts[:BUNDLE_MAX]
        ]
        link = self._link("/alerts")
        organisation = where.organisation
        return _render("digest.txt", locale, entries=entries, link=link, organisation=organisation)

    def trial(self, target: Target, who: str, at: datetime, where: Setting) -> tuple[str, str]:
        locale = _locale(target)
        return _render(
            "test.txt",
            locale,
            who=who,
            target=target.name,
            at=_time(at, locale, where.zone),
            organisation=where.organisation,
            link=self._link("/notifications"),
        )

    def _link(self, path: str) -> str:
        return f"{self._url}{path}" if self._url else ""


def _render(name: str, locale: str, **values: object) -> tuple[str, str]:
    """A template's first line is the subject; the body follows an empty line."""
    text = _environment().get_template(f"{locale}/{name}").render(**values)
    subject, _, body = text.partition("\n")
    return " ".join(subject.split()), body.strip() + "\n"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    """Plain text: nothing is escaped, and a missing value is an error."""
    return Environment(
        loader=PackageLoader("voltyard.notifications", "templates"),
        undefined=StrictUndefined,
        autoescape=False,
    )


def _locale(target: Target) -> str:
    return target.locale if target.locale in LOCALES else LOCALES[0]


def _time(at: datetime | None, locale: str, zone: ZoneInfo) -> str:
    return "" if at is None else f"{at.astimezone(zone):{_TIMES[locale]}}"


def _second(body: str) -> str:
    """The sentence of an alert's message: its first line."""
    return body.strip().partition("\n")[0]
