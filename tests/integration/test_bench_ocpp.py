"""``voltyard bench ocpp`` in small: it measures, agrees with itself, and loses nothing."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from voltyard.bench import ocpp, report, traffic
from voltyard.bench.subjects import SUBJECTS, Server
from voltyard.errors import VoltyardError
from voltyard.ocpp import framing
from voltyard.ocpp.framing import Call
from voltyard.ocpp.v16.routes import DIALECT as V16
from voltyard.ocpp.v201.routes import DIALECT as V201

TINY = ocpp.Size(connections=8, idle=60, rounds=1, seconds=0.2, settle_s=0.1)


def measured(*keys: str, folder: Path) -> dict[str, object]:
    wanted = [subject for subject in SUBJECTS if subject.key in keys]
    return report.result(ocpp.measure(wanted, TINY, folder), TINY)


def test_peers_and_voltyard_answer_the_same_load(tmp_path: Path) -> None:
    found = measured("memory", "ocpp_package", folder=tmp_path)
    assert isinstance(found["ratio_vs_ocpp_package"], float)
    assert found["ratio_vs_ocpp_rpc"] is None
    assert found["storm_errors"] == 0
    assert isinstance(found["subjects"], dict)
    for row in found["subjects"].values():
        assert row["errors"] == 0, row["faults"]
        assert row["messages_per_cpu_s"] > 0
    assert "ratio_vs_ocpp_package" in report.table(found)


def test_what_the_durable_server_acknowledged_is_stored(tmp_path: Path) -> None:
    found = measured("durable", folder=tmp_path)
    assert isinstance(found["subjects"], dict)
    row = found["subjects"]["durable"]
    assert row["errors"] == 0, row["faults"]
    assert row["storm_errors"] == 0
    assert row["lost"] == 0


@pytest.mark.parametrize("number", [1, 3])
def test_its_messages_are_proper(number: int) -> None:
    """Nothing in them is flagged or mended: no subject has more to do than another."""
    said = traffic.Traffic(number, traffic.Instants(datetime(2026, 11, 21, tzinfo=UTC)))
    dialect = V201 if traffic.is_201(number) else V16
    frames = [said.boot(1), said.start(2), *(said.next(3 + turn) for turn in range(4))]
    noted: list[str] = []
    for frame in frames:
        call = framing.parse(_unmasked(frame), dialect.words)
        assert isinstance(call, Call)
        assert call.flags == ()
        entry = dialect.routes[call.action]
        entry.reader.read(call.payload, dialect.words, lambda name, _: noted.append(name))
    assert noted == []
    assert said.metered == 3


def _unmasked(frame: bytes) -> bytes:
    begin = 4 if frame[1] & 0x7F == 126 else 2
    mask, hidden = frame[begin : begin + 4], frame[begin + 4 :]
    return bytes(byte ^ mask[place % 4] for place, byte in enumerate(hidden))


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    command = ["/bin/sh", "-c", "echo it has no wheels >&2"]
    with pytest.raises(VoltyardError, match="no wheels"):
        Server(command, tmp_path / "log", {})
