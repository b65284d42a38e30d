"""One charger's update as a state machine: what it tells, its boots, its silence."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from voltyard.firmware.model import (
    AGAIN,
    FINAL,
    UNDER_WAY,
    Failure,
    FirmwareImage,
    Rollout,
    Told,
    Update,
    UpdateState,
    Window,
    asked,
    booted,
    heard,
    overdue,
    put_back,
    rollout_problems,
)

NOW = datetime(2026, 1, 15, 22, 0, tzinfo=UTC)
ID = UUID(int=1)
ROLLOUT = Rollout(attempts=2, retry_s=600, silent_s=3600, proof_s=900)
IMAGE = FirmwareImage(ID, ID, "Acme", ("Fast 150",), "2.4.0", "f.bin", NOW, "Ada")


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def waiting(**changes: object) -> Update:
    update = Update(ID, ID, ID, ID, None, 0, 0, UpdateState.WAITING, NOW, from_version="2.3.1")
    return replace(update, **changes)  # type: ignore[arg-type]


def begun(**changes: object) -> Update:
    return replace(asked(waiting(), 7, "digest", ROLLOUT, NOW), **changes)  # type: ignore[arg-type]


def through(update: Update, *words: Told, at: datetime = NOW) -> Update:
    for word in words:
        update = heard(update, word, ROLLOUT, at)
    return update


def test_a_signed_update_goes_its_way_and_is_done_by_its_boot() -> None:
    update = begun()
    expected = {
        Told.DOWNLOAD_SCHEDULED: UpdateState.SCHEDULED,
        Told.DOWNLOADING: UpdateState.DOWNLOADING,
        Told.DOWNLOAD_PAUSED: UpdateState.PAUSED,
        Told.DOWNLOADED: UpdateState.DOWNLOADED,
        Told.SIGNATURE_VERIFIED: UpdateState.VERIFIED,
        Told.INSTALL_SCHEDULED: UpdateState.INSTALL_SCHEDULED,
        Told.INSTALLING: UpdateState.INSTALLING,
        Told.INSTALL_REBOOTING: UpdateState.REBOOTING,
        Told.INSTALLED: UpdateState.INSTALLED,
    }
    for word, state in expected.items():
        update = heard(update, word, ROLLOUT, NOW)
        assert update.state is state
        assert not update.final
    done = booted(update, IMAGE, "2.4.0", ROLLOUT, later(5))
    assert (done.state, done.to_version, done.ended_at) == (UpdateState.DONE, "2.4.0", later(5))


def test_installed_alone_is_no_proof() -> None:
    assert through(begun(), Told.INSTALLED).state is UpdateState.INSTALLED


def test_a_boot_before_the_word_installed_is_proof_enough() -> None:
    """1.6 chargers boot first and tell then; the late word changes nothing."""
    done = booted(through(begun(), Told.INSTALLING), IMAGE, "V2.4.0 ", ROLLOUT, NOW)
    assert done.state is UpdateState.DONE
    assert through(done, Told.INSTALLED) == done


@pytest.mark.parametrize(
    ("word", "failure"),
    [
        (Told.DOWNLOAD_FAILED, Failure.DOWNLOAD),
        (Told.INVALID_SIGNATURE, Failure.SIGNATURE),
        (Told.INSTALLATION_FAILED, Failure.INSTALL),
        (Told.INSTALL_VERIFICATION_FAILED, Failure.VERIFICATION),
    ],
)
def test_failures_are_tried_again_only_where_it_may_help(word: Told, failure: Failure) -> None:
    update = through(begun(), Told.DOWNLOADING, word)
    assert update.failure is failure
    if failure in AGAIN:
        assert (update.state, update.not_before) == (UpdateState.WAITING, later(600))
        again = asked(update, 8, "other", ROLLOUT, later(600))
        assert (again.attempt, again.failure) == (2, None)
        assert through(again, word).state is UpdateState.FAILED
    else:
        assert update.state is UpdateState.FAILED
        assert update.ended_at == NOW


def test_a_charger_that_tries_the_download_again_by_itself_is_let() -> None:
    update = through(begun(), Told.DOWNLOADING, Told.DOWNLOADED, Told.DOWNLOADING)
    assert update.state is UpdateState.DOWNLOADING


def test_idle_and_words_of_nobody_change_nothing() -> None:
    update = through(begun(), Told.DOWNLOADING)
    assert heard(update, Told.IDLE, ROLLOUT, NOW) == update
    assert heard(update, "Exploded", ROLLOUT, NOW) == update


def test_what_is_over_listens_no_more() -> None:
    for state in FINAL | {UpdateState.WAITING}:
        update = begun(state=state)
        assert through(update, Told.DOWNLOADING) == update


def test_silence_is_a_failure_and_every_word_puts_it_off() -> None:
    update = through(begun(), Told.DOWNLOADING, at=later(3000))
    assert overdue(update, ROLLOUT, later(6000)) == update
    late = overdue(update, ROLLOUT, later(6600))
    assert (late.failure, late.detail) == (Failure.SILENT, "downloading")
    assert late.state is UpdateState.WAITING


def test_a_charger_may_put_off_for_longer_than_it_may_be_silent() -> None:
    update = through(begun(), Told.INSTALL_SCHEDULED)
    assert overdue(update, ROLLOUT, later(20 * 3600)) == update
    assert overdue(update, ROLLOUT, later(24 * 3600)).failure is Failure.SILENT


def test_proof_is_asked_for_once_and_then_missed() -> None:
    update = through(begun(), Told.INSTALLED)
    asks = overdue(update, ROLLOUT, later(900))
    assert asks.asked_boot
    assert asks.state is UpdateState.INSTALLED
    assert overdue(asks, ROLLOUT, later(901)) == asks
    ended = overdue(asks, ROLLOUT, later(1800))
    assert (ended.state, ended.failure) == (UpdateState.FAILED, Failure.NO_PROOF)


def test_a_boot_with_another_version_when_asked_is_a_failure() -> None:
    asks = overdue(through(begun(), Told.INSTALLED), ROLLOUT, later(900))
    ended = booted(asks, IMAGE, "2.3.1", ROLLOUT, later(901))
    assert (ended.state, ended.failure, ended.detail) == (
        UpdateState.FAILED,
        Failure.WRONG_VERSION,
        "2.3.1",
    )


def test_a_boot_with_the_old_version_while_it_installs_may_be_followed_by_another() -> None:
    update = booted(through(begun(), Told.INSTALL_REBOOTING), IMAGE, "2.3.1", ROLLOUT, NOW)
    assert update.state is UpdateState.REBOOTING
    assert booted(update, IMAGE, "2.4.0", ROLLOUT, later(60)).state is UpdateState.DONE
    ended = overdue(update, ROLLOUT, later(900))
    assert (ended.state, ended.failure) == (UpdateState.FAILED, Failure.WRONG_VERSION)


def test_a_reboot_during_the_download_says_nothing_of_the_update() -> None:
    update = through(begun(), Told.DOWNLOADING)
    assert booted(update, IMAGE, "2.3.1", ROLLOUT, NOW).state is UpdateState.DOWNLOADING


@pytest.mark.parametrize("failure", list(Failure))
def test_a_charger_given_up_that_boots_with_it_has_made_it_after_all(failure: Failure) -> None:
    given_up = replace(begun(), state=UpdateState.FAILED, failure=failure)
    assert booted(given_up, IMAGE, "2.3.1", ROLLOUT, NOW) == given_up
    made = booted(given_up, IMAGE, "2.4.0", ROLLOUT, NOW)
    assert (made.state, made.failure) == (UpdateState.DONE, None)


def test_a_request_that_never_arrived_does_not_count() -> None:
    back = put_back(begun(), "offline", NOW)
    assert (back.state, back.attempt, back.link) == (UpdateState.WAITING, 0, None)
    assert back.due_at is None


def test_every_state_has_its_place() -> None:
    assert FINAL | UNDER_WAY | {UpdateState.WAITING} == set(UpdateState)
    assert not FINAL & UNDER_WAY


@pytest.mark.parametrize("reported", ["2.4.0", " v2.4.0", "V2.4.0", "build 77"])
def test_versions_are_recognised_as_chargers_write_them(reported: str) -> None:
    assert replace(IMAGE, reported_as="Build77").is_version(reported)


@pytest.mark.parametrize("reported", [None, "", "2.4", "2.4.0.1", "12.4.0"])
def test_other_versions_are_others(reported: str | None) -> None:
    assert not IMAGE.is_version(reported)


def test_an_image_is_for_its_vendor_and_models() -> None:
    assert IMAGE.fits("ACME", "fast150")
    assert not IMAGE.fits("Acme", "Slow 11")
    assert not IMAGE.fits(None, None)
    assert replace(IMAGE, models=()).fits("acme", "anything")


def local(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 1, day, hour, minute, tzinfo=ZoneInfo("Europe/Berlin"))


FRIDAY_NIGHT = Window(time(22), time(4), frozenset({4}))


@pytest.mark.parametrize(
    ("instant", "open_"),
    [
        (local(16, 21, 59), False),
        (local(16, 22, 0), True),
        (local(17, 3, 59), True),
        (local(17, 4, 0), False),
        (local(17, 22, 30), False),
        (local(16, 3, 0), False),
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_it_begins_on(
    instant: datetime, open_: bool
) -> None:
    assert FRIDAY_NIGHT.holds(instant) is open_
    assert Rollout(windows=(FRIDAY_NIGHT,)).open(instant) is open_
    assert Rollout().open(instant)


def test_a_window_within_a_day() -> None:
    window = Window(time(9), time(17))
    assert window.holds(local(15, 9, 0))
    assert not window.holds(local(15, 17, 0))


def test_a_rollout_that_makes_no_sense_says_where() -> None:
    wrong = rollout_problems(
        Rollout(parallel=0, attempts=99, windows=(Window(time(1), time(2), frozenset()),))
    )
    assert set(wrong) == {"parallel", "attempts", "windows[0].weekdays"}
    assert rollout_problems(Rollout()) == {}
