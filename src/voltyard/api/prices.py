"""What a site pays for energy: its tariff, prices by quarter hours, peaks of billing periods."""

from datetime import datetime, time, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest
from voltyard.api.wire import In, Out
from voltyard.energy.prices.model import (
    Band,
    Objective,
    Period,
    Point,
    PriceKind,
    Slot,
    Tariff,
)
from voltyard.energy.prices.sources import FORMATS, SOURCES


class BandIn(In):
    """A price per kWh at local times, ``to_time`` exclusive; the first that applies counts.

    ``weekdays``: 0 is Monday. ``months`` empty: all.
    """

    price_per_kwh: float
    from_time: time | None = None
    to_time: time | None = None
    weekdays: list[int] = msgspec.field(default_factory=lambda: list(range(7)))
    months: list[int] = msgspec.field(default_factory=list)


class SiteTariffIn(In):
    """With a ``source`` (and its ``zone``) the market's price takes the place of ``bands``; a
    source that is one of the file formats means that prices are brought in.

    Per kWh: (energy + markup + fee of ``fees`` + taxes) × (1 + VAT). ``demand_per_kw`` is the
    price of the billing period's highest quarter of an hour.
    """

    currency: Annotated[str, msgspec.Meta(min_length=3, max_length=3)] = "EUR"
    source: str = ""
    zone: Annotated[str, msgspec.Meta(max_length=40)] = ""
    bands: list[BandIn] = msgspec.field(default_factory=list)
    fees: list[BandIn] = msgspec.field(default_factory=list)
    markup_per_kwh: float = 0.0
    taxes_per_kwh: float = 0.0
    vat_pct: float = 0.0
    export_per_kwh: float | None = None
    export_at_market: bool = False
    demand_per_kw: float = 0.0
    demand_period: Period = Period.YEAR
    carbon_price_per_t: float = 0.0
    carbon_g_per_kwh: float | None = None
    objective: Objective = Objective.PEAK


class SiteTariffOut(SiteTariffIn):
    """As it is in force."""


class PriceIn(In):
    """Per MWh (kg per MWh for CO2)."""

    start_at: Annotated[datetime, msgspec.Meta(tz=True)]
    value: Annotated[float, msgspec.Meta(ge=-1e6, le=1e6)]
    seconds: Annotated[int, msgspec.Meta(ge=60, le=86_400)] = 900


class PriceOut(Out):
    """A quarter of an hour. ``bridged``: no source told it; it is taken from alike days."""

    start_at: datetime
    value: float
    bridged: bool


class PricesOut(Out):
    """Per MWh; ``carbon`` in kg per MWh. ``energy`` is the market or the table alone, ``total``
    has fees and taxes on top. ``fault``: why the source told nothing when it was asked last."""

    currency: str
    energy: list[PriceOut]
    total: list[PriceOut]
    export: list[PriceOut]
    carbon: list[PriceOut]
    fault: str
    asked_at: datetime | None


class PeakOut(Out):
    """The highest quarter of an hour of a billing period. ``metered``: by a site meter, else the
    chargers alone."""

    begins_at: datetime
    peak_w: float
    peak_at: datetime
    metered: bool


class SourceOut(Out):
    name: str
    kinds: list[PriceKind]
    zones: list[str]
    needs_key: bool


class SourcesOut(Out):
    """What can be asked for prices, and which files can be brought in."""

    sources: list[SourceOut]
    formats: list[str]


class BroughtOut(Out):
    """How many prices came in."""

    count: int


@get("/price-sources", summary="Sources of prices and shapes of files")
async def price_sources(who: Who) -> SourcesOut:
    return SourcesOut(
        sources=[
            SourceOut(
                name=source.name,
                kinds=sorted(source.kinds),
                zones=list(source.zones),
                needs_key=source.needs_key,
            )
            for source in SOURCES
        ],
        formats=list(FORMATS),
    )


@get("/sites/{site_id:uuid}/tariff", summary="What the site pays")
async def tariff(deps: Deps, who: Who, site_id: FromPath[UUID]) -> SiteTariffOut:
    return _shown(await deps.prices.tariff(who, site_id))


