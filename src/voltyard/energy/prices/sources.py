"""Where prices come from: a small class a source, all in one tuple. Pure: it names what to ask."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import urlencode

from voltyard.energy.prices import shapes
from voltyard.energy.prices.model import Point, PriceKind

Reader = Callable[[bytes, str], list[Point]]


class PriceSource(Protocol):
    """See docs/extend/price-source.md. ``kinds``: what it tells; ``zones``: examples of them."""

    @property
    def name(self) -> str: ...

    @property
    def kinds(self) -> frozenset[PriceKind]: ...

    @property
    def zones(self) -> tuple[str, ...]: ...

    @property
    def needs_key(self) -> bool: ...

    @property
    def read(self) -> Reader: ...

    def url(
        self, kind: PriceKind, zone: str, from_at: datetime, until_at: datetime, key: str
    ) -> str:
        """What to GET for prices over [from_at, until_at)."""


@dataclass(frozen=True, slots=True)
class Entsoe:
    """Transparency platform: a zone is an EIC code; a key is free on request."""

    name: str = "entsoe"
    kinds: frozenset[PriceKind] = frozenset({PriceKind.IMPORT})
    zones: tuple[str, ...] = ("10Y1001A1001A82H", "10YAT-APG------L", "10YFR-RTE------C")
    needs_key: bool = True
    read: Reader = shapes.entsoe

    def url(
        self, kind: PriceKind, zone: str, from_at: datetime, until_at: datetime, key: str
    ) -> str:
        asked = {
            "documentType": "A44",
            "in_Domain": zone,
            "out_Domain": zone,
            "periodStart": f"{from_at:%Y%m%d%H%M}",
            "periodEnd": f"{until_at:%Y%m%d%H%M}",
            "securityToken": key,
        }
        return f"https://web-api.tp.entsoe.eu/api?{urlencode(asked)}"


@dataclass(frozen=True, slots=True)
class EnergyCharts:
    """Fraunhofer ISE: a zone is a bidding zone; for CO2 a country. No key."""

    name: str = "energy-charts"
    kinds: frozenset[PriceKind] = frozenset({PriceKind.IMPORT, PriceKind.CARBON})
    zones: tuple[str, ...] = ("DE-LU", "AT", "FR", "NL", "BE", "CH", "PL", "DK1")
    needs_key: bool = False
    read: Reader = shapes.energy_charts

    def url(
        self, kind: PriceKind, zone: str, from_at: datetime, until_at: datetime, key: str
    ) -> str:
        span = {"start": f"{from_at:%Y-%m-%dT%H:%MZ}", "end": f"{until_at:%Y-%m-%dT%H:%MZ}"}
        if kind is PriceKind.CARBON:
            asked = {"country": zone.split("-")[0].lower(), **span}
            return f"https://api.energy-charts.info/co2eq?{urlencode(asked)}"
        return f"https://api.energy-charts.info/price?{urlencode({'bzn': zone, **span})}"


@dataclass(frozen=True, slots=True)
class Awattar:
    """EPEX prices of Germany and Austria, hourly. No key."""

    name: str = "awattar"
    kinds: frozenset[PriceKind] = frozenset({PriceKind.IMPORT})
    zones: tuple[str, ...] = ("DE", "AT")
    needs_key: bool = False
    read: Reader = shapes.awattar

    def url(
        self, kind: PriceKind, zone: str, from_at: datetime, until_at: datetime, key: str
    ) -> str:
        host = "api.awattar.at" if zone.upper() == "AT" else "api.awattar.de"
        start_ms, end_ms = int(from_at.timestamp() * 1e3), int(until_at.timestamp() * 1e3)
        return f"https://{host}/v1/marketdata?start={start_ms}&end={end_ms}"


SOURCES: tuple[PriceSource, ...] = (EnergyCharts(), Awattar(), Entsoe())
"""Every source that can be asked."""

FORMATS: dict[str, Reader] = {
    "entsoe": shapes.entsoe,
    "energy-charts": shapes.energy_charts,
    "awattar": shapes.awattar,
    "smard-csv": shapes.smard,
    "smard-json": shapes.smard_series,
    "csv": shapes.table,
}
"""Every shape of file that can be brought in."""


def source_of(name: str) -> PriceSource | None:
    return next((source for source in SOURCES if source.name == name), None)
