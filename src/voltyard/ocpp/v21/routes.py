"""OCPP 2.1 as a dialect: its error words, who answers a charger, how commands are expressed."""

from voltyard.ocpp.framing import WORDS_21
from voltyard.ocpp.routing import Version, ours, table
from voltyard.ocpp.v21.messages import MESSAGES
from voltyard.ocpp.v21.orders import express

DIALECT = Version("2.1", WORDS_21, table(MESSAGES), ours(MESSAGES), express)
