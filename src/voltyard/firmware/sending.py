"""One request to one charger: stored, given an address of its own, sent, and its answer read."""

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from voltyard.chargers.commands import CommandResult, CommandStatus, UpdateFirmware
from voltyard.clock import Clock
from voltyard.errors import (
    ChargerOffline,
    ChargerRefused,
    ChargerTimeout,
    Invalid,
    TooMany,
    VoltyardError,
)
from voltyard.firmware import store
from voltyard.firmware.model import (
    Campaign,
    Failure,
    FirmwareImage,
    Rollout,
    Signing,
    Update,
    UpdateState,
    asked,
    failed,
    put_back,
)
from voltyard.firmware.ports import Stations
from voltyard.ids import new_id
from voltyard.storage.engine import Database
from voltyard.tenancy.keys import digest
from voltyard.tenancy.scope import of, transaction

log = logging.getLogger(__name__)

NOWHERE = "http://files.voltyard.invalid"
"""Stands in addresses where no HTTP is served: in virtual time."""
DOWNLOAD_RETRIES = 3
DOWNLOAD_RETRY_S = 60
UNKNOWN_MESSAGE = frozenset({"NotImplemented", "NotSupported"})


@dataclass(frozen=True, slots=True)
class Order:
    """A request as it is stored, ready to be sent."""

    update: Update
    command: UpdateFirmware
    signing: Signing


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the answer makes of the update; callable as a step of it."""

    failure: Failure | None
    detail: str
    at: datetime

    def __call__(self, update: Update, image: FirmwareImage, rollout: Rollout) -> Update:
        """Only while nothing else was heard since: the charger's own word is newer."""
        if update.state is not UpdateState.ASKED:
            return update
        if self.failure is None:
            return put_back(update, self.detail, self.at)
        return failed(update, self.failure, rollout, self.at, detail=self.detail)


class Sender:
    """``base_url`` is where chargers reach our files."""

    def __init__(self, database: Database, clock: Clock, stations: Stations) -> None:
        self._database = database
        self._clock = clock
        self._stations = stations
        self.base_url = NOWHERE

    async def prepare(
        self, update: Update, campaign: Campaign, image: FirmwareImage
    ) -> Order | None:
        """Store that it is asked; None when it waits no more, or another campaign was faster."""
        now = self._clock.now()
        key = None if image.url else new_id().hex
        link = None if key is None else digest(key)
        async with transaction(self._database, of(update.org_id)) as tx:
            fresh = await store.update(tx, update.id, lock=True)
            if fresh is None or fresh.state is not UpdateState.WAITING:
                return None
            if await store.busy_stations(tx, [update.station_id]):
                return None
            request_id = await store.next_request_id(tx)
            station = self._stations.station(update.station_id)
            told = asked(fresh, request_id, link, campaign.rollout, now)
            if station is not None and fresh.attempt == 0:
                told = replace(told, from_version=station.firmware)
            await store.save_update(tx, told)
        location = image.url or f"{self.base_url}/files/firmware/{key}/{image.file_name}"
        signs = image.signed and campaign.rollout.signing is not Signing.NEVER
        command = UpdateFirmware(
            request_id=request_id,
            location=location,
            retrieve_at=now,
            signature=image.signature if signs else None,
            certificate=image.certificate if signs else None,
            retries=DOWNLOAD_RETRIES,
            retry_interval_s=DOWNLOAD_RETRY_S,
        )
        return Order(told, command, campaign.rollout.signing)

    async def send(self, order: Order) -> Outcome | None:
        """None when the charger has it, or may have it: what follows it tells itself."""
        outcome = await self._send(order, order.command)
        refused = outcome is not None and outcome.failure is Failure.UNSUPPORTED
        if refused and order.command.signed and order.signing is Signing.IF_KNOWN:
            unsigned = replace(order.command, signature=None, certificate=None)
            return await self._send(order, unsigned)
        if outcome is not None and refused and not order.command.signed:
            return _explained(outcome)
        return outcome

    async def _send(self, order: Order, command: UpdateFirmware) -> Outcome | None:
        now = self._clock.now
        try:
            result = await self._stations.command(order.update.station_id, command, "firmware")
        except ChargerTimeout:
            return None
        except (ChargerOffline, TooMany) as error:
            return Outcome(None, error.code, now())
        except ChargerRefused as error:
            unknown = error.detail in UNKNOWN_MESSAGE
            failure = Failure.UNSUPPORTED if unknown else Failure.REJECTED
            return Outcome(failure, error.detail or error.message, now())
        except Invalid as error:
            return Outcome(Failure.UNSUPPORTED, error.message, now())
        except VoltyardError as error:
            log.warning("firmware request to %s: %s", order.update.station_id, error.message)
            return Outcome(None, error.code, now())
        return _read(result, now())


_WORDS = {
    "InvalidCertificate": Failure.CERTIFICATE,
    "RevokedCertificate": Failure.REVOKED,
}


def _read(result: CommandResult, now: datetime) -> Outcome | None:
    if result.status is CommandStatus.ACCEPTED:
        return None
    failure = _WORDS.get(result.word, Failure.REJECTED)
    detail = str(result.detail.get("info") or result.detail.get("reason") or result.word)
    return Outcome(failure, detail[:200], now)


def _explained(outcome: Outcome) -> Outcome:
    """A 1.6 charger with signed updates answers NotSupported to unsigned ones (L01.FR.20)."""
    if outcome.detail == "NotSupported":
        return replace(outcome, failure=Failure.NEEDS_SIGNATURE)
    return outcome
