"""Firmware: images, campaigns, and the files that chargers fetch."""

from dataclasses import dataclass

from voltyard.firmware import store
from voltyard.firmware.model import FirmwareImage, Update
from voltyard.firmware.running import Running
from voltyard.tenancy.keys import digest
from voltyard.tenancy.scope import SYSTEM, transaction

__all__ = ["FirmwareService", "Offered"]


@dataclass(frozen=True, slots=True)
class Offered:
    """What an address of ours leads to."""

    update: Update
    image: FirmwareImage
    sha256: str
    size_bytes: int


class FirmwareService(Running):
    """See its bases: ``Library`` (images), ``Campaigns`` (people), ``Running`` (chargers)."""

    async def offered(self, key: str) -> Offered | None:
        """The file behind an address; None when it was never given or its update has ended."""
        async with transaction(self._database, SYSTEM) as tx:
            found = await store.by_link(tx, digest(key))
        if found is None:
            return None
        update, image = found
        if image.sha256 is None or image.size_bytes is None:
            return None
        return Offered(update, image, image.sha256, image.size_bytes)
