"""Campaigns under way: whose turn it is, what is sent, what chargers tell, what silence means."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from voltyard.bus import Bus
from voltyard.chargers.commands import Trigger
from voltyard.chargers.events import FirmwareReported, StationBooted
from voltyard.chargers.model import Station, StationState
from voltyard.clock import Clock
from voltyard.errors import VoltyardError
from voltyard.firmware import store
from voltyard.firmware.campaigns import Campaigns
from voltyard.firmware.events import UpdateChanged
from voltyard.firmware.model import (
    UNDER_WAY,
    Campaign,
    CampaignState,
    FirmwareImage,
    Rollout,
    Told,
    Update,
    UpdateState,
    booted,
    finished,
    heard,
    overdue,
    put_back,
)
from voltyard.firmware.ports import Occupancy, Sites, Stations
from voltyard.firmware.rollout import turn
from voltyard.firmware.sending import Sender
from voltyard.storage.blobs import BlobStore
from voltyard.storage.engine import Database, Tx
from voltyard.tenancy.scope import SYSTEM, of, transaction

log = logging.getLogger(__name__)

SETTLE = timedelta(seconds=20)
PROBE_AGAIN = timedelta(minutes=5)

Step = Callable[[Update, FirmwareImage, Rollout], Update]


class Running(Campaigns):
    """``tick`` looks at every campaign; one process at a time does (a leased periodic task).

    Everything is in the database before it is said to a charger, so that another process goes
    on where this one was stopped. ``_watched`` are the chargers whose boots and words matter: a
    boot of any other asks the database nothing.
    """

    def __init__(
        self,
        database: Database,
        bus: Bus,
        clock: Clock,
        blobs: BlobStore,
        stations: Stations,
        sites: Sites,
        occupancy: Occupancy,
    ) -> None:
        super().__init__(database, bus, clock, blobs, stations)
        self._sites = sites
        self._occupancy = occupancy
        self._sender = Sender(database, clock, stations)
        self._watched: set[UUID] = set()
        self._known_sent: set[UUID] = set()
        self._probed: dict[UUID, datetime] = {}
        self._ticking = False
        self._tasks: set[asyncio.Task[None]] = set()

    def listen(self) -> None:
        self._bus.subscribe(FirmwareReported, self._on_told, name="firmware.told")
        self._bus.subscribe(StationBooted, self._on_booted, name="firmware.booted")

    async def load(self) -> None:
        """At start: which chargers are being updated."""
        async with transaction(self._database, SYSTEM) as tx:
            self._watched = await store.watched(tx)

    async def close(self) -> None:
        """What is being asked may be answered to the next process."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def reached_at(self, base_url: str) -> None:
        """Where chargers reach our files, as the beginning of an address."""
        self._sender.base_url = base_url.rstrip("/")

    async def tick(self) -> None:
        """Look at every campaign once. A look that is still under way is not doubled."""
        if self._ticking:
            return
        self._ticking = True
        try:
            async with transaction(self._database, SYSTEM) as tx:
                campaigns = await store.alive(tx)
            for campaign in campaigns:
                await self._look(campaign)
        finally:
            self._ticking = False

    async def settle(self) -> None:
        """Until every request that is on its way has its answer: for tests and virtual time."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # A look at one campaign

    async def _look(self, campaign: Campaign) -> None:
        now = self._clock.now()
        async with transaction(self._database, of(campaign.org_id)) as tx:
            image = await store.image(tx, campaign.image_id)
            updates = await store.updates(tx, campaign.id)
        assert image is not None
        for update in updates:
            if update.state in UNDER_WAY:
                await self._watch(update, campaign, image)
        async with transaction(self._database, of(campaign.org_id)) as tx:
            updates = await store.updates(tx, campaign.id)
            fresh = await store.campaign(tx, campaign.id, lock=True)
            assert fresh is not None
            found = turn(fresh, updates, now)
            if found.state is not fresh.state:
                fresh = await self._end(tx, fresh, found.state, found.why)
        if fresh.state is not CampaignState.RUNNING:
            if fresh.state is not campaign.state:
                await self._publish_campaign(fresh, image)
            return
        await self._begin_some(fresh, image, found.candidates, found.room)

    async def _end(self, tx: Tx, campaign: Campaign, state: CampaignState, why: str) -> Campaign:
        now = self._clock.now()
        ended_at = now if state is CampaignState.DONE else None
        changed = replace(campaign, state=state, why=why, changed_at=now, ended_at=ended_at)
        await store.save_campaign(tx, changed)
        return changed

    async def _watch(self, update: Update, campaign: Campaign, image: FirmwareImage) -> None:
        """Silence, and requests of which this process does not know whether they were sent."""
        now = self._clock.now()
        if update.due_at is not None and now >= update.due_at:
            changed = await self._step(
                update.org_id, update.id, lambda u, _, rollout: overdue(u, rollout, now)
            )
            if changed is not None and changed.asked_boot and not update.asked_boot:
                self._spawn(self._ask(changed, "boot"))
            return
        unsure = update.state is UpdateState.ASKED and update.id not in self._known_sent
        station = self._stations.station(update.station_id)
        if unsure and station is not None and self._listens(station):
            last_at = self._probed.get(update.id)
            if last_at is None or now - last_at >= PROBE_AGAIN:
                self._probed[update.id] = now
                self._spawn(self._ask(update, "firmware"))

    async def _begin_some(
        self,
        campaign: Campaign,
        image: FirmwareImage,
        candidates: Sequence[Update],
        room: int,
    ) -> None:
        blocked: dict[UUID, str] = {}
        for update in candidates:
            why = "parallel" if room <= 0 else await self._hindrance(update, campaign)
            if why:
                if why != update.blocked:
                    blocked[update.id] = why
                continue
            if await self._begin(update, campaign, image):
                room -= 1
        if blocked:
            async with transaction(self._database, of(campaign.org_id)) as tx:
                await store.note_blocked(tx, blocked)

    async def _hindrance(self, update: Update, campaign: Campaign) -> str:
        """Why this charger may not begin now; "" when it may."""
        station = self._stations.station(update.station_id)
        if station is None or station.state is not StationState.APPROVED:
            return "not_approved"
        if not self._listens(station):
            return "offline"
        if not await self._in_window(station, campaign.rollout):
            return "window"
        rollout = campaign.rollout
        if rollout.idle_only:
            return await self._occupancy.occupied(station, rollout.margin_s)
        return ""

    def _listens(self, station: Station) -> bool:
        """Connected, and for long enough to have booted: before, chargers lose what they tell."""
        if station.connected_at is None or not self._stations.is_connected(station.id):
            return False
        return self._clock.now() - station.connected_at >= SETTLE

    async def _in_window(self, station: Station, rollout: Rollout) -> bool:
        if not rollout.windows:
            return True
        zone = UTC if station.site_id is None else (await self._sites.get(station.site_id)).zone
        return rollout.open(self._clock.now().astimezone(zone))

    async def _begin(self, update: Update, campaign: Campaign, image: FirmwareImage) -> bool:
        """Ask one charger, unless it has the version already; whether it was asked."""
        station = self._stations.station(update.station_id)
        forced = image.is_version(update.from_version)
        if station is not None and image.is_version(station.firmware) and not forced:
            state = UpdateState.DONE if update.attempt else UpdateState.SKIPPED
            done = finished(update, state, self._clock.now())
            await self._step(update.org_id, update.id, lambda u, _, __: _unless_final(u, done))
            return False
        order = await self._sender.prepare(update, campaign, image)
        if order is None:
            return False
        self._watched.add(update.station_id)
        self._known_sent.add(update.id)
        await self._publish(order.update, image)
        self._spawn(self._send_and_store(update, lambda: self._sender.send(order)))
        return True

    async def _send_and_store(
        self, update: Update, send: Callable[[], Coroutine[Any, Any, Step | None]]
    ) -> None:
        step = await send()
        if step is not None:
            await self._step(update.org_id, update.id, step)

    async def _ask(self, update: Update, message: str) -> None:
        """For a boot or a firmware status; a charger that cannot is left to its silence."""
        try:
            await self._stations.command(update.station_id, Trigger(message), "firmware")
        except VoltyardError as error:
            log.info("no %s of %s: %s", message, update.station_id, error.message)

    # What chargers tell

    async def _on_told(self, event: FirmwareReported) -> None:
        if event.station_id not in self._watched:
            return
        found = await self._current(event.org_id, event.station_id)
        if found is None or found.final:
            return
        if event.request_id is not None and event.request_id != found.request_id:
            return
        now = self._clock.now()
        lost = event.told == Told.IDLE and found.id in self._probed
        self._probed.pop(found.id, None)
        self._known_sent.add(found.id)

        def step(update: Update, _: FirmwareImage, rollout: Rollout) -> Update:
            if lost and update.state is UpdateState.ASKED:
                return put_back(update, "", now)
            return heard(update, event.told, rollout, now)

        await self._step(event.org_id, found.id, step)

    async def _on_booted(self, event: StationBooted) -> None:
        if event.station_id not in self._watched:
            return
        found = await self._current(event.org_id, event.station_id)
        station = self._stations.station(event.station_id)
        if found is None or station is None:
            return
        now = self._clock.now()
        await self._step(
            event.org_id,
            found.id,
            lambda u, image, rollout: booted(u, image, station.firmware, rollout, now),
        )

    async def _current(self, org_id: UUID, station_id: UUID) -> Update | None:
        async with transaction(self._database, of(org_id)) as tx:
            return await store.current(tx, station_id)

    async def _step(self, org_id: UUID, update_id: UUID, step: Step) -> Update | None:
        """Change one update from what it is now; None when the step changed nothing."""
        async with transaction(self._database, of(org_id)) as tx:
            before = await store.update(tx, update_id, lock=True)
            if before is None:
                return None
            campaign = await store.campaign(tx, before.campaign_id)
            assert campaign is not None
            image = await store.image(tx, campaign.image_id)
            assert image is not None
            after = step(before, image, campaign.rollout)
            if after == before:
                return None
            if after.state is UpdateState.WAITING and campaign.state is CampaignState.CANCELLED:
                after = finished(after, UpdateState.CANCELLED, self._clock.now())
            await store.save_update(tx, after)
        if after.final and after.state is not UpdateState.FAILED:
            self._watched.discard(after.station_id)
        if after.final:
            self._known_sent.discard(after.id)
            self._probed.pop(after.id, None)
        await self._publish(after, image)
        return after

    async def _publish(self, update: Update, image: FirmwareImage) -> None:
        await self._bus.publish(
            UpdateChanged(
                update.org_id,
                update.site_id,
                update.station_id,
                update.campaign_id,
                update.id,
                update.state.value,
                None if update.failure is None else update.failure.value,
                image.version,
                update.changed_at,
            )
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _unless_final(update: Update, done: Update) -> Update:
    return update if update.final else done
