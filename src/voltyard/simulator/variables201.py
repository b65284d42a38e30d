"""The device model of a simulated OCPP 2.0.1 station: its variables, reads, writes and reports."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from voltyard.errors import Invalid
from voltyard.simulator.charger import Charger
from voltyard.simulator.evse import StationSpec
from voltyard.simulator.meter import MEASURANDS, check_measurands
from voltyard.simulator.serving import MOST_PERIODS, MOST_STACK_LEVEL
from voltyard.simulator.settings import Setting, read, write
from voltyard.simulator.tokens import PER_MESSAGE

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Address:
    """A variable's place: component (of an EVSE, perhaps), name and instance."""

    component: str
    variable: str
    evse: int | None = None
    instance: str = ""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Address":
        evse = row["component"].get("evse")
        number = None if evse is None else int(evse["id"])
        variable = row["variable"]
        instance = variable.get("instance", "")
        return cls(row["component"]["name"], variable["name"], number, instance)


def _fixed(value: str, kind: str = "string") -> Setting:
    return Setting(value=value, kind="boolean" if kind == "boolean" else "string", writable=False)


_STATION: Mapping[Address, Setting] = {
    Address("OCPPCommCtrlr", "HeartbeatInterval"): Setting("heartbeat_s", least=1),
    Address("OCPPCommCtrlr", "MessageAttempts"): Setting("attempts", least=1),
    Address("OCPPCommCtrlr", "MessageAttemptInterval"): Setting("retry_s"),
    Address("OCPPCommCtrlr", "OfflineThreshold"): _fixed("60"),
    Address("OCPPCommCtrlr", "WebSocketPingInterval"): _fixed("30"),
    Address("OCPPCommCtrlr", "FileTransferProtocols"): _fixed("HTTPS"),
    Address("AuthCtrlr", "AuthorizeRemoteStart"): Setting("authorize_remote", kind="boolean"),
    Address("AuthCtrlr", "OfflineTxForUnknownIdEnabled"): Setting(
        "offline_unknown", kind="boolean"
    ),
    Address("AuthCacheCtrlr", "Enabled"): Setting("cache", kind="boolean"),
    Address("LocalAuthListCtrlr", "Enabled"): Setting("local_list", kind="boolean"),
    Address("LocalAuthListCtrlr", "ItemsPerMessage"): _fixed(str(PER_MESSAGE)),
    Address("ReservationCtrlr", "Enabled"): _fixed("true", "boolean"),
    Address("ReservationCtrlr", "NonEvseSpecific"): _fixed("true", "boolean"),
    Address("SampledDataCtrlr", "TxUpdatedInterval"): Setting("sample_s"),
    Address("SampledDataCtrlr", "TxUpdatedMeasurands"): Setting("measurands", kind="string"),
    Address("AlignedDataCtrlr", "Interval"): Setting("aligned_s"),
    Address("TxCtrlr", "EVConnectionTimeOut"): Setting("connection_timeout_s"),
    Address("TxCtrlr", "StopTxOnInvalidId"): Setting("stop_on_invalid", kind="boolean"),
    Address("TxCtrlr", "StopTxOnEVSideDisconnect"): _fixed("true", "boolean"),
    Address("TxCtrlr", "TxStartPoint"): _fixed("PowerPathClosed"),
    Address("TxCtrlr", "TxStopPoint"): _fixed("EVConnected,Authorized"),
    Address("SmartChargingCtrlr", "Enabled"): _fixed("true", "boolean"),
    Address("SmartChargingCtrlr", "ProfileStackLevel"): _fixed(str(MOST_STACK_LEVEL)),
    Address("SmartChargingCtrlr", "PeriodsPerSchedule"): _fixed(str(MOST_PERIODS)),
    Address("SmartChargingCtrlr", "Entries"): _fixed("20"),
    Address("ChargingStation", "AvailabilityState"): _fixed(""),
    Address("ChargingStation", "Model"): _fixed(""),
    Address("ChargingStation", "VendorName"): _fixed(""),
    Address("ChargingStation", "SupplyPhases"): _fixed(""),
}
_LISTS = {"measurands": ",".join(MEASURANDS)}
_RATE = Address("SmartChargingCtrlr", "RateUnit")


def _of_21(spec: StationSpec) -> dict[Address, Setting]:
    """Limits that are updated (K28), and what its outlets can do beside charging (Q01)."""
    found: dict[Address, Setting] = {}
    if spec.protocol != "ocpp2.1":
        return found
    for feature in ("DynamicProfiles", "MaxOfflineDuration"):
        address = Address("SmartChargingCtrlr", "SupportsFeature", None, feature)
        found[address] = _fixed("true" if spec.dynamic else "false", "boolean")
    for evse in spec.evses:
        if evse.discharge_w <= 0.0:
            continue
        fixed = {
            "Enabled": _fixed("true", "boolean"),
            "SupportedOperationModes": _fixed(",".join(_MODES)),
            "SupportedEnergyTransferModes": _fixed("DC,DC_BPT"),
        }
        for name, setting in fixed.items():
            found[Address("V2XChargingCtrlr", name, evse.number)] = setting
        for mode in _MODES[1:3]:
            address = Address("V2XChargingCtrlr", "TxUpdatedMeasurands", evse.number, mode)
            found[address] = Setting("v2x_measurands", kind="string")
    return found


