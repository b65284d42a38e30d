"""The built scripts, styles and fonts: their hashed names, and serving them for ever."""

import gzip
import json
from functools import lru_cache
from mimetypes import guess_type
from pathlib import Path
from typing import Annotated

from litestar import Response, get
from litestar.params import FromPath, HeaderParameter

from voltyard.errors import NotFound

STATIC_DIR = Path(__file__).parent / "static"
PREFIX = "/assets"
FOREVER = "public, max-age=31536000, immutable"
TYPES = {".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2"}
COMPRESSED = frozenset({".js", ".css", ".svg", ".json"})


@lru_cache(maxsize=1)
def manifest() -> dict[str, str]:
    """Entry name (``app.js``) to hashed file name; a clear error when nothing was built."""
    path = STATIC_DIR / "manifest.json"
    if not path.exists():
        raise NotFound(
            "The console's assets were not built. Install voltyard (it builds them), "
            "or run: python build_web.py",
            code="assets_missing",
        )
    names: dict[str, str] = json.loads(path.read_text())
    return names


def asset(name: str) -> str:
    """The URL of a built asset."""
    return f"{PREFIX}/{manifest()[name]}"


@lru_cache(maxsize=64)
def _read(name: str, *, zipped: bool) -> bytes:
    content = (STATIC_DIR / name).read_bytes()
    return gzip.compress(content, 9, mtime=0) if zipped else content


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    return frozenset(path.name for path in STATIC_DIR.iterdir()) - {"manifest.json"}


@get(PREFIX + "/{name:str}", include_in_schema=False, sync_to_thread=False)
def serve_asset(
    name: FromPath[str],
    accept: Annotated[str, HeaderParameter(name="accept-encoding")] = "",
) -> Response[bytes]:
    """One built file, immutable because its name holds its hash."""
    if name not in _names():
        raise NotFound("No such asset.")
    suffix = Path(name).suffix
    zipped = suffix in COMPRESSED and "gzip" in accept
    headers = {"cache-control": FOREVER, "vary": "accept-encoding"}
    if zipped:
        headers["content-encoding"] = "gzip"
    kind = TYPES.get(suffix) or guess_type(name)[0] or "application/octet-stream"
    return Response(_read(name, zipped=zipped), media_type=kind, headers=headers | SECURE_HEADERS)


SECURE_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
