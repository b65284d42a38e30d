"""Where voltyard may go on behalf of a tenant: public addresses, and what the settings add."""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from voltyard.errors import Invalid
from voltyard.notifications.ports import Undeliverable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host that was looked up: connect to ``address``, speak to ``host``."""

    host: str
    address: str
    private: bool


@dataclass(frozen=True, slots=True)
class Guard:
    """``networks`` may be reached although they are not public. ``hosts``: when there are any,
    only these and what lies below them.
    """

    networks: tuple[Network, ...] = ()
    hosts: tuple[str, ...] = ()

    async def endpoint(self, host: str, port: int) -> Endpoint:
        """Raises Undeliverable: final where it is forbidden, not where it cannot be found."""
        host = host.rstrip(".").lower()
        if not self.names(host):
            raise Undeliverable("The settings do not allow this host.", final=True, detail=host)
        for address in await _addresses(host, port):
            if self.allows(address):
                return Endpoint(host, str(address), not _public(address))
        raise Undeliverable(
            "This host is inside a network that is not allowed.", final=True, detail=host
        )

    def names(self, host: str) -> bool:
        return not self.hosts or any(host == h or host.endswith(f".{h}") for h in self.hosts)

    def allows(self, address: Address) -> bool:
        inner = _unwrapped(address)
        if any(inner in network for network in self.networks if network.version == inner.version):
            return True
        return _public(address)


def read_networks(text: str) -> tuple[Network, ...]:
    """Networks separated by commas or spaces; raises Invalid."""
    try:
        return tuple(ipaddress.ip_network(word) for word in text.replace(",", " ").split())
    except ValueError as error:
        raise Invalid(str(error), code="network") from None


def read_hosts(text: str) -> tuple[str, ...]:
    return tuple(word.strip(".").lower() for word in text.replace(",", " ").split())


def host_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a web address. Raises Invalid for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Invalid("This is no web address.", code="url") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid("A web address begins with https:// and a host.", code="url")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Invalid("The address names no user and no fragment.", code="url")
    if any(ord(sign) <= 32 for sign in url):
        raise Invalid("The address is written without spaces.", code="url")
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)


async def _addresses(host: str, port: int) -> Sequence[Address]:
    try:
        return [ipaddress.ip_address(host.strip("[]"))]
    except ValueError:
        pass
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Undeliverable("The host cannot be found.", detail=f"{host}: {error}") from None
    return [ipaddress.ip_address(str(place[4][0]).partition("%")[0]) for place in found]


def _public(address: Address) -> bool:
    inner = _unwrapped(address)
    return inner.is_global and not inner.is_multicast and not inner.is_reserved


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 address leads to, if it does."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address.teredo is not None:
            inner = address.teredo[1]
        return inner or address
    return address
