"""Limits on their way: admitted, stored, sent, and what the answers change. Knows no plan."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from asyncpg import PostgresError
from sqlalchemy.exc import SQLAlchemyError

from voltyard.chargers.commands import (
    AllowTransfer,
    Command,
    ReadAbilities,
    ReadCompositeSchedule,
    ReportDischarge,
    StationLink,
    UpdateLimit,
)
from voltyard.chargers.model import Abilities, PowerMode
from voltyard.clock import Clock
from voltyard.energy.board import Board
from voltyard.energy.confirm import WATT, Change, Held
from voltyard.energy.discharging import Hindrance, Verdict
from voltyard.energy.headroom import Headroom
from voltyard.energy.ledger import Ledger
from voltyard.energy.outlet import Outlet, Timing
from voltyard.energy.profiles import (
    fallback_limit,
    in_amps,
    live_limit,
    shown_w,
    steered,
    update_of,
    updated_limit,
)
from voltyard.energy.sender import Answer, Sender
from voltyard.energy.staging import Claim, adds_w, split
from voltyard.energy.steering import Way
from voltyard.errors import VoltyardError
from voltyard.sites.model import ElectricalTree

log = logging.getLogger(__name__)

CUT_WAIT_S = 0.5
"""A cut waits no longer to be stored."""
VERIFY_AGAIN_S = 300.0
VERIFY_HORIZON_S = 60


@dataclass(frozen=True, slots=True)
class Chosen:
    """A limit on its way, and what the EVSE held before."""

    outlet: Outlet
    change: Change
    before: Held

    @property
    def adds(self) -> bool:
        """Whether it must be stored before it may be sent: all but cuts."""
        before_w = self.before.fallback_w if self.change.fallback else self.before.live_w
        raised = adds_w(self.change, self.before) > 0.0
        return raised or self.change.power_w >= before_w - WATT


class Commander:
    """Sends what may be sent. ``news(made_room)`` is called when an answer calls for a new look;
    ``changed`` collects the EVSEs whose limits changed."""

    def __init__(
        self,
        site_id: UUID,
        ledger: Ledger,
        clock: Clock,
        sender: Sender,
        timing: Timing,
        *,
        commit_timeout_s: float,
        news: Callable[[bool], None],
    ) -> None:
        self.timing = timing
        self.changed: set[UUID] = set()
        self._site_id = site_id
        self._ledger = ledger
        self._clock = clock
        self._sender = sender
        self._commit_timeout_s = commit_timeout_s
        self._news = news
        self._asked: dict[UUID, StationLink] = {}
        self._prepared: dict[UUID, StationLink] = {}

    async def act(
        self,
        board: Board,
        tree: ElectricalTree,
        turn: Mapping[UUID, int],
        now: datetime,
        *,
        lead_s: float,
    ) -> None:
        """Send every limit that may go out now; ``turn`` is the order of importance."""
        self.learn(board)
        claims = self._claims(board, tree, turn, now, lead_s)
        chosen = split(Headroom.during(board.circuits.of(tree), now, lead_s, {}, ()), claims)
        await self._go(board, [(board.outlets[key], change) for key, change in chosen.items()], now)

    async def install(self, board: Board, outlets: Iterable[Outlet], now: datetime) -> None:
        """Send the fail-safe limits of chargers that have just booted; each is a cut."""
        found = [(outlet, outlet.failsafe_first()) for outlet in outlets]
        await self._go(board, [(o, change) for o, change in found if change is not None], now)

    def _claims(
        self,
        board: Board,
        tree: ElectricalTree,
        turn: Mapping[UUID, int],
        now: datetime,
        lead_s: float,
    ) -> list[Claim]:
        last, short = len(turn), self.timing.while_over()
        counted_w = board.counted_w(now)
        over = board.over(tree, now, lead_s, counted_w)
        # The board is in the order of ids, which decides between equals.
        outlets = sorted(board, key=lambda o: turn.get(o.evse.id, last))
        return [
            Claim(
                outlet.evse.id,
                counted_w[outlet.evse.id],
                outlet.held,
                outlet.next_change(now, short if outlet.evse.id in over else self.timing),
                partial(outlet.as_far_as, now=now, timing=self.timing),
                outlet.steady_w,
                board.wirings[outlet.evse.id],
                on_tree=outlet.evse.id in tree.leaf_of_evse,
            )
            for outlet in outlets
        ]

    async def _go(
        self, board: Board, changes: Sequence[tuple[Outlet, Change]], now: datetime
    ) -> None:
        """Stored, then sent. If it takes long or cannot be, cuts still leave and raises do not."""
        chosen = [Chosen(outlet, change, outlet.held) for outlet, change in changes]
        for item in chosen:
            item.outlet.sent(item.change)
        cuts = [item for item in chosen if not item.adds]
        raises = [item for item in chosen if item.adds]
        saving = asyncio.get_running_loop().create_task(self._save(board, now))
        try:
            with suppress(TimeoutError):
                async with self._clock.timeout(CUT_WAIT_S):
                    await asyncio.shield(saving)
            for item in cuts:
                self._send(board, item, now)
            stored = await saving
        finally:
            saving.cancel()
        for item in raises:
            if stored:
                self._send(board, item, now)
            else:
                item.outlet.withdrawn(item.before)
        if not stored:
            self._news(False)

    async def _save(self, board: Board, now: datetime) -> bool:
        """Store every changed ceiling; False when the database does not take it in time."""
        rows = board.take_unsaved(now)
        if not rows:
            return True
        try:
            async with self._clock.timeout(self._commit_timeout_s):
                await self._ledger.save(board.setup.site.org_id, self._site_id, rows)
        except (SQLAlchemyError, PostgresError, VoltyardError, OSError, TimeoutError) as error:
            log.error("ceilings of site %s not stored, no raises: %s", self._site_id, error)
            for row in rows:
                board.outlets[row.evse_id].unsaved = True
            return False
        return True

    def _send(self, board: Board, item: Chosen, now: datetime) -> None:
        outlet, change = item.outlet, item.change
        link = board.link(outlet)
        if link is None:
            outlet.withdrawn(item.before)
            return
        command: Command
        if change.fallback:
            command = fallback_limit(outlet.evse, outlet.station.quirks, change.power_w)
        else:
            command = self._live(outlet, change, now)
        done = partial(self._answered, item)
        self._sender.send(link, command, done, cut=not item.adds)

    def _live(self, outlet: Outlet, change: Change, now: datetime) -> Command:
        """The grant in the charger's words: a profile, one to be updated, or an update."""
        session = outlet.session
        valid_s = outlet.valid_s(now, self.timing)
        if change.until_at is not None:
            left_s = (change.until_at - now).total_seconds() - self.timing.slack_s
            valid_s = max(1, min(valid_s, round(left_s)))
        quirks = outlet.station.quirks
        made = live_limit(
            outlet.evse,
            quirks,
            change.power_w,
            now=now,
            valid_s=valid_s,
            transaction_ref="" if session is None else session.transaction_ref,
        )
        assert session is not None or made.transaction_ref is None, "it is of no transaction"
        made = steered(outlet.evse, made, change.steer)
        if change.way is Way.SET:
            return made
        if change.way is Way.UPDATE:
            return update_of(made)
        return updated_limit(made, valid_s, outlet.abilities, quirks)

    async def pulled(
        self, board: Board, outlet: Outlet, profile_id: int, now: datetime
    ) -> UpdateLimit | None:
        """The limit again, for a charger that asks for an update of its profile itself (K28.FR.07);
        stored as one that lasts from whenever it is taken. None for any other profile, and where
        it must not last longer."""
        change = outlet.pulled(profile_id, now, self.timing)
        if change is None:
            return None
        before = outlet.loose_s
        outlet.lasts_from_when_taken(self.timing.valid_s + self.timing.slack_s)
        if not await self._save(board, now):
            outlet.loose_s = before
            return None
        made = self._live(outlet, change, now)
        assert isinstance(made, UpdateLimit)
        return made

    def _answered(self, item: Chosen, answer: Answer) -> None:
        now, outlet = self._clock.now(), item.outlet
        before = (outlet.held.ceiling_w, outlet.granted_w)
        valid_s = self.timing.valid_s
        if answer.accepted is None:
            outlet.unanswered(item.change, now, valid_s + self.timing.slack_s)
        elif answer.accepted:
            outlet.confirmed(item.change, now, valid_s)
        else:
            outlet.refused(item.change, item.before, now, unknown=answer.unknown)
        if not answer.accepted:
            log.info("limit for %s not taken: %s", outlet.station.identity, answer.error)
        following = outlet.next_change(now, self.timing)
        waits = following is not None and not Chosen(outlet, following, outlet.held).adds
        if not answer.accepted or (outlet.held.ceiling_w, outlet.granted_w) != before:
            self.changed.add(outlet.evse.id)
            self._news(waits or outlet.held.ceiling_w < before[0])
        elif following is not None:
            self._news(waits)

    # what it can do, does it hold the fail-safe, does it obey

    def learn(self, board: Board) -> None:
        """Ask once a connection what a charger can do, when its fail-safe holds."""
        for outlet in board:
            link = None if outlet.reinstall else board.link(outlet)
            if link is None:
                continue
            if self._asked.get(outlet.evse.id) is link:
                continue
            self._asked[outlet.evse.id] = link
            command = ReadAbilities(outlet.evse.number)
            self._sender.send(link, command, partial(self._learned, outlet, link))

    def prepare(self, board: Board, verdicts: Mapping[UUID, Verdict]) -> None:
        """Before power flows back: what its vehicle may do, and what is to be told of it; each
        once a session and connection."""
        for outlet in board:
            session = outlet.session
            verdict = None if session is None else verdicts.get(session.session_id)
            link = None if verdict is None else board.link(outlet)
            if link is None or session is None or verdict is None:
                continue
            if self._prepared.get(session.session_id) is link:
                continue
            self._prepared[session.session_id] = link
            if verdict.why is Hindrance.NEGOTIATING and outlet.abilities.transfers:
                self.tell(link, AllowTransfer(session.transaction_ref, outlet.abilities.transfers))
            for mode in sorted(outlet.abilities.modes - {PowerMode.IDLE}):
                self.tell(link, ReportDischarge(outlet.evse.number, mode))

    def _learned(self, outlet: Outlet, link: StationLink, answer: Answer) -> None:
        """One that cannot tell is one that cannot do it."""
        if self._asked.get(outlet.evse.id) is not link or answer.result is None:
            return
        told = answer.result.detail.get("abilities", Abilities())
        if told != outlet.abilities:
            outlet.abilities = told
            self._news(False)

    def verify(self, board: Board, now: datetime) -> None:
        """Read back the fail-safe limits that were accepted, where nobody charges."""
        for outlet in board:
            link = board.link(outlet) if outlet.verification_due(now) else None
            if link is None:
                continue
            outlet.verify_at = now + timedelta(seconds=VERIFY_AGAIN_S)
            unit = "A" if in_amps(outlet.evse, outlet.station.quirks) else "W"
            command = ReadCompositeSchedule(outlet.evse.number, VERIFY_HORIZON_S, unit)
            self._sender.send(link, command, partial(self._read_back, outlet))

    def _read_back(self, outlet: Outlet, answer: Answer) -> None:
        if answer.accepted is None:
            return
        shown = None if answer.result is None else shown_w(outlet.evse, answer.result)
        outlet.read_back(shown, self._clock.now())
        self._news(False)

    def insist(self, board: Board, now: datetime) -> None:
        """A charger that goes on taking too much is stopped, then switched off."""
        for outlet in board:
            link = board.link(outlet) if outlet.may_need_insistence else None
            command = None if link is None else outlet.insistence(now)
            if link is not None and command is not None:
                log.warning("%s ignores its limit: %s", outlet.station.identity, command)
                self.tell(link, command)

    def shut(
        self,
        link: StationLink,
        outlets: Sequence[Outlet],
        now: datetime,
        done: Callable[[], None],
    ) -> None:
        """Switch off outlets that take no limit, until they take one; ``done`` when all answered,
        whatever they said."""
        left = {outlet.evse.id for outlet in outlets}

        def heard(evse_id: UUID, answer: Answer) -> None:
            if answer.accepted is not None:
                left.discard(evse_id)
                if not left:
                    done()
            self._news(False)

        for outlet in outlets:
            log.warning(
                "%s takes no limit, and its full power fits nowhere: switched off",
                outlet.station.identity,
            )
            self._sender.send(link, outlet.shut(now), partial(heard, outlet.evse.id))

    def tell(self, link: StationLink, command: Command) -> None:
        """A command whose answer only calls for a new look."""
        self._sender.send(link, command, lambda _: self._news(False))
