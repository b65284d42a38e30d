"""What a simulated 2.0.1 station tells about itself: variables, reports, installed profiles."""

from collections.abc import Mapping
from math import ceil
from typing import Any

from voltyard.simulator.charger import Charger
from voltyard.simulator.profiles import PURPOSES, Profile, Purpose
from voltyard.simulator.rpc import Payload, Reply
from voltyard.simulator.variables201 import DeviceModel, Row
from voltyard.units import iso_z

_REPORT_ROWS = 10


class Reports201:
    """Answers to the server's questions about one station."""

    def __init__(self, charger: Charger) -> None:
        self._charger = charger
        self._known: DeviceModel | None = None

    def get_variables(self, payload: Payload) -> Reply:
        return Reply({"getVariableResult": self._model.get(payload["getVariableData"])})

    def set_variables(self, payload: Payload) -> Reply:
        return Reply({"setVariableResult": self._model.set(payload["setVariableData"])})

    def base(self, payload: Payload) -> Reply:
        base = payload["reportBase"]
        if base == "SummaryInventory":
            return Reply({"status": "NotSupported"})
        rows = self._model.report(writable_only=base == "ConfigurationInventory")
        request_id = int(payload["requestId"])
        return Reply({"status": "Accepted"}, lambda: self._notify_report(request_id, rows))

    def _notify_report(self, request_id: int, rows: list[Row]) -> None:
        parts = ceil(len(rows) / _REPORT_ROWS)
        for part in range(parts):
            self._charger.uplink.notify(
                "NotifyReport",
                {
                    "requestId": request_id,
                    "generatedAt": iso_z(self._charger.stage.device_now()),
                    "seqNo": part,
                    "tbc": part < parts - 1,
                    "reportData": rows[part * _REPORT_ROWS : (part + 1) * _REPORT_ROWS],
                },
            )

    def charging_profiles(self, payload: Payload) -> Reply:
        """K09: the profiles that match, one ReportChargingProfiles per EVSE."""
        criteria, evse = payload["chargingProfile"], payload.get("evseId")
        found = [
            profile
            for profile in self._charger.profiles.profiles
            if _matches(profile, criteria) and evse in (None, profile.evse)
        ]
        if not found:
            return Reply({"status": "NoProfiles"})
        request_id = int(payload["requestId"])
        return Reply({"status": "Accepted"}, lambda: self._report_profiles(request_id, found))

    def _report_profiles(self, request_id: int, found: list[Profile]) -> None:
        numbers = sorted({profile.evse for profile in found})
        for number in numbers:
            rows = [p.wire for p in found if p.evse == number]
            self._charger.uplink.notify(
                "ReportChargingProfiles",
                {
                    "requestId": request_id,
                    "chargingLimitSource": "CSO",
                    "evseId": number,
                    "chargingProfile": rows,
                    "tbc": number != numbers[-1],
                },
            )

    @property
    def _model(self) -> DeviceModel:
        if self._known is None:  # the charger is complete only after its dialect is made
            self._known = DeviceModel(self._charger)
        return self._known


def _matches(profile: Profile, criteria: Mapping[str, Any]) -> bool:
    """Whether a GetChargingProfiles criterion (K09) selects the profile."""
    ids, level = criteria.get("chargingProfileId"), criteria.get("stackLevel")
    purpose = criteria.get("chargingProfilePurpose")
    wanted: Purpose | None = PURPOSES.get(purpose) if purpose is not None else profile.purpose
    return (
        (ids is None or profile.id in ids)
        and level in (None, profile.stack_level)
        and profile.purpose is wanted
    )
