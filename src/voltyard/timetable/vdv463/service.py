"""Presystems: set up by people, let in, heard and informed; their messages kept for a while."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from voltyard.bus import Bus
from voltyard.chargers.events import (
    EvsesChanged,
    EvseStatusChanged,
    StationChanged,
    StationConnected,
    StationDisconnected,
)
from voltyard.clock import Clock
from voltyard.energy.events import PlanMade
from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.ids import new_id
from voltyard.sessions.events import SessionEnded, SessionStarted, SessionUpdated
from voltyard.sites.events import SiteChanged
from voltyard.storage.engine import Database
from voltyard.tenancy import audit
from voltyard.tenancy.access import require
from voltyard.tenancy.admission import is_active
from voltyard.tenancy.events import OperatorsChanged
from voltyard.tenancy.integrity import refusals
from voltyard.tenancy.keys import new_token
from voltyard.tenancy.model import Permission, Principal
from voltyard.tenancy.scope import SYSTEM, of, transaction
from voltyard.timetable.events import DutiesChanged, DutyDeparted
from voltyard.timetable.vdv463 import door, store
from voltyard.timetable.vdv463.desk import RequestDesk
from voltyard.timetable.vdv463.link import Link, Transport
from voltyard.timetable.vdv463.looking import Looker
from voltyard.timetable.vdv463.model import (
    Kept,
    Kind,
    LinkView,
    Message,
    Presystem,
    PresystemView,
    State,
    Version,
    problems,
    setting_up,
)
from voltyard.timetable.vdv463.picture import Picture
from voltyard.timetable.vdv463.ports import Passwords, Preconditioner
from voltyard.timetable.vdv463.reading import Asking
from voltyard.timetable.vdv463.resolving import Spot

log = logging.getLogger(__name__)

PRESYSTEMS_MAX = 50
UNWRITTEN_MAX = 500
SEEN_EVERY_S = 60.0
_CLASHES = {"presystems_path_key": ("path", "This path is taken.")}
NEWS = (
    DutiesChanged,
    PlanMade,
    SessionStarted,
    SessionUpdated,
    SessionEnded,
    EvseStatusChanged,
    EvsesChanged,
    StationConnected,
    StationDisconnected,
    StationChanged,
    SiteChanged,
)
"""What a presystem is told of before its next period."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """``presystem`` None: not let in; ``retry_after_s`` says when to ask again."""

    presystem: Presystem | None = None
    retry_after_s: int = 0


@dataclass(slots=True)
class _Known:
    presystem: Presystem
    password_hash: str | None = None
    last_seen_at: Any = None
    link: Link | None = None
    unwritten: list[Message] = field(default_factory=list)


class PresystemService:
    """Implements ``link.Office``. Requests live in ``desk``."""

    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        *,
        desk: RequestDesk,
        looker: Looker,
        passwords: Passwords,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self.desk = desk
        self._looker = looker
        self._passwords = passwords
        self._known: dict[UUID, _Known] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._writing = False

    def listen(self) -> None:
        self._bus.subscribe(DutyDeparted, self.desk.on_departed, name="vdv463.departed")
        self._bus.subscribe(SessionStarted, self.desk.on_started, name="vdv463.at_once")
        self._bus.subscribe(OperatorsChanged, self._on_operators, name="vdv463.operators")
        for event in NEWS:
            self._bus.subscribe(event, self._on_news, name=f"vdv463.{event.__name__}")

    async def load(self) -> None:
        """At start: presystems, their requests, and duties that a crash kept from being saved."""
        async with transaction(self._database, SYSTEM) as tx:
            found = await store.presystems(tx)
        for one in found:
            self._known[one.presystem.id] = _Known(
                one.presystem, one.password_hash, one.last_seen_at
            )
        await self.desk.load(one.presystem for one in found)

    async def close(self) -> None:
        """Every presystem is told goodbye; the log is written."""
        for known in list(self._known.values()):
            if known.link is not None:
                await known.link.close(1001, "the server stops")
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._write_log()

    def preconditioned_by(self, preconditioner: Preconditioner) -> None:
        """Wishes go there from now on; before ``load``."""
        self.desk.preconditioner = preconditioner

    # set up by people

    def views(self, who: Principal) -> list[PresystemView]:
        require(who, Permission.VIEW)
        mine = [one for one in self._known.values() if one.presystem.org_id == who.org_id]
        return [self._view(one) for one in sorted(mine, key=lambda one: one.presystem.name)]

    def view(self, who: Principal, presystem_id: UUID) -> PresystemView:
        require(who, Permission.VIEW)
        return self._view(self._own(who, presystem_id))

    def requests(self, who: Principal, presystem_id: UUID) -> list[Kept]:
        """All that are kept, by departure."""
        require(who, Permission.VIEW)
        return self.desk.rows(self._own(who, presystem_id).presystem)

    async def messages(
        self,
        who: Principal,
        presystem_id: UUID,
        *,
        direction: str = "",
        faulty: bool = False,
        limit: int = 50,
    ) -> list[Message]:
        """Newest first, at most ``store.KEPT_MESSAGES``."""
        require(who, Permission.VIEW)
        self._own(who, presystem_id)
        await self._write_log()
        async with transaction(self._database, of(who.org_id)) as tx:
            return await store.messages(
                tx,
                presystem_id,
                direction,
                limit=min(limit, store.KEPT_MESSAGES),
                faulty=faulty,
            )

    async def picture_of(self, who: Principal, presystem_id: UUID) -> Picture:
        """What it would be told now."""
        require(who, Permission.VIEW)
        known = self._own(who, presystem_id)
        name = known.link.presystem_id if known.link is not None else known.presystem.presystem_id
        return (await self._looker.picture(known.presystem, name))[0]

    async def create(
        self, who: Principal, draft: Presystem, *, remote: str = ""
    ) -> tuple[PresystemView, str]:
        """Set up with a new password, which is shown this once. Raises Invalid, Conflict."""
        require(who, setting_up(who))
        if len(self.views(who)) >= PRESYSTEMS_MAX:
            raise Conflict("There are too many presystems.", code="too_many_presystems")
        made = replace(draft, id=new_id(), org_id=who.org_id)
        await self._check(who, made)
        password = new_token()
        password_hash = await self._passwords.hash(password)
        await self._store(who, made, "presystem.create", remote, password_hash)
        self._known[made.id] = _Known(made, password_hash)
        self.desk.known(made)
        return self.view(who, made.id), password

    async def change(self, who: Principal, draft: Presystem, *, remote: str = "") -> PresystemView:
        """Its duties follow at once; it connects again under the new settings."""
        require(who, setting_up(who))
        known = self._own(who, draft.id)
        changed = replace(draft, org_id=who.org_id)
        await self._check(who, changed)
        await self._store(who, changed, "presystem.change", remote)
        known.presystem = changed
        self.desk.known(changed)
        await self._let_go(known, "the settings changed")
        await self.desk.again(changed)
        return self._view(known)

    async def rotate(self, who: Principal, presystem_id: UUID, *, remote: str = "") -> str:
        """A new password, shown this once; the old one ends now, and its connection."""
        require(who, setting_up(who))
        known = self._own(who, presystem_id)
        password = new_token()
        password_hash = await self._passwords.hash(password)
        await self._store(who, known.presystem, "presystem.password", remote, password_hash)
        known.password_hash = password_hash
        await self._let_go(known, "the password changed")
        return password

    async def delete(self, who: Principal, presystem_id: UUID, *, remote: str = "") -> None:
        """With its requests and their duties."""
        require(who, setting_up(who))
        known = self._own(who, presystem_id)
        await self._let_go(known, "deleted")
        await self.desk.forget(known.presystem)
        now = self._clock.now()
        async with transaction(self._database, of(who.org_id)) as tx:
            await store.delete_presystem(tx, presystem_id)
            detail = {"path": known.presystem.path}
            await audit.write(
                tx, who, "presystem.delete", "presystem", presystem_id, detail,
                at=now, remote=remote,
            )  # fmt: skip
        self._known.pop(presystem_id, None)

    async def _check(self, who: Principal, presystem: Presystem) -> None:
        wrong = problems(presystem)
        sites = {site.id for site in await self._looker.sites(replace(presystem, site_ids=()))}
        if not set(presystem.site_ids) <= sites:
            wrong["site_ids"] = "there is no such site"
        allowed = set(presystem.site_ids) or sites
        if presystem.default_site_id is not None and presystem.default_site_id not in allowed:
            wrong["default_site_id"] = "is none of its sites"
        if wrong:
            raise Invalid("The presystem is not valid.", code="presystem_invalid", fields=wrong)

    async def _store(
        self,
        who: Principal,
        presystem: Presystem,
        action: str,
        remote: str,
        password_hash: str | None = None,
    ) -> None:
        now = self._clock.now()
        with refusals(_CLASHES):
            async with transaction(self._database, of(who.org_id)) as tx:
                await store.put_presystem(tx, presystem, now)
                if password_hash is not None:
                    await store.put_password(tx, presystem.id, password_hash, now)
                detail = {"path": presystem.path, "name": presystem.name}
                await audit.write(
                    tx, who, action, "presystem", presystem.id, detail, at=now, remote=remote
                )

    def _own(self, who: Principal, presystem_id: UUID) -> _Known:
        known = self._known.get(presystem_id)
        if known is None or known.presystem.org_id != who.org_id:
            raise NotFound("There is no such presystem.")
        return known

    def _view(self, known: _Known) -> PresystemView:
        rows = self.desk.rows(known.presystem)
        counts = {state: sum(row.state is state for row in rows) for state in State}
        return PresystemView(
            known.presystem,
            known.link.view if known.link is not None else LinkView(),
            known.password_hash is not None,
            known.last_seen_at,
            counts,
            sum(row.differs for row in rows),
        )

    # connections

    async def admit(self, path: str, authorization: str | None, remote: str) -> Admitted:
        """Who may connect at ``path``: by name and password, slower after wrong ones."""
        now = self._clock.now()
        known = next((k for k in self._known.values() if k.presystem.path == path), None)
        said = door.basic(authorization)
        suspect = (f"vdv463/{path}", remote.rpartition(":")[0])
        if known is None or said is None or known.password_hash is None:
            return Admitted(retry_after_s=self._passwords.refused(suspect, now))
        if not known.presystem.enabled or said[0] != known.presystem.login:
            return Admitted(retry_after_s=self._passwords.refused(suspect, now))
        checked = await self._passwords.check(
            known.presystem.id, known.password_hash, said[1], who=suspect, at=now
        )
        right = checked.verdict.value == "right" and await self._is_active(known.presystem)
        return Admitted(known.presystem if right else None, checked.retry_after_s)

    async def _is_active(self, presystem: Presystem) -> bool:
        async with transaction(self._database, SYSTEM) as tx:
            return await is_active(tx, presystem.org_id)

    async def connect(
        self, presystem: Presystem, version: Version, transport: Transport, remote: str
    ) -> Link:
        """A new connection takes the place of the old one at once."""
        known = self._known[presystem.id]
        link = Link(presystem, version, transport, self, self._clock, remote)
        former, known.link = known.link, link
        if former is not None:
            self._spawn(former.close(1008, "replaced by a new connection"))
        self._spawn(link.run())
        await self._seen(known)
        return link

    async def gone(self, link: Link) -> None:
        """Its requests stay as they are: charging goes on by them."""
        link.gone()
        known = self._known.get(link.presystem.id)
        if known is not None and known.link is link:
            known.link = None
            await self._seen(known)

    async def _let_go(self, known: _Known, reason: str) -> None:
        link, known.link = known.link, None
        if link is not None:
            await link.close(1012, reason)

    async def _seen(self, known: _Known) -> None:
        known.last_seen_at = self._clock.now()
        async with transaction(self._database, of(known.presystem.org_id)) as tx:
            await store.seen(tx, known.presystem.id, known.last_seen_at)

    async def _on_operators(self, event: OperatorsChanged) -> None:
        """It connects again, if it may, and is told of the places its vehicles may use now."""
        for known in list(self._known.values()):
            if known.presystem.org_id == event.operator_id:
                await self._let_go(known, "the operator was changed")

    async def _on_news(self, event: Any) -> None:
        """Also those of other organisations at the same site: they share its limits."""
        for known in self._known.values():
            if known.link is not None:
                known.link.want(event.site_id)

    # what a connection asks

    async def picture(
        self, presystem: Presystem, presystem_id: str
    ) -> tuple[Picture, Mapping[str, Spot]]:
        return await self._looker.picture(presystem, presystem_id)

    async def asked(self, link: Link, asking: Asking, points: Mapping[str, Spot]) -> str:
        presystem = link.presystem
        yard = await self._looker.yard(presystem, points)
        outcome = await self.desk.take(
            presystem,
            link.presystem_id,
            asking.requests,
            yard,
            whole=link.version is not Version.V20,
        )
        return outcome.error

    def booted(self, link: Link, kind: Kind) -> None:
        self.desk.called(link.presystem, kind)

    def note(self, presystem: Presystem, message: Message) -> None:
        """Written soon; of more than ``UNWRITTEN_MAX`` that wait the oldest are dropped."""
        known = self._known.get(presystem.id)
        if known is None:
            return
        known.unwritten.append(message)
        del known.unwritten[:-UNWRITTEN_MAX]
        if not self._writing:
            self._writing = True
            self._spawn(self._write_soon())

    async def _write_soon(self) -> None:
        try:
            await self._clock.sleep(1.0)
        finally:
            self._writing = False
        await self._write_log()

    async def _write_log(self) -> None:
        for known in list(self._known.values()):
            messages, known.unwritten = known.unwritten, []
            if messages:
                presystem = known.presystem
                async with transaction(self._database, of(presystem.org_id)) as tx:
                    await store.add_messages(tx, presystem.org_id, presystem.id, messages)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a task of a presystem failed", exc_info=task.exception())
