"""Use cases of notifications: targets and routes set up, messages delivered, the log read."""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from voltyard.alerts.model import Cause, Severity
from voltyard.alerts.service import AlertService
from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.ids import new_id
from voltyard.notifications import store
from voltyard.notifications.channels import chat
from voltyard.notifications.checking import checked_route, checked_target, route_from, target_from
from voltyard.notifications.commands import RouteDraft, TargetDraft
from voltyard.notifications.delivery import Delivery
from voltyard.notifications.desk import Desk
from voltyard.notifications.model import (
    TEST,
    Channel,
    Notification,
    NotificationFilter,
    Route,
    State,
    Target,
)
from voltyard.notifications.outbox import AlertOutbox
from voltyard.notifications.ports import Organisations, Sealer, Sender, Sites
from voltyard.notifications.subscriptions import KINDS, Subscriptions
from voltyard.notifications.wording import Wording
from voltyard.sites.events import SiteChanged
from voltyard.storage.engine import Database, Tx
from voltyard.tenancy import audit
from voltyard.tenancy.access import require
from voltyard.tenancy.integrity import refusals
from voltyard.tenancy.model import Permission, Principal
from voltyard.tenancy.scope import SYSTEM, of, transaction
from voltyard.units import iso_z

__all__ = ["NotificationFilter", "NotificationService"]

TARGETS_MAX = 200
ROUTES_MAX = 200
SECRET_BYTES = 32
PAGE_MAX = 1_000
LEARN_S = 600.0
PASSES = 20
FAILED = "notification_failed"
_CLASHES = {
    "notification_targets_org_id_name_key": ("name", "There is a target of this name."),
    "notification_routes_org_id_name_key": ("name", "There is a route of this name."),
}


@dataclass(frozen=True, slots=True)
class Places:
    """Whose names and clocks are used."""

    sites: Sites
    organisations: Organisations


@dataclass(frozen=True, slots=True)
class Setup:
    """How it is sent. ``kinds``: the alerts that routes may name."""

    wording: Wording
    sealer: Sealer
    senders: Mapping[Channel, Sender]
    kinds: frozenset[str]
    holder: str
    keep_days: int = 400


