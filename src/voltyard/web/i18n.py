"""Words, numbers and times as people of a place write them."""

import gettext
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

LOCALES = {"en": "English", "de": "Deutsch"}
DEFAULT_LOCALE = "en"
LOCALE_DIR = Path(__file__).parent / "locale"
NOTHING = "–"


def N_(text: str) -> str:
    """Marks a text for the catalogue where it stands; it is translated where it is shown."""
    return text


@lru_cache(maxsize=8)
def translations(locale: str) -> gettext.NullTranslations:
    """The catalogue of a locale, compiled from its .po file; English is the source itself."""
    path = LOCALE_DIR / locale / "LC_MESSAGES" / "voltyard.po"
    if not path.exists():
        return gettext.NullTranslations()
    with path.open("rb") as source:
        catalogue = read_po(source, locale=locale)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def choose_locale(asked: Iterable[str | None]) -> str:
    """The first of the wishes (cookie, person's own, Accept-Language) that we speak."""
    for wish in asked:
        for part in (wish or "").replace("_", "-").split(","):
            tag = part.split(";")[0].split("-")[0].strip().lower()
            if tag in LOCALES:
                return tag
    return DEFAULT_LOCALE


@dataclass(frozen=True, slots=True)
class Formats:
    """Numbers and times of one locale and one zone. None becomes a dash."""

    locale: str
    zone: ZoneInfo

    def number(self, value: float | None, digits: int = 0) -> str:
        if value is None:
            return NOTHING
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        return format_decimal(round(value, digits) + 0.0, format=pattern, locale=self._babel)

    @property
    def _babel(self) -> Locale:
        return _babel_locale(self.locale)

    def kw(self, power_w: float | None) -> str:
        """Kilowatts without the unit; a decimal only below ten."""
        if power_w is None:
            return NOTHING
        digits = 1 if 0 < abs(power_w) < 9_950 else 0
        return self.number(power_w / 1000, digits)

    def power(self, power_w: float | None) -> str:
        return NOTHING if power_w is None else f"{self.kw(power_w)}\u202fkW"

    def kwh(self, energy_wh: float | None) -> str:
        if energy_wh is None:
            return NOTHING
        digits = 1 if 0 < abs(energy_wh) < 99_950 else 0
        return self.number(energy_wh / 1000, digits)

    def energy(self, energy_wh: float | None) -> str:
        return NOTHING if energy_wh is None else f"{self.kwh(energy_wh)}\u202fkWh"

    def pct(self, share_pct: float | None) -> str:
        return NOTHING if share_pct is None else f"{self.number(share_pct)}\u202f%"

    def local(self, at: datetime) -> datetime:
        return at.astimezone(self.zone)

    def time(self, at: datetime | None) -> str:
        """Hour and minute on a 24-hour clock, as depots write them in every language."""
        return NOTHING if at is None else f"{self.local(at):%H:%M}"

    def seconds(self, at: datetime | None) -> str:
        return NOTHING if at is None else f"{self.local(at):%H:%M:%S}"

    def day(self, at: datetime | None) -> str:
        if at is None:
            return NOTHING
        return str(format_date(self.local(at).date(), "EEE d MMM", locale=self._babel))

    def moment(self, at: datetime | None) -> str:
        """Day and time, short enough for a table."""
        return NOTHING if at is None else f"{self.day(at)} {self.time(at)}"

    def full(self, at: datetime | None) -> str:
        if at is None:
            return NOTHING
        text = format_datetime(self.local(at), "d MMM yyyy, HH:mm:ss zzz", locale=self._babel)
        return str(text)

    def iso(self, at: datetime | None) -> str:
        """Machine-readable, in UTC, for ``<time datetime>``."""
        return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def field(self, at: datetime | None) -> str:
        """Local time as ``<input type=datetime-local>`` wants it."""
        return "" if at is None else f"{self.local(at):%Y-%m-%dT%H:%M}"

    def span(self, start_at: datetime, end_at: datetime | None) -> str:
        """A duration in hours and minutes, ``7:05``."""
        if end_at is None:
            return NOTHING
        minutes = int((end_at - start_at) / timedelta(minutes=1))
        return f"{minutes // 60}:{minutes % 60:02d}"


@lru_cache(maxsize=8)
def _babel_locale(locale: str) -> Locale:
    return Locale.parse("en_GB" if locale == "en" else locale)


def ago(now: datetime, at: datetime | None, words: gettext.NullTranslations) -> str:
    """How long ago, coarsely: "3 min ago"."""
    if at is None:
        return words.gettext("never")
    seconds = max(0, int((now - at).total_seconds()))
    if seconds < 60:
        return words.gettext("%(num)s s ago") % {"num": seconds}
    if seconds < 3600:
        return words.gettext("%(num)s min ago") % {"num": seconds // 60}
    if seconds < 86_400:
        return words.gettext("%(num)s h ago") % {"num": seconds // 3600}
    days = seconds // 86_400
    return words.ngettext("%(num)s day ago", "%(num)s days ago", days) % {"num": days}
