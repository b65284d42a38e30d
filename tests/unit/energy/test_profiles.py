"""How a limit is said to a make: purpose, unit, phases, stack level, least current."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from voltyard.chargers.commands import LimitPurpose, SetLimit
from voltyard.chargers.model import CurrentType, Evse, LimitHolder, Quirks
from voltyard.configuration.makes import SHIPPED, best
from voltyard.configuration.model import Make, Pattern
from voltyard.energy.profiles import (
    ends_with_transaction,
    fallback_limit,
    has_live_layer,
    live_limit,
    settable_w,
)
from voltyard.ocpp.custody import endangers
from voltyard.ocpp.v16.routes import DIALECT

NOW = datetime(2026, 11, 21, 18, tzinfo=UTC)
ID = UUID(int=1)
AC = Evse(ID, ID, None, ID, 1, "1", current_type=CurrentType.AC, max_power_w=22_080.0)
DC = Evse(ID, ID, None, ID, 2, "2", current_type=CurrentType.DC)


def live(evse: Evse, quirks: Quirks) -> SetLimit:
    return live_limit(evse, quirks, 11_040.0, now=NOW, valid_s=300, transaction_ref="7")


def test_the_unit_is_the_makes_or_that_of_its_current() -> None:
    assert fallback_limit(AC, Quirks(), 11_040.0).limit_a == 16.0
    assert fallback_limit(DC, Quirks(), 11_040.0).limit_w == 11_040.0
    assert fallback_limit(AC, Quirks(unit="W"), 11_040.0).limit_w == 11_040.0
    assert fallback_limit(DC, Quirks(unit="A"), 11_040.0).limit_a == 16.0


def test_phases_are_sent_where_they_are_wanted_and_never_too_many() -> None:
    assert fallback_limit(AC, Quirks(), 11_040.0).phases is None
    assert fallback_limit(AC, Quirks(send_phases=True), 11_040.0).phases == 3
    assert fallback_limit(AC, Quirks(send_phases=True, phases=1), 11_040.0).phases == 1


def test_stack_levels_stay_within_what_a_make_takes() -> None:
    told = live(AC, Quirks(stack_level=5, stack_level_max=2))
    assert told.stack_level == 2
    abb = best(SHIPPED, "ABB", "Terra AC W22-T")
    assert abb is not None
    assert live(AC, abb.quirks).stack_level == 0


def test_a_make_that_refuses_limits_of_transactions_gets_defaults() -> None:
    told = live_limit(
        AC, Quirks(tx_profile=False), 11_040.0, now=NOW, valid_s=300, transaction_ref="7"
    )
    assert (told.purpose, told.transaction_ref) == (LimitPurpose.TX_DEFAULT, None)
    one_layer = Quirks(tx_profile=False, stack_level_max=0)
    assert not has_live_layer(one_layer)


def test_a_make_that_only_knows_caps_is_held_by_them() -> None:
    quirks = Quirks(holder=LimitHolder.STATION)
    stays = fallback_limit(AC, quirks, 4_140.0)
    assert (stays.purpose, stays.evse_number, stays.stack_level) == (
        LimitPurpose.STATION_MAX,
        0,
        0,
    )
    now = live_limit(AC, quirks, 11_040.0, now=NOW, valid_s=300, transaction_ref="7")
    assert (now.purpose, now.evse_number, now.transaction_ref) == (
        LimitPurpose.STATION_MAX,
        0,
        None,
    )
    assert not ends_with_transaction(quirks)
    for command in (stays, now):
        (call,), _ = DIALECT.express(command, NOW)
        assert call.action == "SetChargingProfile"


def test_a_cap_by_hand_is_refused_where_caps_hold_the_limit() -> None:
    cap = fallback_limit(AC, Quirks(holder=LimitHolder.STATION), 4_140.0)
    assert endangers(cap, Quirks())
    by_hand = replace(cap, profile_id=900_000, stack_level=5)
    assert endangers(by_hand, Quirks()) == ""
    assert endangers(by_hand, Quirks(holder=LimitHolder.STATION))


def test_below_the_least_current_nothing_is_allowed_and_amps_are_whole() -> None:
    assert settable_w(AC, Quirks(), 4_000.0) == 0.0
    assert settable_w(AC, Quirks(min_current_a=8.0), 5_000.0) == 0.0
    assert settable_w(AC, Quirks(), 11_500.0) == 11_040.0
    assert settable_w(AC, Quirks(integer_amps=False), 11_100.0) == pytest.approx(11_040.0, abs=70)


def test_the_more_specific_make_is_taken_whatever_the_case() -> None:
    broad = Make(Pattern("Maker*"), Quirks(unit="A"))
    narrow = Make(Pattern("maker", "One?"), Quirks(unit="W"))
    assert best([broad, narrow], "MAKER", "one1") is narrow
    assert best([broad, narrow], "Maker GmbH", "Two") is broad
    assert best([broad, narrow], "Other", "One1") is None