class NotificationService:
    """``deliver`` runs every few seconds, ``tidy`` once a day."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        alerts: AlertService,
        places: Places,
        setup: Setup,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._alerts = alerts
        self._places = places
        self._setup = setup
        self._note = audit.Notes(clock)
        self._desk = Desk()
        self._delivery = Delivery(
            database, clock, self._desk, setup.wording, setup.sealer, setup.senders,
            holder=setup.holder,
        )  # fmt: skip
        self._outbox = AlertOutbox(self._desk, setup.wording, clock, self._delivery.wake)
        self._subscriptions = Subscriptions(database, self._desk, clock, self._delivery.wake)
        self._learned_at: datetime | None = None

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds of alerts that a route may name."""
        return self._setup.kinds

    @property
    def channels(self) -> frozenset[Channel]:
        """Those that the settings make possible."""
        return frozenset(self._setup.senders)

    def listen(self) -> None:
        self._alerts.outbox = self._outbox
        self._subscriptions.listen(self._bus)
        self._bus.subscribe(SiteChanged, self._on_site, name="notifications.places")

    async def _on_site(self, event: SiteChanged) -> None:
        await self._learn()

    async def load(self) -> None:
        """At start, before anything is told."""
        async with transaction(self._database, SYSTEM) as tx:
            self._desk.fill(await store.targets(tx), await store.routes(tx))
        await self._learn()
        await self._delivery.recover()

    async def _learn(self) -> None:
        self._learned_at = self._clock.now()
        sites = await self._places.sites.all()
        self._desk.learn(sites, await self._places.organisations.organisations())

    async def close(self) -> None:
        for sender in self._setup.senders.values():
            await sender.close()

    async def deliver(self) -> int:
        """Send what is due; how many arrived. A target that fails is an alert until it works."""
        now = self._clock.now()
        if self._learned_at is None or now >= self._learned_at + timedelta(seconds=LEARN_S):
            await self._learn()
        arrived = 0
        for _ in range(PASSES):
            part = await self._delivery.run_due()
            arrived += part
            if part == 0:
                break
        working, self._delivery.working = self._delivery.working, {}
        for target_id, works in working.items():
            await self._judge(target_id, works=works)
        return arrived

    async def _judge(self, target_id: UUID, *, works: bool) -> None:
        target = self._desk.target(target_id)
        if target is None:
            return
        key = f"{FAILED}:{target_id}"
        if works:
            await self._alerts.resolve(target.org_id, key)
            return
        cause = Cause(
            FAILED,
            Severity.WARNING,
            key,
            "notification_target",
            str(target_id),
            {"target": target.name, "channel": target.channel.value},
        )
        await self._alerts.raise_(target.org_id, None, cause)

    async def tidy(self) -> None:
        """Forget deliveries that are older than is kept."""
        async with transaction(self._database, SYSTEM) as tx:
            await store.drop_before(tx, self._clock.now() - timedelta(days=self._setup.keep_days))

    # targets

    def targets(self, who: Principal) -> list[Target]:
        """By name."""
        require(who, Permission.ALERTS_WRITE)
        return list(self._desk.book(who.org_id).targets.values())

    def target(self, who: Principal, target_id: UUID) -> Target:
        """Raises NotFound, for another organisation's too."""
        require(who, Permission.ALERTS_WRITE)
        found = self._desk.book(who.org_id).targets.get(target_id)
        if found is None:
            raise NotFound("There is no such target.")
        return found

    async def save_target(
        self,
        who: Principal,
        draft: TargetDraft,
        target_id: UUID | None = None,
        *,
        remote: str = "",
    ) -> tuple[Target, str]:
        """Create it, or change the one of ``target_id``; a new webhook's secret is told once.

        Raises Invalid, Conflict, NotFound.
        """
        require(who, Permission.NOTIFICATIONS_WRITE)
        known = None if target_id is None else self.target(who, target_id)
        if known is None and len(self._desk.book(who.org_id).targets) >= TARGETS_MAX:
            raise Conflict(f"There are at most {TARGETS_MAX} targets.")
        address = checked_target(draft, known, frozenset(KINDS))
        hidden, address, shown = _hidden(draft, known, address)
        made = target_from(draft, target_id or new_id(), who.org_id, address, shown)
        secret = new_secret() if known is None and draft.channel is Channel.WEBHOOK else ""
        with refusals(_CLASHES):
            async with transaction(self._database, of(who.org_id)) as tx:
                if made.user_id is not None and not await store.user_exists(
                    tx, who.org_id, made.user_id
                ):
                    raise Invalid("There is no such person.", fields={"user_id": "unknown"})
                await store.put_target(tx, made, self._clock.now())
                if hidden or secret:
                    await self._seal(tx, made.id, hidden or secret, None)
                action = "notification_target." + ("create" if known is None else "update")
                detail = {"name": made.name, "channel": made.channel.value, "to": made.shown}
                await self._note(tx, who, action, made.id, detail, remote)
        await self._reload(who.org_id)
        return made, secret

    async def delete_target(self, who: Principal, target_id: UUID, *, remote: str = "") -> None:
        """What waits for it is not sent any more. Routes that named it name it no longer."""
        require(who, Permission.NOTIFICATIONS_WRITE)
        target = self.target(who, target_id)
        async with transaction(self._database, of(who.org_id)) as tx:
            await store.drop_of_target(tx, target_id, "the target was deleted")
            for route in self._desk.book(who.org_id).routes:
                if target_id in route.target_ids:
                    kept = replace(route, target_ids=route.target_ids - {target_id})
                    await store.put_route(tx, kept)
            await store.delete_target(tx, target_id)
            await self._note(
                tx, who, "notification_target.delete", target_id, {"name": target.name}, remote
            )
        await self._reload(who.org_id)
        await self._alerts.resolve(who.org_id, f"{FAILED}:{target_id}")

    async def rotate(self, who: Principal, target_id: UUID, *, remote: str = "") -> str:
        """A new secret of a webhook, told once; for a day both sign. Raises Invalid for others."""
        require(who, Permission.NOTIFICATIONS_WRITE)
        target = self.target(who, target_id)
        if target.channel is not Channel.WEBHOOK:
            raise Invalid("Only webhooks have a secret of their own.", code="no_secret")
        secret = new_secret()
        async with transaction(self._database, of(who.org_id)) as tx:
            present, _, _ = await store.secrets(tx, target_id)
            await self._seal(tx, target_id, secret, present)
            await self._note(
                tx, who, "notification_target.rotate", target_id, {"name": target.name}, remote
            )
        return secret

    async def _seal(self, tx: Tx, target_id: UUID, secret: str, before: bytes | None) -> None:
        sealed = self._setup.sealer.seal(secret, str(target_id))
        await store.put_secret(tx, target_id, sealed, before, self._clock.now())

    async def test(self, who: Principal, target_id: UUID, *, remote: str = "") -> Notification:
        """Send a trial message now; the answer is in what is returned."""
        require(who, Permission.ALERTS_WRITE)
        target, now = self.target(who, target_id), self._clock.now()
        where = self._desk.setting(who.org_id)
        subject, body = self._setup.wording.trial(target, who.name, now, where)
        payload = None
        if target.channel is Channel.WEBHOOK:
            data = {"subject": subject, "body": body}
            payload = {"type": TEST, "timestamp": iso_z(now), "data": data}
        note = Notification(
            id=new_id(),
            org_id=who.org_id,
            target_id=target.id,
            target=target.name,
            channel=target.channel,
            kind=TEST,
            severity=Severity.INFO,
            topic=TEST,
            subject=subject,
            body=body,
            payload=payload,
            state=State.WAITING,
            created_at=now,
            due_at=now,
        )
        async with transaction(self._database, of(who.org_id)) as tx:
            await store.insert(tx, [note])
            await self._note(
                tx, who, "notification_target.test", target_id, {"name": target.name}, remote
            )
        self._delivery.wake()
        await self.deliver()
        return await self.notification(who, note.id)

    # routes

    def routes(self, who: Principal) -> list[Route]:
        """By name."""
        require(who, Permission.ALERTS_WRITE)
        return list(self._desk.book(who.org_id).routes)

    def route(self, who: Principal, route_id: UUID) -> Route:
        """Raises NotFound, for another organisation's too."""
        found = next((route for route in self.routes(who) if route.id == route_id), None)
        if found is None:
            raise NotFound("There is no such route.")
        return found

    async def save_route(
        self, who: Principal, draft: RouteDraft, route_id: UUID | None = None, *, remote: str = ""
    ) -> Route:
        """Create it, or change the one of ``route_id``. Raises Invalid, Conflict, NotFound."""
        require(who, Permission.NOTIFICATIONS_WRITE)
        if route_id is not None:
            self.route(who, route_id)
        elif len(self._desk.book(who.org_id).routes) >= ROUTES_MAX:
            raise Conflict(f"There are at most {ROUTES_MAX} routes.")
        checked_route(draft, self.kinds)
        made = route_from(draft, route_id or new_id(), who.org_id)
        with refusals(_CLASHES):
            async with transaction(self._database, of(who.org_id)) as tx:
                await self._check_named(tx, made)
                await store.put_route(tx, made)
                action = "notification_route." + ("create" if route_id is None else "update")
                await self._note(tx, who, action, made.id, {"name": made.name}, remote)
        await self._reload(who.org_id)
        return made

    async def _check_named(self, tx: Tx, route: Route) -> None:
        """Raises Invalid for what is another organisation's, or nobody's."""
        wrong: dict[str, str] = {}
        if not route.target_ids <= set(self._desk.book(route.org_id).targets):
            wrong["target_ids"] = "there is no such target"
        found = await store.own_sites(tx, route.org_id, sorted(route.site_ids))
        if not route.site_ids <= found:
            wrong["site_ids"] = "there is no such site"
        for user_id in sorted(route.user_ids):
            if not await store.user_exists(tx, route.org_id, user_id):
                wrong["user_ids"] = "there is no such person"
        if wrong:
            raise Invalid("Some fields need attention.", fields=wrong)

    async def delete_route(self, who: Principal, route_id: UUID, *, remote: str = "") -> None:
        require(who, Permission.NOTIFICATIONS_WRITE)
        route = self.route(who, route_id)
        async with transaction(self._database, of(who.org_id)) as tx:
            await store.delete_route(tx, route_id)
            await self._note(
                tx, who, "notification_route.delete", route_id, {"name": route.name}, remote
            )
        await self._reload(who.org_id)

    async def _reload(self, org_id: UUID) -> None:
        async with transaction(self._database, of(org_id)) as tx:
            targets, routes = await store.targets(tx), await store.routes(tx)
        self._desk.write(org_id, targets, routes)

    # the log

    async def find(
        self, who: Principal, wanted: NotificationFilter, *, limit: int, offset: int
    ) -> tuple[list[Notification], int]:
        """Newest first, and how many there are."""
        require(who, Permission.ALERTS_WRITE)
        async with transaction(self._database, of(who.org_id)) as tx:
            return await store.find(tx, wanted, min(limit, PAGE_MAX), offset)

    async def notification(self, who: Principal, note_id: UUID) -> Notification:
        """Raises NotFound."""
        require(who, Permission.ALERTS_WRITE)
        async with transaction(self._database, of(who.org_id)) as tx:
            found = await store.get(tx, note_id)
        if found is None:
            raise NotFound("There is no such notification.")
        return found

    async def send_again(self, who: Principal, note_id: UUID, *, remote: str = "") -> Notification:
        """A failed one, under its old id. Raises Conflict for any other, NotFound."""
        require(who, Permission.ALERTS_WRITE)
        known = await self.notification(who, note_id)
        async with transaction(self._database, of(who.org_id)) as tx:
            if not await store.again(tx, note_id, self._clock.now()):
                raise Conflict("Only what has failed can be sent again.", code="not_failed")
            await self._note(
                tx, who, "notification.send_again", note_id, {"to": known.target}, remote
            )
        self._delivery.wake()
        return await self.notification(who, note_id)


def new_secret() -> str:
    """As Standard Webhooks writes them: 24 to 64 random bytes in Base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _hidden(draft: TargetDraft, known: Target | None, address: str) -> tuple[str, str, str]:
    """What is sealed, what is stored, what is shown. Raises Invalid for a chat nobody knows."""
    if draft.channel is not Channel.CHAT:
        return "", address, address
    if not draft.address.strip() and known is not None:
        return "", "", known.shown
    return address, "", chat.shown(address)
