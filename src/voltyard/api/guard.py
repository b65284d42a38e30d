"""What no route takes, said in words before a route is asked."""

import re

from litestar.exceptions import HTTPException

from voltyard.api.deps import AnyRequest
from voltyard.errors import Invalid

_NUL_ESCAPED = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_LOCAL_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?")
_LOST_PLUS = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(\.\d+)?)? \d\d:\d\d")


async def refuse_odd(request: AnyRequest) -> None:
    """Before every route. Raises Invalid, or HTTPException 415 for a form with a file in it."""
    wrong = {
        name: reason
        for name, value in request.query_params.multi_items()
        if (reason := _why_not(name, value))
    }
    if wrong:
        raise Invalid("The address has values that are not allowed.", fields=wrong)
    kind = request.headers.get("content-type", "").lower()
    if kind.startswith("multipart/"):
        raise HTTPException(
            "Send the JSON or the file itself as the body, not a form.", status_code=415
        )
    if kind.partition(";")[0].endswith("json") and _NUL_ESCAPED.search(await request.body()):
        raise Invalid("The body holds a NUL character, which no text may.")


def _why_not(name: str, value: str) -> str:
    if "\0" in value:
        return "holds a NUL character"
    if name == "text":
        return ""
    if _LOST_PLUS.fullmatch(value):
        return "in an address the plus sign of an offset is written %2B"
    if _LOCAL_INSTANT.fullmatch(value):
        return "needs an offset from UTC, such as Z or %2B01:00"
    return ""
