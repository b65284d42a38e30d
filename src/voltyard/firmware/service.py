"""Firmware: images, campaigns, and the files that chargers fetch."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from voltyard.firmware import store
from voltyard.firmware.model import FirmwareImage, Update
from voltyard.firmware.running import Running
from voltyard.tenancy.keys import digest
from voltyard.tenancy.scope import SYSTEM, transaction

__all__ = ["FirmwareService", "Offered"]

DOWNLOADS_SHOWN = 1_000


@dataclass(frozen=True, slots=True)
class Offered:
    """What an address of ours leads to."""

    update: Update
    image: FirmwareImage
    sha256: str
    size_bytes: int


class FirmwareService(Running):
    """See its bases: ``Library`` (images), ``Campaigns`` (people), ``Running`` (chargers)."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._downloads: dict[UUID, int] = {}

    def counted(
        self, offered: Offered, first: int, body: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """The same bytes; how far the download is may be seen by ``downloaded``."""
        return _counted(self._downloads, offered.update.id, first, body)

    def downloaded(self, update_id: UUID) -> int | None:
        """Up to which byte the file was fetched; None before the first, or after a restart."""
        return self._downloads.get(update_id)

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


async def _counted(
    downloads: dict[UUID, int], update_id: UUID, first: int, body: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    reached = first
    while len(downloads) >= DOWNLOADS_SHOWN:
        downloads.pop(next(iter(downloads)))
    async for chunk in body:
        reached += len(chunk)
        downloads[update_id] = reached
        yield chunk
