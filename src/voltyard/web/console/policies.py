"""Policies of a site: who goes first, when, and with how much; read and changed by people."""

import re
from collections.abc import Iterable, Mapping
from datetime import time
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from voltyard.energy.policies.base import Group, Who
from voltyard.energy.policies.blocks import Block, BlockKind
from voltyard.energy.policies.registry import SitePolicies
from voltyard.energy.policies.visitors import Order
from voltyard.errors import Invalid, NotFound
from voltyard.sites.model import Node
from voltyard.tenancy.model import Permission
from voltyard.web.console import policies_words
from voltyard.web.console.common import posted
from voltyard.web.console.rooms import InputRooms
from voltyard.web.console.tokens import remote_of
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui

SPARE_ROWS = 2
LEAST_ROWS = 3
MOST_ROWS = 50


def _rooms(ui: Ui) -> InputRooms:
    if ui.deps.inputs is None:
        raise NotFound("There is nothing at this address.")
    return ui.deps.inputs


@get("/sites/{site_id:uuid}/policies")
async def policies_page(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[str]:
    ui.at_site(site_id)
    found = await _rooms(ui).policies.policies(ui.who, site_id)
    nodes = await _rooms(ui).sites.nodes(ui.who, site_id)
    return _page(ui, found, values_of(found, nodes), {}, "")


@post("/sites/{site_id:uuid}/policies")
async def save_policies(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.SITES_WRITE)
    ui.at_site(site_id)
    room = _rooms(ui)
    found = await room.policies.policies(ui.who, site_id)
    nodes = await room.sites.nodes(ui.who, site_id)
    form = await posted(ui)
    try:
        wanted = wanted_of(ui, form, found, nodes)
        await room.policies.replace(ui.who, site_id, wanted, remote=remote_of(ui))
    except Invalid as error:
        faults = {_field(name): why for name, why in error.fields.items()}
        return _page(ui, found, form.values, faults, error.message)
    return ui.go(f"/sites/{site_id}/policies", done="saved")


def _page(
    ui: Ui,
    found: SitePolicies,
    values: Mapping[str, str],
    faults: Mapping[str, str],
    error: str,
) -> Response[str]:
    return ui.page(
        "policies.html",
        status=422 if error else 200,
        values=values,
        faults=faults,
        error=error,
        group_rows=range(_rows(values, "group_name_")),
        block_rows=range(_rows(values, "block_kw_")),
        groups=[(group.key, group.name) for group in found.groups.groups],
        policy_words=policies_words,
    )


def _rows(values: Mapping[str, str], field: str) -> int:
    """As many as are filled in, and some to add."""
    ends = (
        name[len(field) :] for name, value in values.items() if name.startswith(field) and value
    )
    used = [int(end) + 1 for end in ends if end.isdigit()]
    return min(MOST_ROWS, max(LEAST_ROWS, max(used, default=0) + SPARE_ROWS))


_FIELDS = {
    "ready_by.minimum_soc_pct": "minimum_soc_pct",
    "cheapest.hours": "cheapest_hours",
    "visitors.share_pct": "share_pct",
}


def _field(name: str) -> str:
    """The form's name of what the policies call so."""
    head, _, rest = name.partition(".")
    row, _, part = rest.partition(".")
    if head == "groups" and part:
        return f"group_{'nodes' if part == 'node_ids' else 'name'}_{row}"
    if head == "blocks" and part:
        parts = {"power_w": "kw", "weekdays": "days"}
        return f"block_{parts.get(part, part)}_{row}"
    return _FIELDS.get(name, name)


def values_of(found: SitePolicies, nodes: Iterable[Node]) -> dict[str, str]:
    """As the form shows them."""
    names = {node.id: node.name for node in nodes}
    values = {
        "minimum_soc_pct": _shown(found.ready_by.minimum_soc_pct),
        "cheapest_hours": _shown(found.cheapest.hours),
        "price_max": _shown(found.cheapest.price_max),
        "charge_now": "on" if found.charge_now.enabled else "",
        "order": found.visitors.order.value,
        "share_pct": _shown(found.visitors.share_pct),
    }
    values |= {f"ready_{key}": "on" for key in found.ready_by.groups}
    values |= {f"cheapest_{key}": "on" for key in found.cheapest.groups}
    for row, group in enumerate(found.groups.groups):
        below = ", ".join(names[node_id] for node_id in group.node_ids if node_id in names)
        values |= {
            f"group_key_{row}": group.key,
            f"group_name_{row}": group.name,
            f"group_who_{row}": group.who.value,
            f"group_classes_{row}": ", ".join(group.vehicle_classes),
            f"group_nodes_{row}": below,
        }
    for row, block in enumerate(found.blocks.blocks):
        values |= {
            f"block_kind_{row}": block.kind.value,
            f"block_group_{row}": block.group,
            f"block_kw_{row}": _shown(block.power_w / 1000.0),
            f"block_from_{row}": _clock(block.from_time),
            f"block_to_{row}": _clock(block.to_time),
            f"block_days_{row}": ",".join(str(day + 1) for day in sorted(block.weekdays)),
        }
    return values


def wanted_of(
    ui: Ui, form: Fields, found: SitePolicies, nodes: Iterable[Node]
) -> dict[str, dict[str, Any]]:
    """What the form asks for. Raises Invalid with the faults by its own fields."""
    groups = list(_groups(ui, form, nodes))
    blocks = list(_blocks(ui, form))
    keys = {group.key for group in groups}
    known = [group.key for group in found.groups.groups if group.key in keys]
    order = form.one_of("order", Order) or Order.TURNS
    share_pct = form.number("share_pct", low=0, high=100)
    hours = form.number("cheapest_hours", low=0, high=24)
    wanted: dict[str, dict[str, Any]] = {
        "groups": {"groups": [_plain(group) for group in groups]},
        "ready_by": {
            "minimum_soc_pct": form.number("minimum_soc_pct", low=0, high=100),
            "groups": [key for key in known if form.flag(f"ready_{key}")],
        },
        "cheapest": {
            "groups": [key for key in known if form.flag(f"cheapest_{key}")],
            "hours": 4.0 if hours is None else hours,
            "price_max": form.number("price_max", low=-10_000, high=100_000),
        },
        "blocks": {"blocks": [_plain(block) for block in blocks]},
        "charge_now": {"enabled": form.flag("charge_now")},
        "visitors": {
            "order": order.value,
            "share_pct": 100.0 if share_pct is None else share_pct,
        },
    }
    form.check()
    return wanted


def _plain(made: Group | Block) -> dict[str, Any]:
    return {name: getattr(made, name) for name in type(made).__dataclass_fields__}


def _groups(ui: Ui, form: Fields, nodes: Iterable[Node]) -> Iterable[Group]:
    by_name: dict[str, list[UUID]] = {}
    for node in nodes:
        by_name.setdefault(node.name.casefold(), []).append(node.id)
    taken: set[str] = set()
    for row in range(_rows(form.values, "group_name_")):
        name = form.text(f"group_name_{row}", longest=100)
        if not name:
            continue
        key = form.text(f"group_key_{row}", longest=40) or _key(name, taken)
        taken.add(key)
        below: list[UUID] = []
        for word in _words(form.text(f"group_nodes_{row}", longest=1_000)):
            below += by_name.get(word.casefold(), [])
            if word.casefold() not in by_name:
                form.fault(f"group_nodes_{row}", ui.gettext("There is no node of this name."))
        yield Group(
            key=key,
            name=name,
            who=form.one_of(f"group_who_{row}", Who) or Who.ANY,
            vehicle_classes=tuple(_words(form.text(f"group_classes_{row}", longest=1_000))),
            node_ids=tuple(below),
        )


def _blocks(ui: Ui, form: Fields) -> Iterable[Block]:
    for row in range(_rows(form.values, "block_kw_")):
        power_w = form.number(f"block_kw_{row}", low=0, high=1_000_000, scale=1000.0)
        if power_w is None:
            continue
        yield Block(
            kind=form.one_of(f"block_kind_{row}", BlockKind) or BlockKind.CAP,
            power_w=power_w,
            group=form.text(f"block_group_{row}", longest=40),
            from_time=_time(ui, form, f"block_from_{row}"),
            to_time=_time(ui, form, f"block_to_{row}"),
            weekdays=_days(ui, form, f"block_days_{row}"),
        )


def _time(ui: Ui, form: Fields, name: str) -> time | None:
    text = form.text(name)
    if text in ("", "24:00"):
        return None
    try:
        return time.fromisoformat(text)
    except ValueError:
        form.fault(name, ui.gettext("A time is written as 22:00."))
        return None


def _days(ui: Ui, form: Fields, name: str) -> frozenset[int]:
    """``1-5`` or ``6,7``; 1 is Monday, nothing means every day."""
    found: set[int] = set()
    for word in _words(form.text(name)) or ["1-7"]:
        first, _, last = word.partition("-")
        if not (first.isdigit() and (last or first).isdigit()):
            found.add(0)
            break
        found |= set(range(int(first), int(last or first) + 1))
    if not found or not found <= set(range(1, 8)):
        form.fault(name, ui.gettext("Days are 1 (Monday) to 7: 1-5 or 6,7."))
        return frozenset(range(7))
    return frozenset(day - 1 for day in found)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _key(name: str, taken: set[str]) -> str:
    """From the name; its own among these."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:30] or "group"
    if plain not in taken:
        return plain
    return next(f"{plain}-{n}" for n in range(2, MOST_ROWS + 3) if f"{plain}-{n}" not in taken)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _clock(value: time | None) -> str:
    return "" if value is None else f"{value:%H:%M}"


ROUTES = [policies_page, save_policies]
