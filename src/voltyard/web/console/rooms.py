"""The rooms behind a technician's pages."""

from dataclasses import dataclass

from voltyard.bulk.service import BulkService
from voltyard.chargers.service import ChargerService
from voltyard.configuration.service import ConfigurationService
from voltyard.monitoring.service import MonitoringService


@dataclass(frozen=True, slots=True)
class TechnicianRooms:
    chargers: ChargerService
    configuration: ConfigurationService
    monitoring: MonitoringService
    bulk: BulkService
