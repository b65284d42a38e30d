"""The rooms behind pages of technicians, of who may charge, and of what planning rests on."""

from dataclasses import dataclass

from voltyard.alerts.departures import DepartureDesk
from voltyard.alerts.service import AlertService
from voltyard.bookings.service import BookingService
from voltyard.bulk.service import BulkService
from voltyard.chargers.service import ChargerService
from voltyard.configuration.service import ConfigurationService
from voltyard.energy.policies.service import PolicyService
from voltyard.energy.prices.service import PriceService
from voltyard.fleets.service import FleetService
from voltyard.locallists.overview import ListOverview
from voltyard.locallists.service import LocalListService
from voltyard.monitoring.service import MonitoringService
from voltyard.notifications.service import NotificationService
from voltyard.reservations.service import ReservationService
from voltyard.sessions.service import SessionService
from voltyard.sitemeters.service import SiteMeterService
from voltyard.sites.service import SiteService
from voltyard.tenancy.service import TenancyService


@dataclass(frozen=True, slots=True)
class TechnicianRooms:
    chargers: ChargerService
    configuration: ConfigurationService
    monitoring: MonitoringService
    bulk: BulkService


@dataclass(frozen=True, slots=True)
class AccessRooms:
    chargers: ChargerService
    fleets: FleetService
    sessions: SessionService
    sites: SiteService
    reservations: ReservationService
    lists: LocalListService
    overview: ListOverview


@dataclass(frozen=True, slots=True)
class TellingRooms:
    alerts: AlertService
    departures: DepartureDesk
    notifications: NotificationService
    people: TenancyService


@dataclass(frozen=True, slots=True)
class InputRooms:
    meters: SiteMeterService
    prices: PriceService
    sites: SiteService
    policies: PolicyService


@dataclass(frozen=True, slots=True)
class BookingRooms:
    bookings: BookingService
    chargers: ChargerService
    fleets: FleetService
    sessions: SessionService
    sites: SiteService
