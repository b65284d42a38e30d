"""OCPP 2.0.1 as a dialect: its error words, who answers a charger, how commands are expressed."""

from voltyard.ocpp.framing import WORDS_201
from voltyard.ocpp.routing import Version, ours, table
from voltyard.ocpp.v201.messages import MESSAGES
from voltyard.ocpp.v201.orders import express

DIALECT = Version("2.0.1", WORDS_201, table(MESSAGES), ours(MESSAGES), express)