_MODES = ("ChargingOnly", "CentralSetpoint", "CentralFrequency", "Idle")


class DeviceModel:
    """The variables of one station."""

    def __init__(self, charger: Charger) -> None:
        self._charger = charger
        self._settings = dict(_STATION)
        self._settings[_RATE] = _fixed(",".join(charger.plan.quirks.rate_units))
        self._settings |= _of_21(charger.spec)
        for evse in charger.spec.evses:
            for variable in ("AvailabilityState", "Power", "SupplyPhases", "Available"):
                self._settings[Address("EVSE", variable, evse.number)] = _fixed("")

    def get(self, rows: Iterable[Mapping[str, Any]]) -> list[Row]:
        """GetVariables (B06): every row is answered."""
        return [self._get(row) for row in rows]

    def set(self, rows: Iterable[Mapping[str, Any]]) -> list[Row]:
        """SetVariables (B05)."""
        return [self._set(row) for row in rows]

    def report(self, *, writable_only: bool) -> list[Row]:
        """Every variable as ReportDataType (B07)."""
        return [
            self._report_row(address, setting)
            for address, setting in self._settings.items()
            if setting.writable or not writable_only
        ]

    def _get(self, row: Mapping[str, Any]) -> Row:
        address, kind = Address.of(row), row.get("attributeType", "Actual")
        answer = _place(row)
        status = self._known(address)
        if status == "Accepted" and kind != "Actual":
            status = "NotSupportedAttributeType"
        answer["attributeStatus"] = status
        if status == "Accepted":
            answer["attributeValue"] = self._value(address)
        return answer

    def _set(self, row: Mapping[str, Any]) -> Row:
        address, kind = Address.of(row), row.get("attributeType", "Actual")
        answer = _place(row)
        status = self._known(address)
        if status == "Accepted":
            status = self._write(address, kind, str(row["attributeValue"]))
        answer["attributeStatus"] = status
        return answer

    def _write(self, address: Address, kind: str, text: str) -> str:
        setting = self._settings[address]
        if kind != "Actual":
            return "NotSupportedAttributeType"
        if not setting.writable:
            return "Rejected"
        try:
            if setting.attribute in ("measurands", "v2x_measurands"):
                check_measurands(text)
            write(self._owner(setting), setting, text)
        except Invalid:
            return "Rejected"
        return "RebootRequired" if setting.reboot else "Accepted"

    def _known(self, address: Address) -> str:
        if address in self._settings:
            return "Accepted"
        components = {(known.component, known.evse) for known in self._settings}
        if (address.component, address.evse) in components:
            return "UnknownVariable"
        return "UnknownComponent"

    def _owner(self, setting: Setting) -> object:
        uplink = self._charger.uplink.settings
        found = setting.attribute is not None and hasattr(uplink, setting.attribute)
        return uplink if found else self._charger.settings

    def _value(self, address: Address) -> str:
        spec = self._charger.spec
        if address.component == "ChargingStation":
            return {
                "AvailabilityState": "Available" if self._charger.operative else "Unavailable",
                "Model": spec.model,
                "VendorName": spec.vendor,
                "SupplyPhases": str(spec.phases),
            }[address.variable]
        if address.component == "EVSE" and address.evse is not None:
            evse = self._charger.evse(address.evse)
            return {
                "AvailabilityState": evse.status.value,
                "Available": "true",
                "Power": str(int(evse.spec.max_power_w)),
                "SupplyPhases": str(evse.spec.phases),
            }[address.variable]
        setting = self._settings[address]
        return read(self._owner(setting), setting)

    def _report_row(self, address: Address, setting: Setting) -> Row:
        component: Row = {"name": address.component}
        if address.evse is not None:
            component["evse"] = {"id": address.evse}
        traits: Row = {"dataType": setting.kind, "supportsMonitoring": False}
        if setting.attribute in _LISTS:
            traits |= {"dataType": "MemberList", "valuesList": _LISTS[setting.attribute]}
        return {
            "component": component,
            "variable": {"name": address.variable}
            | ({"instance": address.instance} if address.instance else {}),
            "variableAttribute": [
                {
                    "type": "Actual",
                    "value": self._value(address),
                    "mutability": "ReadWrite" if setting.writable else "ReadOnly",
                }
            ],
            "variableCharacteristics": traits,
        }


def _place(row: Mapping[str, Any]) -> Row:
    answer = {"component": row["component"], "variable": row["variable"]}
    if "attributeType" in row:
        answer["attributeType"] = row["attributeType"]
    return answer
