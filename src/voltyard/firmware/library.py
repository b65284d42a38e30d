"""Images: brought in, checked, kept by their content, retired. Every change is audited."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

from voltyard.bus import Bus
from voltyard.clock import Clock
from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.firmware import signature, store
from voltyard.firmware.commands import NewImage, image_problems
from voltyard.firmware.model import FirmwareImage
from voltyard.ids import new_id
from voltyard.storage.blobs import Blob, BlobStore
from voltyard.storage.engine import Database
from voltyard.tenancy import audit
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal
from voltyard.tenancy.scope import SYSTEM, of, transaction

IMAGE_MAX_BYTES = 1_000_000_000
_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")


class Library:
    """What people may update chargers with."""

    def __init__(self, database: Database, bus: Bus, clock: Clock, blobs: BlobStore) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self.blobs = blobs

    async def add_image(
        self,
        who: Principal,
        new: NewImage,
        content: AsyncIterator[bytes] | None = None,
        *,
        remote: str = "",
    ) -> FirmwareImage:
        """Store an image (``content``) or the address of one (``new.url``).

        Raises Invalid, also for a signature that was not made over this file.
        """
        require(who, Permission.CHARGERS_WRITE)
        wrong = image_problems(new)
        if (content is None) == (not new.url):
            wrong["url"] = "either a file or an address"
        if wrong:
            raise Invalid("This image cannot be stored.", fields=wrong)
        certificate, signed = new.certificate.strip(), "".join(new.signature.split())
        if certificate:
            signature.checked_signature(signed)
            signature.checked_certificate(certificate, self._clock.now())
        blob = None if content is None else await self.blobs.put(content, IMAGE_MAX_BYTES)
        if blob is not None and blob.size_bytes == 0:
            raise Invalid("The file is empty.", fields={"file": "empty"})
        image = self._image(who, new, blob, signed, certificate)
        if image.signature_fits is False:
            await self._forget(blob)
            raise Invalid(
                "The signature was not made over this file with this certificate.",
                code="signature_mismatch",
                fields={"signature": "does not fit the file"},
            )
        await self._store(who, image, remote)
        return image

    def _image(
        self, who: Principal, new: NewImage, blob: Blob | None, signed: str, certificate: str
    ) -> FirmwareImage:
        now = self._clock.now()
        fits: bool | None = None
        if certificate and blob is not None:
            parsed = signature.checked_certificate(certificate, now)
            fits = signature.fits(parsed, signature.checked_signature(signed), blob.sha256)
        return FirmwareImage(
            id=new_id(),
            org_id=who.org_id,
            vendor=new.vendor.strip(),
            models=tuple(name.strip() for name in new.models),
            version=new.version.strip(),
            file_name=safe_name(new.file_name or new.url.rsplit("/", 1)[-1]),
            created_at=now,
            created_by=who.name,
            sha256=None if blob is None else blob.sha256,
            size_bytes=None if blob is None else blob.size_bytes,
            url=new.url or None,
            reported_as=new.reported_as.strip(),
            signature=signed or None,
            certificate=certificate or None,
            signature_fits=fits,
            note=new.note.strip(),
        )

    async def _store(self, who: Principal, image: FirmwareImage, remote: str) -> None:
        detail = {
            "version": image.version,
            "vendor": image.vendor,
            "sha256": image.sha256,
            "signed": image.signed,
        }
        async with transaction(self._database, of(who.org_id)) as tx:
            await store.insert_image(tx, image)
            await audit.write(
                tx,
                who,
                "firmware.add",
                "firmware_image",
                image.id,
                detail,
                at=image.created_at,
                remote=remote,
            )

    async def images(
        self, org_id: UUID, *, retired: bool = False, limit: int = 100, offset: int = 0
    ) -> tuple[list[FirmwareImage], int]:
        """Newest first, and how many there are."""
        async with transaction(self._database, of(org_id)) as tx:
            return await store.images(tx, retired=retired, limit=limit, offset=offset)

    async def image(self, org_id: UUID, image_id: UUID) -> FirmwareImage:
        """Raises NotFound."""
        async with transaction(self._database, of(org_id)) as tx:
            found = await store.image(tx, image_id)
        if found is None:
            raise NotFound("There is no such firmware image.")
        return found

    async def retire_image(self, who: Principal, image_id: UUID, *, remote: str = "") -> None:
        """No new campaign may use it, and its file goes. Conflict while a campaign needs it."""
        require(who, Permission.CHARGERS_WRITE)
        image = await self.image(who.org_id, image_id)
        if image.retired_at is not None:
            return
        now = self._clock.now()
        async with transaction(self._database, of(who.org_id)) as tx:
            if await store.is_in_use(tx, image_id):
                raise Conflict("A campaign still needs this image.", code="image_in_use")
            await store.save_image(tx, replace(image, retired_at=now))
            detail = {"version": image.version}
            await audit.write(
                tx, who, "firmware.retire", "firmware_image", image_id, detail, at=now,
                remote=remote,
            )  # fmt: skip
        if image.sha256 is not None:
            await self._forget(Blob(image.sha256, 0))

    async def _forget(self, blob: Blob | None) -> None:
        """Content that no image of any organisation is goes from the disk."""
        if blob is None:
            return
        async with transaction(self._database, SYSTEM) as tx:
            named = await store.is_named(tx, blob.sha256)
        if not named:
            self.blobs.remove(blob.sha256)


def safe_name(name: str) -> str:
    """A file name that survives every charger's idea of an address."""
    kept = _UNSAFE.sub("-", name.rsplit("/", 1)[-1].rsplit("\\", 1)[-1]).strip("-.")
    return kept[-80:].lstrip("-.") or "firmware.bin"
