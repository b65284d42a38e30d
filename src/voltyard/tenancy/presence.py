"""Who is signed in: log-ins seen and ended, one's own by anybody, all by administrators."""

from collections.abc import Sequence
from uuid import UUID

from voltyard.clock import Clock
from voltyard.errors import Forbidden, NotFound
from voltyard.storage.engine import Database
from voltyard.tenancy import audit, keys, store
from voltyard.tenancy.access import require
from voltyard.tenancy.login import LogIn
from voltyard.tenancy.model import OpenLogIn, Permission, Principal
from voltyard.tenancy.scope import of, transaction


class Presence:
    """Somebody who is at work in another organisation has their log-ins at home."""

    def __init__(self, database: Database, clock: Clock, login: LogIn) -> None:
        self._database = database
        self._clock = clock
        self._login = login
        self._note = audit.Notes(clock)

    async def mine(self, principal: Principal, session_token: str = "") -> Sequence[OpenLogIn]:
        """One's own, the last used first. Forbidden for API keys: they do not sign in."""
        if principal.kind != "user":
            raise Forbidden("Only people sign in.")
        return await self._read(_home(principal), session_token, principal.id)

    async def everybodys(
        self, principal: Principal, session_token: str = "", *, user_id: UUID | None = None
    ) -> Sequence[OpenLogIn]:
        """All of the organisation, or of one of its people; at most 1,000."""
        require(principal, Permission.PEOPLE_WRITE)
        return await self._read(principal.org_id, session_token, user_id)

    async def end(self, principal: Principal, log_in_id: UUID, *, remote: str = "") -> None:
        """It opens nothing from now on. NotFound for somebody else's, but by administrators."""
        for org_id in dict.fromkeys((_home(principal), principal.org_id)):
            async with transaction(self._database, of(org_id)) as tx:
                whose = await store.end_log_in(tx, log_in_id)
                if whose is None:
                    continue
                own = whose == principal.id
                if not own and not (
                    org_id == principal.org_id and principal.may(Permission.PEOPLE_WRITE)
                ):
                    raise NotFound("There is no such log-in.")
                detail = {"user_id": str(whose), "own": own}
                await self._note(tx, principal, "login.ended", log_in_id, detail, remote)
                return
        raise NotFound("There is no such log-in.")

    async def end_all_of(
        self, principal: Principal, user_id: UUID, *, session_token: str = "", remote: str = ""
    ) -> int:
        """All of one person but the one that asks; how many. NotFound, Forbidden."""
        own = user_id == principal.id
        if not own:
            require(principal, Permission.PEOPLE_WRITE)
        keep = keys.digest(session_token) if session_token else ""
        async with transaction(
            self._database, of(_home(principal) if own else principal.org_id)
        ) as tx:
            if await store.user(tx, user_id) is None:
                raise NotFound("There is no such user.")
            ended = await store.end_login_sessions_of(tx, user_id, keep=keep)
            detail = {"count": ended, "own": own}
            await self._note(tx, principal, "login.ended_all", user_id, detail, remote)
        return ended

    async def _read(
        self, org_id: UUID, session_token: str, user_id: UUID | None
    ) -> Sequence[OpenLogIn]:
        hashed = keys.digest(session_token) if session_token else ""
        async with transaction(self._database, of(org_id)) as tx:
            return await store.open_log_ins(
                tx, self._clock.now(), self._login.idle_since, hashed, user_id
            )


def _home(principal: Principal) -> UUID:
    return principal.home_org_id or principal.org_id
