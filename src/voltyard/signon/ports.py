"""What single sign-on needs of others: HTTP outwards, secrets at rest."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


class Fetch(Protocol):
    """Asks where voltyard may go on behalf of a tenant. Raises SignOnRefused (unreachable)."""

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer: ...

    async def post(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Answer: ...

    async def close(self) -> None: ...


class Sealer(Protocol):
    """Secrets at rest."""

    def seal(self, text: str, about: str) -> bytes: ...

    def open(self, sealed: bytes, about: str) -> str:
        """Raises Invalid."""
