"""Targets, routes and places in memory: an alert asks the database nothing but to be kept."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from voltyard.notifications.model import Channel, Route, Target
from voltyard.notifications.routing import Book
from voltyard.notifications.wording import Setting
from voltyard.sites.model import Site
from voltyard.tenancy.model import Organisation

UTC = ZoneInfo("UTC")


@dataclass(slots=True)
class Desk:
    """Books by organisation; where there is none, nobody is told anything."""

    _books: dict[UUID, Book] = field(default_factory=dict)
    _sites: dict[UUID, Site] = field(default_factory=dict)
    _organisations: dict[UUID, Organisation] = field(default_factory=dict)

    def fill(self, targets: Sequence[Target], routes: Sequence[Route]) -> None:
        owners = {t.org_id for t in targets} | {r.org_id for r in routes}
        self._books = {
            org_id: Book(
                {target.id: target for target in targets if target.org_id == org_id},
                [route for route in routes if route.org_id == org_id],
            )
            for org_id in owners
        }

    def learn(self, sites: Iterable[Site], organisations: Iterable[Organisation]) -> None:
        self._sites = {site.id: site for site in sites}
        self._organisations = {each.id: each for each in organisations}

    def book(self, org_id: UUID) -> Book:
        return self._books.get(org_id, Book())

    def target(self, target_id: UUID) -> Target | None:
        """Whoever's it is."""
        found = (book.targets.get(target_id) for book in self._books.values())
        return next((target for target in found if target is not None), None)

    def write(self, org_id: UUID, targets: Sequence[Target], routes: Sequence[Route]) -> None:
        self._books[org_id] = Book({target.id: target for target in targets}, list(routes))

    def subscribers(self, org_id: UUID, kind: str) -> list[Target]:
        """Webhooks that hear a kind of event."""
        book = self._books.get(org_id)
        if book is None:
            return []
        return [
            target
            for target in book.targets.values()
            if target.channel is Channel.WEBHOOK and target.hears(kind)
        ]

    def setting(self, org_id: UUID, site_id: UUID | None = None) -> Setting:
        """A site's own clock; the organisation's for what belongs to none."""
        site = None if site_id is None else self._sites.get(site_id)
        owner = self._organisations.get(org_id)
        name = "voltyard" if owner is None else owner.name
        if site is not None:
            return Setting(name, site.name, site.zone)
        return Setting(name, "", UTC if owner is None else _zone(owner.timezone))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
