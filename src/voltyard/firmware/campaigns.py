"""Campaigns as people decide on them: started, paused, resumed, cancelled, one charger left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from voltyard.approvals.gate import Action, Gate, OpenGate
from voltyard.approvals.model import Kind
from voltyard.bus import Bus
from voltyard.chargers.model import Station, StationFilter, StationState
from voltyard.clock import Clock
from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.firmware import store
from voltyard.firmware.approving import resume_change, start_change
from voltyard.firmware.commands import NewCampaign, Resume, campaign_problems
from voltyard.firmware.events import CampaignChanged
from voltyard.firmware.library import Library
from voltyard.firmware.model import (
    CAMPAIGN_OPEN,
    Campaign,
    CampaignState,
    FirmwareImage,
    Progress,
    Signing,
    Update,
    UpdateState,
    finished,
)
from voltyard.firmware.ports import Stations
from voltyard.ids import new_id
from voltyard.storage.blobs import BlobStore
from voltyard.storage.engine import Database, Tx
from voltyard.tenancy import audit
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal
from voltyard.tenancy.scope import of, transaction


@dataclass(frozen=True, slots=True)
class CampaignView:
    """A campaign with its image and how far it is."""

    campaign: Campaign
    image: FirmwareImage
    progress: Progress


class Campaigns(Library):
    """Everything here needs ``chargers:command`` and is audited in its transaction."""

    def __init__(
        self, database: Database, bus: Bus, clock: Clock, blobs: BlobStore, stations: Stations
    ) -> None:
        super().__init__(database, bus, clock, blobs)
        self._stations = stations
        self._approvals: Gate = OpenGate()

    def gated_by(self, gate: Gate) -> None:
        """Starting and resuming may wait for a second person; a campaign's waves never do."""
        self._approvals = gate
        gate.carries_out(Action("firmware.start", NewCampaign, self._carry_out_start))
        gate.carries_out(Action("firmware.resume", Resume, self._carry_out_resume))

    async def _carry_out_start(self, who: Principal, new: NewCampaign) -> Mapping[str, Any]:
        view = await self.start_campaign(who, new)
        return {"campaign": str(view.campaign.id)}

    async def _carry_out_resume(self, who: Principal, asked: Resume) -> Mapping[str, Any]:
        await self.resume_campaign(who, asked.campaign_id)
        return {"campaign": str(asked.campaign_id)}

    async def start_campaign(
        self, who: Principal, new: NewCampaign, *, remote: str = ""
    ) -> CampaignView:
        """Chargers that run the version already are skipped.

        Raises Invalid (a charger that the image is not made for, a signature that is wanted
        and missing), NotFound, Conflict (a charger that another campaign has still to update),
        Proposed.
        """
        require(who, Permission.CHARGERS_COMMAND)
        wrong = campaign_problems(new)
        if wrong:
            raise Invalid("This campaign cannot be started.", fields=wrong)
        image = await self.image(who.org_id, new.image_id)
        if image.retired_at is not None:
            raise Conflict("The image has been retired.", code="image_retired")
        if new.rollout.signing is Signing.REQUIRED and not image.signed:
            raise Invalid("The image has no signature.", fields={"rollout.signing": "no signature"})
        stations = [self._mine(who, station_id) for station_id in new.station_ids]
        if not new.force:
            _check_made_for(image, stations)
        campaign, updates = self._drafted(who, new, image, stations)
        async with (
            self._approvals.guarding(who),
            transaction(self._database, of(who.org_id)) as tx,
        ):
            if taken := await store.wanted_elsewhere(tx, new.station_ids):
                names = [station.identity for station in stations if station.id in taken]
                raise Conflict(
                    f"Another campaign still updates {', '.join(names[:5])}.", code="charger_busy"
                )
            self._approvals.check(
                who, Kind.FIRMWARE, lambda: start_change(image, stations, new, campaign.name)
            )
            await store.insert_campaign(tx, campaign, updates)
            detail = {"image": image.version, "chargers": len(updates)}
            await self._note(tx, who, "firmware.start", campaign, remote, detail)
        await self._publish_campaign(campaign, image)
        return await self.campaign(who.org_id, campaign.id)

    def _drafted(
        self,
        who: Principal,
        new: NewCampaign,
        image: FirmwareImage,
        stations: Sequence[Station],
    ) -> tuple[Campaign, list[Update]]:
        now = self._clock.now()
        campaign = Campaign(
            id=new_id(),
            org_id=who.org_id,
            image_id=image.id,
            name=new.name.strip() or f"{image.vendor} {image.version}".strip(),
            state=CampaignState.RUNNING,
            rollout=new.rollout,
            created_at=now,
            created_by=who.name,
            start_at=new.start_at or now,
            changed_at=now,
        )
        updates: list[Update] = []
        position = 0
        for station in stations:
            has = image.is_version(station.firmware) and not new.force
            update = Update(
                id=new_id(),
                org_id=who.org_id,
                campaign_id=campaign.id,
                station_id=station.id,
                site_id=station.site_id,
                position=len(updates),
                wave=new.rollout.wave_of(position),
                state=UpdateState.WAITING,
                changed_at=now,
                from_version=station.firmware,
            )
            if has:
                update = finished(update, UpdateState.SKIPPED, now, detail="has_version")
            else:
                position += 1
            updates.append(update)
        return campaign, updates

    def station(self, station_id: UUID) -> Station | None:
        """Whoever's it is; for those who hold an update of it."""
        return self._stations.station(station_id)

    def candidates(self, org_id: UUID, image: FirmwareImage) -> list[Station]:
        """Approved chargers the image is made for, by identity."""
        wanted = StationFilter(state=StationState.APPROVED)
        found = (view.station for view in self._stations.list_stations(org_id, wanted))
        return [station for station in found if image.fits(station.vendor, station.model)]

    def _mine(self, who: Principal, station_id: UUID) -> Station:
        station = self._stations.station(station_id)
        if station is None or station.org_id != who.org_id:
            raise NotFound("There is no such charger.", detail=str(station_id))
        if station.state is not StationState.APPROVED:
            raise Conflict(f"{station.identity} is not approved.", code="station_not_approved")
        return station

    async def pause_campaign(
        self, who: Principal, campaign_id: UUID, *, remote: str = ""
    ) -> CampaignView:
        """No further charger begins; those under way go on."""
        running = frozenset({CampaignState.RUNNING})
        return await self._decide(who, campaign_id, running, CampaignState.PAUSED, remote)

    async def resume_campaign(
        self, who: Principal, campaign_id: UUID, *, remote: str = ""
    ) -> CampaignView:
        """Also one that stopped by itself: the failures so far do not count any more."""
        waiting = frozenset({CampaignState.PAUSED, CampaignState.STOPPED})
        return await self._decide(who, campaign_id, waiting, CampaignState.RUNNING, remote)

    async def cancel_campaign(
        self, who: Principal, campaign_id: UUID, *, remote: str = ""
    ) -> CampaignView:
        """For good. A charger that has been asked goes on: OCPP has no word to call it back."""
        return await self._decide(who, campaign_id, CAMPAIGN_OPEN, CampaignState.CANCELLED, remote)

    async def _decide(
        self,
        who: Principal,
        campaign_id: UUID,
        allowed: frozenset[CampaignState],
        state: CampaignState,
        remote: str,
    ) -> CampaignView:
        require(who, Permission.CHARGERS_COMMAND)
        now = self._clock.now()
        async with (
            self._approvals.guarding(who),
            transaction(self._database, of(who.org_id)) as tx,
        ):
            before = _campaign(await store.campaign(tx, campaign_id, lock=True))
            if before.state not in allowed:
                raise Conflict(f"The campaign is {before.state.value}.", code="campaign_state")
            updates = await store.updates(tx, campaign_id)
            if state is CampaignState.RUNNING:
                self._approvals.check(who, Kind.FIRMWARE, lambda: resume_change(before, updates))
            failures = sum(update.state is UpdateState.FAILED for update in updates)
            ended = state is CampaignState.CANCELLED
            campaign = replace(
                before,
                state=state,
                why="",
                changed_at=now,
                ended_at=now if ended else None,
                forgiven=failures if before.state is CampaignState.STOPPED else before.forgiven,
            )
            await store.save_campaign(tx, campaign)
            if ended:
                for update in updates:
                    if update.state is UpdateState.WAITING:
                        done = finished(update, UpdateState.CANCELLED, now)
                        await store.save_update(tx, done)
            await self._note(tx, who, f"firmware.{_VERBS[state]}", campaign, remote, {})
        view = await self.campaign(who.org_id, campaign_id)
        await self._publish_campaign(campaign, view.image)
        return view

    async def leave_out(self, who: Principal, update_id: UUID, *, remote: str = "") -> Update:
        """One charger is not updated, so that its wave need not wait for it.

        Conflict when it has ended already. One under way is given up: what it still says is
        not listened to, and its download address ends.
        """
        require(who, Permission.CHARGERS_COMMAND)
        now = self._clock.now()
        async with transaction(self._database, of(who.org_id)) as tx:
            update = await store.update(tx, update_id, lock=True)
            if update is None:
                raise NotFound("There is no such update.")
            if update.final:
                raise Conflict("This update has ended.", code="update_ended")
            done = finished(update, UpdateState.CANCELLED, now, detail=f"by {who.name}")
            await store.save_update(tx, done)
            detail = {"station": str(update.station_id)}
            campaign = _campaign(await store.campaign(tx, update.campaign_id))
            await self._note(tx, who, "firmware.leave_out", campaign, remote, detail)
        return done

    async def campaign(self, org_id: UUID, campaign_id: UUID) -> CampaignView:
        """Raises NotFound."""
        async with transaction(self._database, of(org_id)) as tx:
            campaign = _campaign(await store.campaign(tx, campaign_id))
            image = await store.image(tx, campaign.image_id)
            progress = await store.progress(tx, [campaign_id])
        assert image is not None
        return CampaignView(campaign, image, progress[campaign_id])

    async def campaigns(
        self, org_id: UUID, *, open_only: bool = False, limit: int = 100, offset: int = 0
    ) -> tuple[list[CampaignView], int]:
        """Newest first, and how many there are."""
        async with transaction(self._database, of(org_id)) as tx:
            found, total = await store.campaigns(
                tx, open_only=open_only, limit=limit, offset=offset
            )
            progress = await store.progress(tx, [campaign.id for campaign in found])
            images = {
                image_id: await store.image(tx, image_id)
                for image_id in {campaign.image_id for campaign in found}
            }
        views: list[CampaignView] = []
        for campaign in found:
            image = images[campaign.image_id]
            assert image is not None
            views.append(CampaignView(campaign, image, progress[campaign.id]))
        return views, total

    async def updates(self, org_id: UUID, campaign_id: UUID) -> list[Update]:
        """Every charger of a campaign, in its order."""
        async with transaction(self._database, of(org_id)) as tx:
            return await store.updates(tx, campaign_id)

    async def updates_of_station(self, org_id: UUID, station_id: UUID) -> list[Update]:
        """Newest first."""
        async with transaction(self._database, of(org_id)) as tx:
            return await store.of_station(tx, station_id)

    async def _note(
        self,
        tx: Tx,
        who: Principal,
        action: str,
        campaign: Campaign,
        remote: str,
        detail: Mapping[str, object],
    ) -> None:
        at = self._clock.now()
        told = {"name": campaign.name, **detail}
        await audit.write(
            tx, who, action, "firmware_campaign", campaign.id, told, at=at, remote=remote
        )

    async def _publish_campaign(self, campaign: Campaign, image: FirmwareImage) -> None:
        await self._bus.publish(
            CampaignChanged(
                campaign.org_id,
                campaign.id,
                campaign.name,
                image.version,
                campaign.state.value,
                campaign.why,
                self._clock.now(),
            )
        )


_VERBS = {
    CampaignState.PAUSED: "pause",
    CampaignState.RUNNING: "resume",
    CampaignState.CANCELLED: "cancel",
}


def _campaign(found: Campaign | None) -> Campaign:
    if found is None:
        raise NotFound("There is no such campaign.")
    return found


def _check_made_for(image: FirmwareImage, stations: Sequence[Station]) -> None:
    others = [s.identity for s in stations if not image.fits(s.vendor, s.model)]
    if others:
        raise Invalid(
            f"The image is not made for {', '.join(others[:5])}.",
            code="wrong_model",
            fields={"station_ids": "another vendor or model"},
        )
