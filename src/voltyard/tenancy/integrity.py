"""What the database refuses, told in domain words."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError

from voltyard.errors import Conflict


@contextmanager
def refusals(known: Mapping[str, tuple[str, str]]) -> Iterator[None]:
    """Turn a broken constraint into Conflict; ``known`` is constraint → (field, message).

    Wrap it around the transaction, not inside: after a refusal the transaction is lost.
    """
    try:
        yield
    except IntegrityError as error:
        name = constraint_name(error)
        field, message = known.get(name, ("", "This clashes with something that exists."))
        raise Conflict(
            message, detail=f"constraint {name}", fields={field: message} if field else {}
        ) from error


def constraint_name(error: IntegrityError) -> str:
    """The constraint or unique index that PostgreSQL named, or an empty string."""
    cause: BaseException | None = error.orig
    while cause is not None:
        name = getattr(cause, "constraint_name", None)
        if name:
            return str(name)
        cause = cause.__cause__
    return ""
