"""A server and its administrator, for tests of certificates."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from pki_charger import PASSWORD
from pki_openssl import Keys

from voltyard.pki.service import PkiService
from voltyard.serving import Server
from voltyard.tenancy.model import Principal


@dataclass
class House:
    """The server, its administrator and how to make stations known."""

    server: Server
    who: Principal
    folder: Path

    @property
    def pki(self) -> PkiService:
        return self.server.core.pki

    @property
    def plain(self) -> str:
        return self.server.ocpp_url

    @property
    def secure(self) -> str:
        assert self.server.wss_url is not None
        return self.server.wss_url

    async def root(self) -> str:
        return "".join(view.root for view in await self.pki.authorities(self.who))

    async def station(self, identity: str, password: str | None = PASSWORD) -> UUID:
        made = await self.server.core.chargers.create_station(self.who, identity, password=password)
        return made.id

    def keys(self, name: str, kind: str = "ec") -> Keys:
        return Keys(self.folder, name).new(kind)
