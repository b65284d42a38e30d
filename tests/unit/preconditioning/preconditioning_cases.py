"""A departure on a winter morning, and what is said about it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from voltyard.fleets.model import Vehicle
from voltyard.preconditioning.model import Kind, Reported, Rule, Source, Wish
from voltyard.preconditioning.schedule import Asked
from voltyard.timetable.model import Duty

BERLIN = ZoneInfo("Europe/Berlin")
ORG, SITE = UUID(int=1), UUID(int=2)
DEPARTS = datetime(2026, 1, 16, 4, 0, tzinfo=UTC)
"""A Friday, 05:00 in Berlin."""
NOW = DEPARTS - timedelta(hours=5)
BUS = Vehicle(UUID(int=10), ORG, "Bus 1", "12m", 350e3)


def duty(**more: object) -> Duty:
    base = Duty(
        UUID(int=20), ORG, SITE, "N12-5", NOW - timedelta(hours=3), DEPARTS, vehicle_id=BUS.id
    )
    return replace(base, **more)  # type: ignore[arg-type]


def rule(number: int = 1, **more: object) -> Rule:
    base = Rule(UUID(int=100 + number), ORG, f"rule {number}", Kind.HEATING, 12e3)
    return replace(base, **more)  # type: ignore[arg-type]


def wish(**more: object) -> Wish:
    base = Wish(UUID(int=200), ORG, Kind.COOLING, Source.PRESYSTEM, duty_id=duty().id, asked_at=NOW)
    return replace(base, **more)  # type: ignore[arg-type]


def told(**more: object) -> Reported:
    base = Reported(BUS.id, ORG, "WEB62804113456789", NOW, climate_s=1800.0, climate_wh=6_000.0)
    return replace(base, **more)  # type: ignore[arg-type]


def asked(**more: object) -> Asked:
    base = Asked(NOW, BERLIN, [duty()], {BUS.id: BUS}, site_org_id=ORG)
    return replace(base, **more)  # type: ignore[arg-type]


def before(**span: float) -> datetime:
    return DEPARTS - timedelta(**span)
