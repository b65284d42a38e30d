"""Every line of the log in one format, whoever wrote it."""

import logging
import re
import warnings
from collections.abc import Iterator

import msgspec
import pytest

from voltyard import logs

LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (DEBUG|INFO|WARNING|ERROR) +\S+: .+$")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The test run's own logging is put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_plain_line_has_its_instant_level_and_logger(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup("INFO")
    logging.getLogger("voltyard.x").info("said %s", "so")
    written = capsys.readouterr().err
    assert LINE.match(written.rstrip("\n"))
    assert written.endswith("INFO    voltyard.x: said so\n")


@pytest.mark.parametrize("said", ["a\nERROR forged: b", "a\r\nb", "\x1b[31mred", "a\u2028b"])
def test_nobody_begins_a_line_of_the_log_by_what_they_say(
    capsys: pytest.CaptureFixture[str], said: str
) -> None:
    logs.setup("INFO")
    logging.getLogger("voltyard.x").warning("charger says %s", said)
    written = capsys.readouterr().err
    assert len(written.splitlines()) == 1
    assert "\x1b" not in written


def test_a_json_line_keeps_the_exception(capsys: pytest.CaptureFixture[str]) -> None:
    logs.setup("INFO", as_json=True)
    try:
        raise ValueError("no")
    except ValueError:
        logging.getLogger("voltyard.x").exception("it broke\nhere")
    written = capsys.readouterr().err
    (line,) = written.splitlines()
    entry = msgspec.json.decode(line)
    assert (entry["level"], entry["message"]) == ("error", "it broke\nhere")
    assert "ValueError: no" in entry["exception"]


@pytest.mark.parametrize("as_json", [False, True])
def test_warnings_of_libraries_are_lines_as_well(
    capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    logs.setup("INFO", as_json=as_json)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("XDG_RUNTIME_DIR is not set, falling back", RuntimeWarning, stacklevel=1)
        warnings.warn("old thing", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)
    written = capsys.readouterr().err
    (line,) = written.splitlines()
    assert "old thing" in line
    assert msgspec.json.decode(line)["logger"] == "py.warnings" if as_json else LINE.match(line)


def test_the_web_server_does_not_write_down_headers(capsys: pytest.CaptureFixture[str]) -> None:
    own = logging.StreamHandler()
    logging.getLogger("uvicorn").addHandler(own)
    logs.setup("DEBUG")
    logging.getLogger("uvicorn.error").debug("< cookie: secret")
    logging.getLogger("uvicorn.error").error("it broke")
    written = capsys.readouterr().err
    (line,) = written.splitlines()
    assert LINE.match(line)
