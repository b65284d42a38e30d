"""What people enter about targets and routes, checked as a whole."""

import re
from email.utils import parseaddr
from uuid import UUID

from voltyard.errors import Invalid
from voltyard.notifications.commands import RouteDraft, TargetDraft
from voltyard.notifications.guard import host_of
from voltyard.notifications.model import Channel, Route, Target
from voltyard.notifications.wording import LOCALES

NAME_MAX = 100
ADDRESS_MAX = 1_000
DELAY_MAX_MIN = 24 * 60
EVERY_MAX_MIN = 24 * 60
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_MAIL = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\"]+")


def checked_target(draft: TargetDraft, known: Target | None, events: frozenset[str]) -> str:
    """The address as it is written everywhere. Raises Invalid, naming every field that is wrong."""
    faults: dict[str, str] = {}
    if not 1 <= len(draft.name.strip()) <= NAME_MAX:
        faults["name"] = f"1 to {NAME_MAX} characters"
    if draft.locale not in LOCALES:
        faults["locale"] = f"one of {', '.join(LOCALES)}"
    if known is not None and known.channel is not draft.channel:
        faults["channel"] = "stays what it is"
    address = _address(draft, known, faults)
    if draft.events and draft.channel is not Channel.WEBHOOK:
        faults["events"] = "only webhooks subscribe to events"
    unknown = sorted(draft.events - events - {"*"})
    if unknown:
        faults["events"] = f"there is no event {unknown[0]}"
    quiet, digest = draft.quiet, draft.digest
    if (quiet.from_time is None) != (quiet.until_time is None):
        faults["quiet"] = "from and until belong together"
    if not 0 <= digest.every_min <= EVERY_MAX_MIN:
        faults["digest"] = f"0 to {EVERY_MAX_MIN} minutes"
    elif digest.every_min and digest.at is not None:
        faults["digest"] = "every so many minutes, or at a time of day"
    if faults:
        raise Invalid("Some fields need attention.", fields=faults)
    return address


def _address(draft: TargetDraft, known: Target | None, faults: dict[str, str]) -> str:
    text = draft.address.strip()
    if not text and known is not None:
        return known.address
    if not text or len(text) > ADDRESS_MAX:
        faults["address"] = f"1 to {ADDRESS_MAX} characters"
    elif draft.channel is Channel.EMAIL and not (_MAIL.fullmatch(text) and parseaddr(text)[1]):
        faults["address"] = "one address such as name@example.com"
    elif draft.channel is Channel.SMS:
        text = re.sub(r"[\s()/-]", "", text)
        text = f"+{text[2:]}" if text.startswith("00") else text
        if not _PHONE.fullmatch(text):
            faults["address"] = "a number with its country, such as +49 170 1234567"
    elif draft.channel is Channel.WEBHOOK:
        try:
            host_of(text)
        except Invalid as error:
            faults["address"] = error.message
    return text


def checked_route(draft: RouteDraft, kinds: frozenset[str]) -> None:
    """Raises Invalid, naming every field that is wrong."""
    faults: dict[str, str] = {}
    if not 1 <= len(draft.name.strip()) <= NAME_MAX:
        faults["name"] = f"1 to {NAME_MAX} characters"
    if not draft.weekdays <= frozenset(range(7)):
        faults["weekdays"] = "0 (Monday) to 6"
    if not 0 <= draft.delay_min <= DELAY_MAX_MIN:
        faults["delay_min"] = f"0 to {DELAY_MAX_MIN} minutes"
    unknown = sorted(draft.kinds - kinds)
    if unknown:
        faults["kinds"] = f"there is no alert {unknown[0]}"
    if not draft.target_ids and not draft.user_ids:
        faults["target_ids"] = "at least one target or person"
    if faults:
        raise Invalid("Some fields need attention.", fields=faults)


def route_from(draft: RouteDraft, route_id: UUID, org_id: UUID) -> Route:
    values = {name: getattr(draft, name) for name in RouteDraft.__dataclass_fields__}
    return Route(id=route_id, org_id=org_id, **(values | {"name": draft.name.strip()}))


def target_from(
    draft: TargetDraft, target_id: UUID, org_id: UUID, address: str, shown: str
) -> Target:
    return Target(
        id=target_id,
        org_id=org_id,
        name=draft.name.strip(),
        channel=draft.channel,
        address=address,
        shown=shown,
        user_id=draft.user_id,
        locale=draft.locale,
        enabled=draft.enabled,
        events=draft.events,
        quiet=draft.quiet,
        digest=draft.digest,
    )
