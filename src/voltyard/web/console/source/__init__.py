"""The console's data, read from and changed through the services of the rooms."""

from voltyard.web.console.source.parts import EnergyReads, Services
from voltyard.web.console.source.running import ServiceData

__all__ = ["EnergyReads", "ServiceData", "Services"]
