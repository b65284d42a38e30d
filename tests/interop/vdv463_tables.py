"""VDV 463's fields as tables, and a check of payloads against them; knows nothing of voltyard.

A field is ``name: (type, presence)``; presence has a letter for 1.0, 1.1 and 2.0-rc1: R required,
o optional, - unknown and so forbidden.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

COLUMN = {"1.0": 0, "1.1": 1, "2.0-rc1": 2}
Table = Mapping[str, tuple[str, str]]

ENUMS: Mapping[str, Mapping[str, str]] = {
    "PointStatus": dict.fromkeys(
        ("Available", "Occupied", "Reserved", "Unavailable", "Faulted"), "ooo"
    ),
    "StationStatus": dict.fromkeys(("Available", "Unavailable", "Faulted"), "oo-"),
    "PointFaultCode": dict.fromkeys(
        ("NoFaultKnown", "UsageFailure", "CommunicationFailure", "OtherChargingPointFailure"), "ooo"
    ),
    "StationFaultCode": dict.fromkeys(
        (
            "NoFaultKnown",
            "UsageFailure",
            "CommunicationFailure",
            "ElectricalOperationFailure",
            "ConfigurationFailure",
            "OtherChargingStationFailure",
        ),
        "ooo",
    ),
    "ProcessStatus": dict.fromkeys(
        (
            "Preparing",
            "Charging",
            "SuspendedEVSE",
            "SuspendedEV",
            "Finishing",
            "Queued",
            "ChargingRejectedTechnically",
        ),
        "ooo",
    ),
    "VehicleStatus": {
        **dict.fromkeys(("ReadyToCharge", "Charging", "ChargingImpossible", "Unknown"), "ooo"),
        **dict.fromkeys(("ChargingAndPreconditioning", "Preconditioning"), "--o"),
    },
    "PredictionStatus": dict.fromkeys(("Ongoing", "Finished"), "--o"),
    "Condition": dict.fromkeys(("OK", "NOK", "NA"), "--o"),
}
OBJECTS: Mapping[str, Table] = {
    "Information": {
        "depotInfoList": ("[Depot]", "RRR"),
        "rejectedChargingRequestInfoList": ("[Rejected]", "--o"),
    },
    "Rejected": {
        "presystemId": ("id", "--R"),
        "chargingRequestId": ("id", "--R"),
        "reason": ("text", "--R"),
    },
    "Depot": {
        "depotId": ("id", "RRR"),
        "name": ("text", "ooo"),
        "chargingStationInfoList": ("[Station]", "RRR"),
    },
    "Station": {
        "chargingStationId": ("id", "RRR"),
        "chargingStationStatus": ("StationStatus", "RR-"),
        "chargingPointInfoList": ("[Point]", "RRR"),
        "chargingStationFaultInfo": ("StationFault", "ooo"),
        "totalPower": ("number", "ooo"),
    },
    "StationFault": {
        "chargingStationFaultCode": ("StationFaultCode", "RRR"),
        "faultText": ("text", "ooo"),
        "faultTimeStamp": ("time", "RRR"),
    },
    "Point": {
        "chargingPointId": ("id", "RRR"),
        "chargingPointStatus": ("PointStatus", "RRR"),
        "insideTemperature": ("number", "ooo"),
        "outsideTemperature": ("number", "ooo"),
        "connectorTemperature": ("number", "ooo"),
        "presentPower": ("number", "oo-"),
        "energyMeterReading": ("number", "ooo"),
        "chargingPointFaultInfo": ("PointFault", "ooo"),
        "vehicleInfo": ("Vehicle", "ooo"),
        "chargingProcessInfo": ("Process", "ooo"),
        "scheduledChargingProcessList": ("[Scheduled]", "ooo"),
        "presentPowerLimit": ("number", "--o"),
    },
    "PointFault": {
        "chargingPointFaultCode": ("PointFaultCode", "RRR"),
        "faultText": ("text", "ooo"),
        "faultTimeStamp": ("time", "RRR"),
    },
    "Vehicle": {
        "vehicleId": ("id", "RRR"),
        "mileage": ("integer", "ooo"),
        "tractionBatteryInfo": ("Battery", "ooo"),
        "vehicleStatusInfo": ("VehicleFlags", "RRR"),
        "vehicleChargingStatus": ("VehicleStatus", "RRR"),
        "vehicleFaultInfo": ("VehicleFault", "ooo"),
        "preconditioningInfo": ("Preconditioning", "RRR"),
        "evccId": ("text", "-oo"),
        "h2TankInfo": ("H2Tank", "--o"),
    },
    "Battery": {
        "stateOfHealth": ("percent", "ooo"),
        "stateOfCharge": ("percent", "ooo"),
        "temperature": ("integer", "ooo"),
        "batteryStatus": ("Condition", "--o"),
    },
    "H2Tank": {"h2TankStatus": ("Condition", "--o")},
    "VehicleFlags": {
        **dict.fromkeys(
            (
                "conservationChargingActive",
                "systemPreconditioningActive",
                "hvacPreconditioningActive",
                "balancingActive",
                "fossilFlameControlActive",
            ),
            ("boolean", "ooo"),
        ),
        "batteryChargingVoltage": ("number", "ooo"),
    },
    "VehicleFault": {
        "vehicleFaultCode": ("text", "RRR"),
        "faultText": ("text", "ooo"),
        "faultTimeStamp": ("time", "RRR"),
    },
    "Preconditioning": dict.fromkeys(
        (
            "hvBatteryPreconditioningTime",
            "hvBatteryChargingEnergy",
            "vehiclePreconditioningTime",
            "vehiclePreconditioningEnergy",
        ),
        ("integer", "ooo"),
    ),
    "Process": {
        "presystemId": ("id", "ooo"),
        "chargingRequestId": ("id", "ooo"),
        "chargingProcessId": ("id", "RRR"),
        "processStatus": ("ProcessStatus", "RRR"),
        "startTime": ("time", "RRR"),
        "chargingPredictionData": ("Prediction", "RRR"),
        "electricData": ("Electric", "RRR"),
        "deliveredEnergy": ("number", "ooo"),
    },
    "Electric": {
        "chargingCurrent": ("number", "ooo"),
        "chargingVoltage": ("number", "ooo"),
        "chargingPower": ("number", "RRo"),
        "reactivePower": ("number", "ooo"),
    },
    "Prediction": {
        "chargingPredictionDataMinSoc": ("MinSoc", "Ro-"),
        "chargingPredictionDataFinalSoc": ("FinalSoc", "oo-"),
        "chargingPredictionDataDepartureTime": ("Departure", "-oo"),
        "chargingPredictionDataStatus": ("PredictionStatus", "--R"),
        "chargingPredictionDataMinTargetSoc": ("MinTarget", "--o"),
        "chargingPredictionDataMaxTargetSoc": ("MaxTarget", "--o"),
        "chargingProgressPredictionList": ("[Progress]", "--o"),
    },
    "MinSoc": {"requestedMinSoc": ("number", "RR-"), "predictedTime": ("time", "RR-")},
    "FinalSoc": {"predictedFinalSoc": ("number", "RR-"), "predictedTime": ("time", "RR-")},
    "Departure": {
        "predictedDepartureTimeSoc": ("percent", "-RR"),
        "predictedTime": ("time", "-R-"),
        "requestedTimeForDeparture": ("time", "--R"),
    },
    "MinTarget": {"requestedMinTargetSoc": ("percent", "--R"), "predictedTime": ("time", "--R")},
    "MaxTarget": {"requestedMaxTargetSoc": ("percent", "--R"), "predictedTime": ("time", "--R")},
    "Progress": {"predictedSoc": ("percent", "--R"), "predictedTime": ("time", "--R")},
    "Scheduled": {
        "presystemId": ("id", "ooo"),
        "chargingRequestId": ("id", "RRR"),
        "chargingProcessId": ("id", "ooo"),
        "vehicleId": ("id", "RRR"),
        "startTime": ("time", "ooo"),
        "chargingPredictionData": ("Prediction", "RRR"),
    },
    "Boot": {"status": ("BootStatus", "RRR")},
    "Nothing": {},
    "Refusal": {"message": ("text", "oo-"), "errorMessage": ("text", "--R")},
}
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def faults(kind: str, value: Any, version: str, where: str = "$") -> Iterator[str]:
    """Everything that is wrong with a value of a kind, by its path."""
    if kind.startswith("["):
        yield from _list(kind[1:-1], value, version, where)
    elif kind in OBJECTS:
        yield from _object(OBJECTS[kind], value, version, where)
    elif not _plain(kind, value, version):
        yield f"{where}: {value!r} is no {kind}"


def _list(kind: str, value: Any, version: str, where: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{where}: no list"
        return
    if version == "1.0" and not value:
        yield f"{where}: an empty list"
    for index, item in enumerate(value):
        yield from faults(kind, item, version, f"{where}[{index}]")


def _object(table: Table, value: Any, version: str, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: no object"
        return
    column = COLUMN[version]
    for name, (_, presence) in table.items():
        if presence[column] == "R" and name not in value:
            yield f"{where}.{name}: missing"
    for name, item in value.items():
        if name not in table or table[name][1][column] == "-":
            yield f"{where}.{name}: not of {version}"
        else:
            yield from faults(table[name][0], item, version, f"{where}.{name}")


def _plain(kind: str, value: Any, version: str) -> bool:
    if kind in ENUMS:
        return ENUMS[kind].get(str(value), "---")[COLUMN[version]] == "o"
    if kind == "BootStatus":
        return value in ("Accepted", "Rejected")
    if kind == "boolean":
        return isinstance(value, bool)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "integer":
        return number and float(value).is_integer()
    if kind == "percent":
        return number and 0 <= value <= 100
    if kind == "number":
        return number
    if not isinstance(value, str):
        return False
    if kind == "time":
        return bool(_TIME.fullmatch(value)) and datetime.fromisoformat(value) is not None
    return kind == "text" or version != "1.0" or bool(_URI.fullmatch(value))
