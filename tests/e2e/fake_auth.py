"""People of the fake depot: one of each role, all with the same password."""

from uuid import UUID, uuid5

from voltyard.errors import Unauthenticated
from voltyard.tenancy.model import ROLE_PERMISSIONS, Principal, Role
from voltyard.web.auth import SetupForm

SPACE = UUID("6f1d9d2e-5a5b-4a3e-9d55-0b6f7a5f0002")
ORG_ID = uuid5(SPACE, "org")
PASSWORD = "correct horse battery"
SETUP_LINK = "once-only"


def principal(role: Role) -> Principal:
    name = role.value.capitalize()
    permissions = ROLE_PERMISSIONS[role]
    return Principal(ORG_ID, "user", uuid5(SPACE, role.value), name, permissions, role)


class FakeAuthenticator:
    """Signs in ``<role>@depot.example``; session tokens are ``token-<role>``."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.ended: set[str] = set()
        self.setup_done: SetupForm | None = None

    async def principal(self, session_token: str) -> Principal | None:
        role = session_token.removeprefix("token-")
        if role not in set(Role) or session_token in self.ended:
            return None
        return principal(Role(role))

    async def still(self, session_token: str) -> Principal | None:
        return await self.principal(session_token)

    async def log_in(self, email: str, password: str, remote: str, user_agent: str = "") -> str:
        role = email.partition("@")[0]
        if role not in set(Role) or password != PASSWORD:
            raise Unauthenticated("E-mail or password is wrong.")
        self.ended.discard(f"token-{role}")
        return f"token-{role}"

    async def log_out(self, session_token: str) -> None:
        self.ended.add(session_token)

    async def setup_open(self, link_token: str) -> bool:
        return link_token == SETUP_LINK and self.setup_done is None

    async def set_up(self, link_token: str, form: SetupForm) -> str:
        self.setup_done = form
        return "token-admin"
