"""The page of a site's policies, over the real rooms."""

from console_world import World

FORM = {
    "group_name_0": "Express",
    "group_who_0": "fleet",
    "group_classes_0": "articulated, solo",
    "group_name_1": "Public",
    "group_who_1": "visitors",
    "minimum_soc_pct": "60",
    "block_kind_0": "cap",
    "block_kw_0": "90,5",
    "block_from_0": "17:00",
    "block_to_0": "20:00",
    "block_days_0": "1-5",
    "order": "first_come",
    "share_pct": "75",
    "charge_now": "on",
}


async def test_policies_are_entered_kept_and_shown(world: World) -> None:
    path = f"/sites/{world.site_id}/policies"
    assert "Groups, the most important first" in await world.page(path)
    answer = await world.post(path, path, **FORM)
    assert answer.status_code == 303, answer.text[-900:]
    found = await world.core.inputs.policies.policies(world.who, world.site_id)
    assert [group.key for group in found.groups.groups] == ["express", "public"]
    assert found.groups.groups[0].vehicle_classes == ("articulated", "solo")
    assert found.blocks.blocks[0].power_w == 90_500.0
    assert found.blocks.blocks[0].weekdays == frozenset(range(5))
    assert found.visitors.share_pct == 75.0
    shown = await world.page(path)
    assert 'value="90.5"' in shown
    assert 'name="cheapest_public"' in shown
    more = {"group_key_0": "express", "group_key_1": "public", "cheapest_public": "on"}
    answer = await world.post(path, path, **FORM, **more, block_group_0="public")
    assert answer.status_code == 303, answer.text[-900:]
    found = await world.core.inputs.policies.policies(world.who, world.site_id)
    assert found.cheapest.groups == ("public",)
    assert found.blocks.blocks[0].group == "public"


async def test_what_makes_no_sense_is_shown_where_it_stands(world: World) -> None:
    path = f"/sites/{world.site_id}/policies"
    wrong = {
        "group_nodes_0": "nowhere",
        "block_days_0": "8",
        "block_from_0": "late",
        "share_pct": "140",
    }
    answer = await world.post(path, path, **(FORM | wrong))
    assert answer.status_code == 422
    for text in (
        "There is no node of this name.",
        "Days are 1 (Monday) to 7",
        "A time is written as 22:00.",
        "Must be between 0 and 100.",
    ):
        assert text in answer.text
    found = await world.core.inputs.policies.policies(world.who, world.site_id)
    assert found.groups.groups == ()