@put("/sites/{site_id:uuid}/tariff", summary="Set what the site pays")
async def set_tariff(
    deps: Deps, who: Who, request: AnyRequest, site_id: FromPath[UUID], data: JSONBody[SiteTariffIn]
) -> SiteTariffOut:
    """Counts from the next plan on. ``objective``: peak, cost or carbon."""
    made = _tariff(data)
    await deps.prices.set_tariff(who, site_id, made, remote=remote_of(request))
    return _shown(made)


@get("/sites/{site_id:uuid}/prices", summary="Prices by quarter hours")
async def prices(
    deps: Deps,
    who: Who,
    site_id: FromPath[UUID],
    since: Annotated[datetime | None, QueryParameter(description="Default: now.")] = None,
    until: Annotated[datetime | None, QueryParameter(description="Default: a day later.")] = None,
) -> PricesOut:
    since = since or deps.clock.now()
    until = until or since + timedelta(hours=24)
    view = await deps.prices.view(who, site_id, since, until)
    return PricesOut(
        currency=view.tariff.currency,
        energy=_slots(view.energy),
        total=_slots(view.total),
        export=_slots(view.export),
        carbon=_slots(view.carbon),
        fault=view.fault,
        asked_at=view.asked_at,
    )


@post("/sites/{site_id:uuid}/prices", summary="Tell prices", status_code=200)
async def put_prices(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    site_id: FromPath[UUID],
    data: JSONBody[Annotated[list[PriceIn], msgspec.Meta(max_length=50_000)]],
    kind: FromQuery[PriceKind] = PriceKind.IMPORT,
) -> BroughtOut:
    """They take the place of those of the same instants."""
    points = [Point(price.start_at, price.seconds, price.value) for price in data]
    count = await deps.prices.put(who, site_id, kind, points, "rest", remote=remote_of(request))
    return BroughtOut(count=count)


@post("/sites/{site_id:uuid}/prices/file", summary="Bring in a file of prices", status_code=200)
async def bring_in(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    site_id: FromPath[UUID],
    shape: Annotated[str, QueryParameter(description="One of the formats.")] = "csv",
    kind: FromQuery[PriceKind] = PriceKind.IMPORT,
) -> BroughtOut:
    """The body is the file as its source gives it (ENTSO-E XML, SMARD CSV, …)."""
    body = await request.body()
    count = await deps.prices.bring_in(who, site_id, kind, shape, body, remote=remote_of(request))
    return BroughtOut(count=count)


@get("/sites/{site_id:uuid}/peaks", summary="Peaks of billing periods")
async def peaks(deps: Deps, who: Who, site_id: FromPath[UUID]) -> list[PeakOut]:
    found = await deps.prices.peaks(who, site_id)
    return [
        PeakOut(begins_at=p.begins_at, peak_w=p.peak_w, peak_at=p.peak_at, metered=p.metered)
        for p in found
    ]


def _tariff(data: SiteTariffIn) -> Tariff:
    values = msgspec.structs.asdict(data)
    for name in ("bands", "fees"):
        values[name] = tuple(_band(band) for band in values[name])
    return Tariff(**values)


def _band(band: BandIn) -> Band:
    values = msgspec.structs.asdict(band)
    return Band(**values | {"weekdays": frozenset(band.weekdays), "months": frozenset(band.months)})


def _shown(tariff: Tariff) -> SiteTariffOut:
    plain = {
        name: getattr(tariff, name)
        for name in Tariff.__dataclass_fields__
        if name not in ("bands", "fees")
    }
    return SiteTariffOut(**plain, bands=_bands(tariff.bands), fees=_bands(tariff.fees))


def _bands(bands: tuple[Band, ...]) -> list[BandIn]:
    return [
        BandIn(
            price_per_kwh=b.price_per_kwh,
            from_time=b.from_time,
            to_time=b.to_time,
            weekdays=sorted(b.weekdays),
            months=sorted(b.months),
        )
        for b in bands
    ]


def _slots(slots: tuple[Slot, ...]) -> list[PriceOut]:
    return [PriceOut(start_at=s.start_at, value=s.value, bridged=s.bridged) for s in slots]


ROUTER = Router(
    path="/",
    tags=["Prices"],
    route_handlers=[price_sources, tariff, set_tariff, prices, put_prices, bring_in, peaks],
)
