"""Options that make no sense are refused with a sentence, before anything is started."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from voltyard import cli


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """The test run's own logging is put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("demo --speed 2000", "1 to 120"),
        ("demo --speed 0", "1 to 120"),
        ("demo --speed nan", "1 to 120"),
        ("demo --vehicles 0", "a bus"),
        ("demo --limit-kw 0", "more than 0"),
        ("demo --faults wild", "no fault set 'wild'"),
        ("simulate demo --vehicles 0", "a bus"),
        ("simulate demo --limit-kw -1", "more than 0"),
        ("simulate demo --faults wild", "no fault set 'wild'"),
        ("simulate demo --until 2018-01-03T06:00+01:00", "SpiceEV"),
        ("simulate absent.json", "cannot read"),
        ("nights --seeds 5-1", "'5-1' is not"),
        ("nights --seeds x", "'x' is not"),
        ("nights --seeds 1- --workers 1", "'1-' is not"),
        ("nights --seeds 1 --workers 0", "1 or more"),
        ("nights --seeds 1 --faults wild", "no fault set 'wild'"),
        ("nights --seeds 1 --vehicles 0", "a bus"),
        ("nights --seeds 1-2 --keep here", "single seed"),
        ("simulate demo --vehicles 1 --keep /", "not empty"),
    ],
)
def test_it_says_what_is_wrong(
    line: str,
    says: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(line.split()) == 1
    assert says in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_fastest_demo_still_controls_five_times_a_second() -> None:
    from voltyard.serving.demo import SPEED_MAX, checked_speed, tick_s

    assert checked_speed(SPEED_MAX) == SPEED_MAX
    assert tick_s(SPEED_MAX) / SPEED_MAX <= 0.2


def test_a_database_that_is_not_there_is_said_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOLTYARD_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("VOLTYARD_DATA_DIR", str(tmp_path))
    assert cli.main(["migrate"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "VOLTYARD_DATABASE_URL cannot be used" in line


def test_a_wrong_setting_is_named_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOLTYARD_HTTP_TLS_CERT", "cert.pem")
    assert cli.main(["config"]) == 1
    assert capsys.readouterr().err.count("belong together") == 1
