"""Implements ``billing.ports.Words``: how chargers are told of tariffs and costs."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from voltyard.billing.model import Tariff
from voltyard.chargers.commands import Ask, Command, CommandResult
from voltyard.ocpp.v21.tariffs import write_tariff

BOTH = frozenset({"2.0.1", "2.1"})
NEWEST = "2.1"


class TariffWords:
    """OCPP 1.6 has no words for any of it."""

    def cost(self, version: str, transaction_ref: str, total: Decimal) -> Command | None:
        """I02."""
        payload = {"totalCost": float(total), "transactionId": transaction_ref}
        return Ask("CostUpdated", payload) if version in BOTH else None

    def set_default(
        self, version: str, evse_number: int, tariff: Tariff, key: str
    ) -> Command | None:
        """I07."""
        payload = {"evseId": evse_number, "tariff": _written(tariff, key)}
        return Ask("SetDefaultTariff", payload) if version == NEWEST else None

    def change(self, version: str, transaction_ref: str, tariff: Tariff) -> Command | None:
        """I11."""
        payload = {"transactionId": transaction_ref, "tariff": _written(tariff, tariff.key)}
        return Ask("ChangeTransactionTariff", payload) if version == NEWEST else None

    def clear(self, version: str, tariff_keys: Sequence[str]) -> Command | None:
        """I10."""
        payload = {"tariffIds": list(tariff_keys)}
        return Ask("ClearTariffs", payload) if version == NEWEST else None

    def read(self, version: str) -> Command | None:
        """I09."""
        return Ask("GetTariffs", {"evseId": 0}) if version == NEWEST else None

    def web_payment(self, version: str, evse_number: int, timeout_s: int) -> Command | None:
        """C25.FR.21."""
        payload = {"evseId": evse_number, "timeout": timeout_s}
        return Ask("NotifyWebPaymentStarted", payload) if version == NEWEST else None

    def assigned(self, result: CommandResult) -> Sequence[Mapping[str, Any]]:
        answer: Mapping[str, Any] = result.detail.get("answer", {})
        return [
            {
                "key": row["tariffId"],
                "driver": row.get("tariffKind") == "DriverTariff",
                "evse_numbers": tuple(row.get("evseIds") or ()),
            }
            for row in answer.get("tariffAssignments") or ()
        ]


def _written(tariff: Tariff, key: str) -> Any:
    return msgspec.to_builtins(write_tariff(tariff, key))
