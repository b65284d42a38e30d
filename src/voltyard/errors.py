"""What can go wrong, in domain words. Each edge (HTTP, OCPP, …) maps these once."""

from collections.abc import Mapping


class VoltyardError(Exception):
    """Root of all expected failures.

    ``code`` is stable and catalogued, ``message`` is for the user, ``detail`` for the log,
    ``fields`` names what was wrong where (path → reason).
    """

    code = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        detail: str = "",
        fields: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.fields: Mapping[str, str] = fields or {}
        if code is not None:
            self.code = code


class NotFound(VoltyardError):
    """The thing does not exist, or not for this caller."""

    code = "not_found"


class Conflict(VoltyardError):
    """The thing exists in a state that forbids this."""

    code = "conflict"


class Invalid(VoltyardError):
    """The input is meaningless or unsafe."""

    code = "invalid"


class Forbidden(VoltyardError):
    """The caller is known and may not."""

    code = "forbidden"


class Unauthenticated(VoltyardError):
    """The caller is not known."""

    code = "unauthenticated"


class TooMany(VoltyardError):
    """A bound was reached: a queue is full, too many attempts."""

    code = "too_many"


class ChargerOffline(VoltyardError):
    """No connection to the charger, or it was lost before the answer came."""

    code = "charger_offline"


class ChargerRefused(VoltyardError):
    """The charger answered, and the answer was no."""

    code = "charger_refused"


class ChargerTimeout(VoltyardError):
    """The charger did not answer in time: what it did is unknown."""

    code = "charger_timeout"
