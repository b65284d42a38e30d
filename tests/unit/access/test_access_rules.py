"""Access rules: the first that fits decides, by place, person and time of the site."""

from datetime import UTC, datetime
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from voltyard.access.commands import RuleDraft, rule_from
from voltyard.access.model import (
    AccessRule,
    Outlet,
    Visitor,
    Whom,
    deciding,
    fits,
    in_order,
    next_change,
)
from voltyard.errors import Invalid
from voltyard.fleets.bounds import NOWHERE, bound
from voltyard.fleets.model import Token
from voltyard.tenancy.admission import Admission

ORG, SITE, AREA, EVSE, OPERATOR = (uuid4() for _ in range(5))
ZONE = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 1, 12, 21, 30, tzinfo=UTC)
"""22:30 in Berlin."""
HERE = Outlet(EVSE, 1, AREA)


def rule(name: str, whom: Whom = Whom.EVERYONE, **fields: object) -> AccessRule:
    draft = RuleDraft(**{"name": name, "whom": whom, "allow": False, **fields})  # type: ignore[arg-type]
    return rule_from(draft, uuid4(), ORG, SITE)


def test_the_narrowest_place_decides_then_the_order() -> None:
    rules = in_order(
        [
            rule("site", position=0),
            rule("area second", area_id=AREA, position=2),
            rule("area first", area_id=AREA, position=1),
            rule("another", evse_id=uuid4()),
        ]
    )
    found = deciding(rules, Visitor(), HERE, MONDAY.astimezone(ZONE))
    assert found is not None
    assert found.name == "area first"
    elsewhere = deciding(rules, Visitor(), Outlet(uuid4(), 2, None), MONDAY.astimezone(ZONE))
    assert elsewhere is not None
    assert elsewhere.name == "site"


def test_a_rule_that_is_off_or_about_others_decides_nothing() -> None:
    rules = [rule("off", active=False), rule("guests", Whom.GUESTS)]
    assert deciding(rules, Visitor(ORG), HERE, MONDAY.astimezone(ZONE)) is None


@pytest.mark.parametrize(
    ("whom", "fields", "visitor", "expected"),
    [
        (Whom.GUESTS, {}, Visitor(), True),
        (Whom.GUESTS, {}, Visitor(ORG), False),
        (Whom.FLEET, {}, Visitor(OPERATOR), True),
        (Whom.OWN, {}, Visitor(OPERATOR), False),
        (Whom.OWN, {}, Visitor(ORG), True),
        (Whom.OPERATORS, {}, Visitor(OPERATOR), True),
        (Whom.OPERATORS, {}, Visitor(ORG), False),
        (Whom.OPERATORS, {"operator_ids": (uuid4(),)}, Visitor(OPERATOR), False),
        (Whom.GROUPS, {"names": ("Night",)}, Visitor(ORG, group="night"), True),
        (Whom.GROUPS, {"names": ("Night",)}, Visitor(ORG), False),
        (Whom.TOKENS, {"names": (" 04A2 ",)}, Visitor(token="04a2"), True),
    ],
)
def test_whom_a_rule_is_about(
    whom: Whom, fields: dict[str, object], visitor: Visitor, expected: bool
) -> None:
    assert fits(rule("r", whom, **fields), visitor) is expected


@pytest.mark.parametrize(
    ("day", "hour", "expected"),
    [
        (12, 21, False),
        (12, 22, True),
        (13, 4, True),
        (13, 5, False),
        (13, 22, False),
        (12, 4, False),
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_it_begins(
    day: int, hour: int, expected: bool
) -> None:
    night = rule("Monday night", weekdays=(0,), from_minute=22 * 60, until_minute=5 * 60)
    assert night.holds_at(datetime(2026, 1, day, hour, tzinfo=ZONE)) is expected


def test_an_answer_holds_until_the_rules_may_say_otherwise() -> None:
    night = rule("night", from_minute=22 * 60, until_minute=5 * 60)
    assert next_change([night], MONDAY, ZONE) == datetime(2026, 1, 13, 4, tzinfo=UTC)
    assert next_change([rule("always")], MONDAY, ZONE) is None
    tuesday = datetime(2026, 1, 12, 23, tzinfo=UTC)
    assert next_change([rule("day", weekdays=(1,))], MONDAY, ZONE) == tuesday


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"name": " "}, "name"),
        ({"area_id": AREA, "evse_id": EVSE}, "evse_id"),
        ({"whom": Whom.GROUPS, "names": (" ",)}, "names"),
        ({"weekdays": (7,)}, "weekdays"),
        ({"from_minute": 10}, "until_minute"),
        ({"from_minute": 10, "until_minute": 10}, "from_minute"),
        ({"from_minute": -1, "until_minute": 10}, "from_minute"),
        ({"keep_free": -1}, "keep_free"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_by_field(
    fields: dict[str, object], wrong: str
) -> None:
    with pytest.raises(Invalid) as refused:
        rule(**{"name": "x", **fields})  # type: ignore[arg-type]
    assert wrong in refused.value.fields


def token(**fields: object) -> Token:
    return Token(uuid4(), OPERATOR, "rfid", "T", **fields)  # type: ignore[arg-type]


def places(found: Token) -> tuple[set[UUID], set[UUID]]:
    return set(found.site_ids), set(found.area_ids)


def test_an_operators_token_charges_no_wider_than_the_operator_is_admitted() -> None:
    other_site, other_area = uuid4(), uuid4()
    admitted = Admission(
        True,
        frozenset({SITE}),
        frozenset({other_area}),
        {AREA: SITE, other_area: other_site, uuid4(): other_site},
    )
    assert places(bound(token(), admitted)) == ({SITE}, {other_area})
    assert places(bound(token(site_ids=(other_site,)), admitted)) == (set(), {other_area})
    assert places(bound(token(area_ids=(AREA,)), admitted)) == (set(), {AREA})
    assert places(bound(token(site_ids=(uuid4(),)), admitted)) == ({NOWHERE}, set())
    assert places(bound(token(), Admission(True))) == ({NOWHERE}, set())
    own = token(area_ids=(uuid4(),))
    assert bound(own, None) is own
    assert bound(token(), Admission(False)).blocked


def test_an_operators_groups_are_its_own() -> None:
    admitted = Admission(True, frozenset({SITE}))
    here, there = (bound(token(group_id=name), admitted) for name in ("Night", "night"))
    other = bound(Token(uuid4(), uuid4(), "rfid", "T", group_id="Night"), admitted)
    assert here.group_id == there.group_id
    assert len({here.group_id, other.group_id, "Night"}) == 3
    assert len(here.group_id) == 20
    assert bound(token(), admitted).group_id == ""
