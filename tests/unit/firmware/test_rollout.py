"""Whose turn it is in a campaign: canaries, waves, rest, failures."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from voltyard.firmware.model import (
    Campaign,
    CampaignState,
    Failure,
    Rollout,
    Update,
    UpdateState,
)
from voltyard.firmware.rollout import turn

NOW = datetime(2026, 1, 15, 22, 0, tzinfo=UTC)
ID = UUID(int=1)
ROLLOUT = Rollout(canary=2, wave=3, parallel=10, max_failures=2)


def campaign(rollout: Rollout = ROLLOUT, **changes: object) -> Campaign:
    made = Campaign(ID, ID, ID, "2.4.0", CampaignState.RUNNING, rollout, NOW, "Ada", NOW, NOW)
    return replace(made, **changes)  # type: ignore[arg-type]


def fleet(count: int, rollout: Rollout = ROLLOUT) -> list[Update]:
    return [
        Update(
            UUID(int=place + 1), ID, ID, UUID(int=100 + place), None, place,
            rollout.wave_of(place), UpdateState.WAITING, NOW,
        )
        for place in range(count)
    ]  # fmt: skip


def ended(update: Update, state: UpdateState = UpdateState.DONE) -> Update:
    failure = Failure.INSTALL if state is UpdateState.FAILED else None
    return replace(update, state=state, failure=failure, ended_at=NOW, attempt=1)


def places(updates: Sequence[Update]) -> list[int]:
    return [update.position for update in updates]


def test_waves_are_cut_after_the_canaries() -> None:
    assert [update.wave for update in fleet(9)] == [0, 0, 1, 1, 1, 2, 2, 2, 3]
    assert [Rollout(canary=0, wave=0).wave_of(place) for place in (0, 99)] == [1, 1]


def test_first_the_canaries_then_wave_after_wave() -> None:
    updates = fleet(6)
    assert places(turn(campaign(), updates, NOW).candidates) == [0, 1]
    updates[0] = ended(updates[0])
    assert places(turn(campaign(), updates, NOW).candidates) == [1]
    updates[1] = replace(updates[1], state=UpdateState.INSTALLING)
    assert places(turn(campaign(), updates, NOW).candidates) == []
    updates[1] = ended(updates[1])
    assert places(turn(campaign(), updates, NOW).candidates) == [2, 3, 4]


def test_the_next_wave_waits_until_the_last_one_has_rested() -> None:
    rollout = replace(ROLLOUT, soak_s=3600)
    updates = [ended(u) if u.wave == 0 else u for u in fleet(6)]
    early, due = NOW + timedelta(seconds=3599), NOW + timedelta(seconds=3600)
    assert not turn(campaign(rollout), updates, early).candidates
    assert places(turn(campaign(rollout), updates, due).candidates) == [2, 3, 4]


def test_what_is_tried_again_does_not_rest_again() -> None:
    rollout = replace(ROLLOUT, soak_s=3600)
    updates = [ended(u) if u.wave == 0 else u for u in fleet(6)]
    updates[2] = replace(updates[2], attempt=1)
    assert 3 in places(turn(campaign(rollout), updates, NOW).candidates)


def test_it_does_not_begin_before_its_start() -> None:
    later = campaign(start_at=NOW + timedelta(hours=1))
    assert not turn(later, fleet(3), NOW).candidates


def test_only_so_many_at_once() -> None:
    rollout = Rollout(canary=0, wave=0, parallel=3)
    updates = fleet(8, rollout)
    updates[0] = replace(updates[0], state=UpdateState.DOWNLOADING)
    found = turn(campaign(rollout), updates, NOW)
    assert (found.room, len(found.candidates)) == (2, 7)


def test_a_failed_canary_stops_everything() -> None:
    updates = fleet(6)
    updates[1] = ended(updates[1], UpdateState.FAILED)
    found = turn(campaign(), updates, NOW)
    assert (found.state, found.why) == (CampaignState.STOPPED, "canary_failed")


def test_later_failures_stop_it_when_they_are_too_many() -> None:
    updates = [ended(u) if u.wave == 0 else u for u in fleet(6)]
    updates[2] = ended(updates[2], UpdateState.FAILED)
    assert turn(campaign(), updates, NOW).state is CampaignState.RUNNING
    updates[3] = ended(updates[3], UpdateState.FAILED)
    found = turn(campaign(), updates, NOW)
    assert (found.state, found.why) == (CampaignState.STOPPED, "too_many_failed")


def test_failures_that_people_have_seen_count_no_more() -> None:
    updates = fleet(9)
    updates[1] = ended(updates[1], UpdateState.FAILED)
    updates[0] = ended(updates[0])
    resumed = campaign(forgiven=1)
    assert places(turn(resumed, updates, NOW).candidates) == [2, 3, 4]
    updates[2] = ended(updates[2], UpdateState.FAILED)
    assert turn(resumed, updates, NOW).state is CampaignState.RUNNING
    updates[3] = ended(updates[3], UpdateState.FAILED)
    assert turn(resumed, updates, NOW).state is CampaignState.STOPPED


def test_it_is_done_when_all_have_ended() -> None:
    updates = [ended(update) for update in fleet(4)]
    updates[3] = ended(updates[3], UpdateState.CANCELLED)
    assert turn(campaign(), updates, NOW).state is CampaignState.DONE


@pytest.mark.parametrize(
    "state", [CampaignState.PAUSED, CampaignState.STOPPED, CampaignState.CANCELLED]
)
def test_nobody_begins_while_it_does_not_run(state: CampaignState) -> None:
    found = turn(campaign(state=state), fleet(3), NOW)
    assert (found.state, found.candidates) == (state, ())


def test_one_that_failed_waits_for_its_time() -> None:
    updates = fleet(2)
    updates[0] = replace(updates[0], attempt=1, not_before=NOW + timedelta(seconds=1))
    assert places(turn(campaign(), updates, NOW).candidates) == [1]
