"""Files by their content: written once under the SHA-256 of what they hold, read by ranges.

Writing goes to a file without a name beside them, so a crash leaves nothing half-written among
them. The same content is stored once, whoever brought it.
"""

import asyncio
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from voltyard.errors import Invalid, NotFound, TooMany

CHUNK_BYTES = 256 * 1024
SPARE_BYTES = 256 * 1024 * 1024
"""Left free on the disk: the database lives there too."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Blob:
    sha256: str
    size_bytes: int


class BlobStore:
    """Blocking file work runs in threads; nothing here is for virtual time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, chunks: AsyncIterator[bytes], size_max: int) -> Blob:
        """Store what comes. Raises Invalid beyond ``size_max`` bytes, TooMany on a full disk."""
        await asyncio.to_thread(self._prepare)
        handle, name = await asyncio.to_thread(tempfile.mkstemp, dir=self._folder)
        path = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                blob = await self._write(file.write, chunks, size_max)
                await asyncio.to_thread(_to_disk, file.fileno(), file.flush)
            await asyncio.to_thread(self._keep, path, blob)
        except BaseException:
            await asyncio.to_thread(path.unlink, missing_ok=True)
            raise
        return blob

    async def _write(
        self, write: Callable[[bytes], int], chunks: AsyncIterator[bytes], size_max: int
    ) -> Blob:
        digest, size = hashlib.sha256(), 0
        async for chunk in chunks:
            size += len(chunk)
            if size > size_max:
                raise Invalid(
                    f"The file is larger than {size_max // 1_000_000} MB.", code="file_too_large"
                )
            digest.update(chunk)
            await asyncio.to_thread(write, chunk)
        return Blob(digest.hexdigest(), size)

    def _prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if shutil.disk_usage(self._folder).free < SPARE_BYTES:
            raise TooMany("There is no room left on the disk.", code="disk_full")

    def _keep(self, path: Path, blob: Blob) -> None:
        target = self._path(blob.sha256)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.replace(target)

    def _path(self, sha256: str) -> Path:
        if _SHA256.fullmatch(sha256) is None:
            raise NotFound("There is no such file.", detail=sha256)
        return self._folder / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        return self._path(sha256).is_file()

    async def read(
        self, sha256: str, first: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """``length`` bytes from ``first`` on, all the rest without; NotFound when it is gone."""
        try:
            file = await asyncio.to_thread(self._path(sha256).open, "rb")
        except FileNotFoundError:
            raise NotFound("The file is no longer there.", detail=sha256) from None
        try:
            await asyncio.to_thread(file.seek, first)
            left = length
            while left is None or left > 0:
                wanted = CHUNK_BYTES if left is None else min(CHUNK_BYTES, left)
                chunk = await asyncio.to_thread(file.read, wanted)
                if not chunk:
                    return
                if left is not None:
                    left -= len(chunk)
                yield chunk
        finally:
            file.close()

    def remove(self, sha256: str) -> None:
        """Of a file nobody names any more; that it is gone already is no error."""
        self._path(sha256).unlink(missing_ok=True)


def _to_disk(number: int, flush: Callable[[], None]) -> None:
    flush()
    os.fsync(number)
