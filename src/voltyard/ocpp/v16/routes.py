"""OCPP 1.6 as a dialect: its error words, who answers a charger, how commands are expressed."""

from voltyard.ocpp.framing import WORDS_16
from voltyard.ocpp.routing import Version, ours, table
from voltyard.ocpp.v16.messages import MESSAGES
from voltyard.ocpp.v16.orders import express

DIALECT = Version("1.6", WORDS_16, table(MESSAGES), ours(MESSAGES), express)
