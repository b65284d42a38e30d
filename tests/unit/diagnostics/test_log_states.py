"""A request for a log as a state machine: words and files in whatever order they come."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from voltyard.chargers.commands import LogKind
from voltyard.diagnostics.commands import NewLogRequest, checked
from voltyard.diagnostics.model import (
    FILES_MAX,
    LogFailure,
    LogRequest,
    LogState,
    Told,
    answered,
    arrived,
    ended,
    heard,
    overdue,
    takes_files,
)
from voltyard.diagnostics.service import safe_name
from voltyard.errors import Invalid

NOW = datetime(2026, 1, 15, 22, 0, tzinfo=UTC)
ID = UUID(int=1)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def asked(**changes: object) -> LogRequest:
    made = LogRequest(
        ID, ID, ID, None, LogKind.DIAGNOSTICS, LogState.ASKED, 7, "Ada", NOW, NOW,
        due_at=later(3600), link="digest",
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def test_the_usual_way() -> None:
    request = answered(asked(), "d.zip", plain=True, now=NOW)
    assert (request.state, request.announced) == (LogState.ACCEPTED, "d.zip")
    request = heard(request, Told.UPLOADING, NOW)
    assert request.state is LogState.UPLOADING
    request = arrived(request, NOW)
    assert request.state is LogState.ARRIVED
    request = heard(request, Told.UPLOADED, NOW)
    assert (request.state, request.files) == (LogState.DONE, 1)


def test_the_word_may_come_before_the_file() -> None:
    request = heard(answered(asked(), "d.zip", plain=True, now=NOW), Told.UPLOADED, NOW)
    assert request.open
    assert arrived(request, NOW).state is LogState.DONE


def test_uploaded_with_nothing_there_is_a_failure() -> None:
    request = heard(asked(), Told.UPLOADED, NOW)
    late = overdue(request, later(120))
    assert (late.state, late.failure) == (LogState.FAILED, LogFailure.NOTHING_ARRIVED)
    assert arrived(late, later(130)).failure is None


def test_a_charger_that_never_says_uploaded_is_done_all_the_same() -> None:
    request = arrived(answered(asked(), "d.zip", plain=True, now=NOW), NOW)
    assert overdue(request, later(60)) == request
    assert overdue(request, later(120)).state is LogState.DONE


def test_no_file_name_in_the_answer_means_there_is_nothing() -> None:
    """1.6 §6.14; by GetLog the name may be missing."""
    nothing = answered(asked(), "", plain=True, now=NOW)
    assert nothing.failure is LogFailure.NOTHING
    assert answered(asked(), "", plain=False, now=NOW).state is LogState.ACCEPTED
    assert takes_files(nothing, NOW)
    assert arrived(nothing, NOW).state is LogState.ARRIVED


def test_its_word_may_come_before_its_answer() -> None:
    uploading = heard(asked(), Told.UPLOADING, NOW)
    request = answered(uploading, "d.zip", plain=True, now=NOW)
    assert (request.state, request.announced) == (LogState.UPLOADING, "d.zip")


@pytest.mark.parametrize(
    ("word", "failure"),
    [
        (Told.UPLOAD_FAILED, LogFailure.UPLOAD),
        (Told.BAD_MESSAGE, LogFailure.BAD_MESSAGE),
        (Told.NOT_SUPPORTED, LogFailure.NOT_SUPPORTED),
        (Told.PERMISSION_DENIED, LogFailure.PERMISSION),
    ],
)
def test_failures_are_told_and_a_charger_may_try_again(word: Told, failure: LogFailure) -> None:
    request = heard(asked(), word, NOW)
    assert (request.state, request.failure) == (LogState.FAILED, failure)
    assert heard(request, Told.UPLOADING, NOW).state is LogState.UPLOADING


def test_what_is_here_is_not_lost_by_a_later_failure() -> None:
    request = arrived(asked(), NOW)
    assert heard(request, Told.UPLOAD_FAILED, NOW).state is LogState.ARRIVED


def test_idle_tells_nothing() -> None:
    assert heard(asked(), Told.IDLE, NOW) == asked()


def test_silence() -> None:
    late = overdue(asked(), later(3600))
    assert (late.state, late.failure) == (LogState.FAILED, LogFailure.SILENT)


def test_brought_elsewhere_the_word_is_all_there_is() -> None:
    request = heard(asked(link=None, address="ftp://h/x"), Told.UPLOADED, NOW)
    assert request.state is LogState.DONE


def test_an_address_takes_files_for_a_day_and_not_after_the_end() -> None:
    assert takes_files(asked(), later(86_399))
    assert not takes_files(asked(), later(86_400))
    assert not takes_files(ended(asked(), LogState.DONE, NOW), NOW)
    assert not takes_files(asked(files=FILES_MAX), NOW)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\logs\\a b.zip", "a-b.zip"),
        ("..", "log"),
        ("über.log", "ber.log"),
        ("", "log"),
    ],
)
def test_file_names_have_no_folders(given: str, name: str) -> None:
    assert safe_name(given) == name


@pytest.mark.parametrize("address", ["file:///etc", "ftp://", "http://a b", "x" * 500])
def test_odd_addresses_are_refused(address: str) -> None:
    with pytest.raises(Invalid):
        checked(NewLogRequest(address=address))


def test_good_ones_are_taken() -> None:
    checked(NewLogRequest(address="ftp://user:pw@10.0.0.3:21/logs/"))
    with pytest.raises(Invalid):
        checked(NewLogRequest(since=NOW, until=NOW))
