"""WebSocket frames without extensions, cut and unmasked by hand: nearly all there is of traffic.

Only the boundaries of frames are known here. Whole text frames are read, everything else is left
to the WebSocket library, which sees the very bytes that came (RFC 6455 §5.2).
"""

from collections.abc import Iterator

try:
    from websockets.speedups import apply_mask
except ImportError:  # built without its C extension
    from websockets.utils import apply_mask

KEPT_MAX_BYTES = 64 * 1024
_TEXT = 0x81
_WHOLE = frozenset({_TEXT, 0x88, 0x89, 0x8A})
_MASKED = 0x80
_SHORT = tuple(bytes((_TEXT, size)) for size in range(126))


class Splitter:
    """Cuts what came into frames. ``lost``: not any more, the library has all from there on."""

    __slots__ = ("_kept", "lost")

    def __init__(self) -> None:
        self._kept = b""
        self.lost = False

    def only(self, data: bytes) -> bytes | None:
        """The text, if exactly one whole text frame came and nothing is kept."""
        size = len(data)
        if self._kept or size < 8 or data[0] != _TEXT:
            return None
        length = data[1]
        if length == 0xFE and size == 8 + (data[2] << 8 | data[3]):
            return apply_mask(data[8:], data[4:8])
        if _MASKED <= length < 0xFE and size == length - _MASKED + 6:
            return apply_mask(data[6:], data[2:6])
        return None

    def split(self, data: bytes) -> Iterator[bytes]:
        """Whole frames as they came; an incomplete one is kept. Once lost: all that is left."""
        data, self._kept = self._kept + data, b""
        begin = 0
        while begin < len(data):
            size = None if self.lost else _frame_size(data, begin)
            if size is None:
                self.lost = True
                yield data[begin:]
                return
            if size == 0 or begin + size > len(data):
                self._kept = data[begin:]
                return
            yield data[begin : begin + size]
            begin += size

    def rest(self) -> bytes:
        """What is kept, for whoever goes on without this splitter."""
        kept, self._kept = self._kept, b""
        return kept


def text_of(frame: bytes) -> bytes | None:
    """What a whole frame says; None if it is no text."""
    if frame[0] != _TEXT:
        return None
    begin = {0xFE: 4, 0xFF: 10}.get(frame[1], 2) + 4
    return apply_mask(frame[begin:], frame[begin - 4 : begin])


def text_frame(text: bytes) -> bytes:
    """A frame of the server, which masks nothing."""
    size = len(text)
    if size < 126:
        return _SHORT[size] + text
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + text
    return b"\x81\x7f" + size.to_bytes(8, "big") + text


def _frame_size(data: bytes, begin: int) -> int | None:
    """Of the frame that begins there; 0 if its head is incomplete, None if it is the library's."""
    if data[begin] not in _WHOLE:
        return None
    head = data[begin : begin + 10]
    if len(head) < 2:
        return 0
    length = head[1] - _MASKED
    if length < 0:
        return None
    if length < 126:
        return 6 + length
    wide = 2 if length == 126 else 8
    if len(head) < 2 + wide:
        return 0
    size = 6 + wide + int.from_bytes(head[2 : 2 + wide], "big")
    return size if size <= KEPT_MAX_BYTES else None
