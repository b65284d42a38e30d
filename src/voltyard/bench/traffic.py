"""What the bench's chargers say: a few bytes of a prepared call change from message to message.

Three of four chargers speak 1.6 and send MeterValues of eight sampled values, the others 2.0.1 and
TransactionEvent with the same eight; every fourth message of each is a Heartbeat. Time and register
advance with each, so nothing is a repetition that a server could skip.
"""

import base64
from datetime import UTC, datetime, timedelta

import msgspec

from voltyard.units import iso_z

PASSWORD = "a-password-of-the-bench"
IDENTITY = "BENCH{:05}"
TOKEN = "BENCHTOKEN{:05}"
HISTORY = timedelta(hours=3)
STEP_WH = 3
_MASK = b"\x5a\x17\xc3\x88"
_MASK_MAX = 4096
_MASK_INT = int.from_bytes(_MASK * (_MASK_MAX // 4), "little")

# (measurand, value, unit, phase): energy changes, the rest is as it is at 11 kW.
_SAMPLES: tuple[tuple[str, str, str, str | None], ...] = (
    ("Energy.Active.Import.Register", "%d", "Wh", None),
    ("Power.Active.Import", "11040.0", "W", None),
    ("Power.Offered", "22000.0", "W", None),
    ("Current.Import", "16.0", "A", "L1"),
    ("Current.Import", "16.0", "A", "L2"),
    ("Current.Import", "16.0", "A", "L3"),
    ("Voltage", "230.4", "V", "L1-N"),
    ("SoC", "43", "Percent", None),
)


def is_201(number: int) -> bool:
    return number % 4 == 3


def _sample_16(measurand: str, value: str, unit: str, phase: str | None) -> dict[str, object]:
    sample: dict[str, object] = {
        "value": value,
        "context": "Sample.Periodic",
        "format": "Raw",
        "measurand": measurand,
        "location": "EV" if measurand == "SoC" else "Outlet",
        "unit": unit,
    }
    return sample if phase is None else sample | {"phase": phase}


def _sample_201(measurand: str, value: str, unit: str, phase: str | None) -> dict[str, object]:
    sample: dict[str, object] = {
        "value": msgspec.Raw(value.encode()),
        "context": "Sample.Periodic",
        "measurand": measurand,
        "location": "EV" if measurand == "SoC" else "Outlet",
        "unitOfMeasure": {"unit": unit, "multiplier": 0},
    }
    return sample if phase is None else sample | {"phase": phase}


def _template(action: str, payload: dict[str, object]) -> bytes:
    """With ``%d`` for the message id and whatever the payload leaves open."""
    return b'[2,"%%d","%b",%b]' % (action.encode(), msgspec.json.encode(payload))


METER_VALUES = _template(
    "MeterValues",
    {
        "connectorId": 1,
        "transactionId": msgspec.Raw(b"%d"),
        "meterValue": [
            {"timestamp": "%b", "sampledValue": [_sample_16(*sample) for sample in _SAMPLES]}
        ],
    },
)
TRANSACTION_EVENT = _template(
    "TransactionEvent",
    {
        "eventType": "Updated",
        "timestamp": "%b",
        "triggerReason": "MeterValuePeriodic",
        "seqNo": msgspec.Raw(b"%d"),
        "transactionInfo": {"transactionId": "%b", "chargingState": "Charging"},
        "evse": {"id": 1, "connectorId": 1},
        "meterValue": [
            {"timestamp": "%b", "sampledValue": [_sample_201(*sample) for sample in _SAMPLES]}
        ],
    },
)
HEARTBEAT = _template("Heartbeat", {})
BOOT_16 = _template(
    "BootNotification",
    {"chargePointVendor": "voltyard", "chargePointModel": "Bench", "firmwareVersion": "1.0"},
)
BOOT_201 = _template(
    "BootNotification",
    {"reason": "PowerUp", "chargingStation": {"vendorName": "voltyard", "model": "Bench"}},
)
START_16 = _template(
    "StartTransaction",
    {"connectorId": 1, "idTag": "%b", "meterStart": 0, "timestamp": "%b"},
)
START_201 = _template(
    "TransactionEvent",
    {
        "eventType": "Started",
        "timestamp": "%b",
        "triggerReason": "CablePluggedIn",
        "seqNo": 0,
        "transactionInfo": {"transactionId": "%b", "chargingState": "Charging"},
        "evse": {"id": 1, "connectorId": 1},
    },
)


class Instants:
    """Second after second, from ``HISTORY`` before the bench on, as OCPP writes them."""

    def __init__(self, now: datetime) -> None:
        first_at = now.astimezone(UTC).replace(microsecond=0) - HISTORY
        seconds = int(HISTORY.total_seconds()) + 1
        self._texts = [
            iso_z(first_at + timedelta(seconds=number)).encode() for number in range(seconds)
        ]

    def __getitem__(self, step: int) -> bytes:
        return self._texts[step % len(self._texts)]


class Traffic:
    """The calls of one charger; ``metered`` counts those that carried values."""

    __slots__ = ("_instants", "_is_201", "_number", "_turn", "metered", "transaction")

    def __init__(self, number: int, instants: Instants) -> None:
        self._number = number
        self._instants = instants
        self._is_201 = is_201(number)
        self._turn = number
        self.metered = 0
        self.transaction = 0

    def upgrade(self, host: str) -> bytes:
        identity = IDENTITY.format(self._number)
        secret = base64.b64encode(f"{identity}:{PASSWORD}".encode()).decode()
        return (
            f"GET /ocpp/{identity} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dm9sdHlhcmQtYmVuY2gtMQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {'ocpp2.0.1' if self._is_201 else 'ocpp1.6'}\r\n"
            f"Authorization: Basic {secret}\r\n\r\n"
        ).encode()

    def boot(self, message_id: int) -> bytes:
        return masked((BOOT_201 if self._is_201 else BOOT_16) % message_id)

    def start(self, message_id: int) -> bytes:
        at = self._instants[0]
        if self._is_201:
            return masked(START_201 % (message_id, at, self._name))
        token = TOKEN.format(self._number).encode()
        return masked(START_16 % (message_id, token, at))

    def next(self, message_id: int) -> bytes:
        """Three with values, then a Heartbeat; chargers begin at different places."""
        self._turn += 1
        if self._turn % 4 == 0:
            return masked(HEARTBEAT % message_id)
        self.metered = step = self.metered + 1
        at, energy_wh = self._instants[step], step * STEP_WH
        if self._is_201:
            return masked(TRANSACTION_EVENT % (message_id, at, step, self._name, at, energy_wh))
        return masked(METER_VALUES % (message_id, self.transaction, at, energy_wh))

    @property
    def _name(self) -> bytes:
        return b"bench-%d" % self._number


def masked(payload: bytes, opcode: int = 1) -> bytes:
    """One WebSocket frame of a client, always with the same mask: this is no browser."""
    size = len(payload)
    mask = _MASK_INT & ((1 << (8 * size)) - 1)
    hidden = (int.from_bytes(payload, "little") ^ mask).to_bytes(size, "little")
    if size < 126:
        return bytes((0x80 | opcode, 0x80 | size)) + _MASK + hidden
    return bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big") + _MASK + hidden
