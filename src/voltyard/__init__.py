"""voltyard: charging management for electric fleets and the sites they charge at."""

__version__ = "0.1.0"
