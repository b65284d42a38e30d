"""The electrical tree of a site with its limits, and changing them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from voltyard.errors import Invalid, NotFound
from voltyard.tenancy.model import Permission
from voltyard.web.console.common import posted, search_text
from voltyard.web.console.topics import use_pct
from voltyard.web.console.views import LimitForm, NodeView, Page, Paging, TreeView
from voltyard.web.export import Cell, csv_stream
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui


@get("/sites/{site_id:uuid}/tree")
async def tree_page(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[str]:
    ui.at_site(site_id)
    tree = matching(await ui.data.tree(ui.who, site_id), search_text(ui))
    return ui.page("tree.html", tree=tree, use=use_pct)


@get("/sites/{site_id:uuid}/tree.csv")
async def tree_export(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Stream:
    site = ui.at_site(site_id)
    tree = matching(await ui.data.tree(ui.who, site_id), search_text(ui))

    async def fetch(paging: Paging) -> Page[NodeView]:
        part = tree.nodes[paging.offset : paging.offset + paging.size]
        return Page(part, len(tree.nodes), paging)

    header = ["depth", "kind", "name", "power_w", "limit_w", "reserved_w", "plan_w"]
    return csv_stream(f"tree-{site.name}.csv", header, fetch, _cells)


@get("/sites/{site_id:uuid}/tree/{node_id:uuid}")
async def node_page(
    ui: NamedDependency[Ui], site_id: FromPath[UUID], node_id: FromPath[UUID]
) -> Response[str]:
    return await _node_page(ui, site_id, node_id, {}, None)


@post("/sites/{site_id:uuid}/tree/{node_id:uuid}")
async def save_limit(
    ui: NamedDependency[Ui], site_id: FromPath[UUID], node_id: FromPath[UUID]
) -> Response[Any]:
    """Change one limit, or add one (no index), or remove one."""
    ui.require(Permission.SITES_WRITE)
    ui.at_site(site_id)
    form = await posted(ui)
    index = form.whole("index", low=0, high=999, default=-1)
    try:
        if form.flag("remove"):
            await ui.data.delete_limit(ui.who, site_id, node_id, index)
        else:
            read = await _read_limit(ui, form)
            await ui.data.save_limit(ui.who, site_id, node_id, index if index >= 0 else None, read)
    except Invalid as error:
        return await _node_page(ui, site_id, node_id, form.values, error)
    return ui.go(f"/sites/{site_id}/tree/{node_id}", done="saved")


async def _read_limit(ui: Ui, form: Fields) -> LimitForm:
    days = (await ui.request.form()).getall("weekday", [])
    read = LimitForm(
        power_w=form.number("power_kw", low=0, high=1_000_000, scale=1000),
        current_a=form.number("current_a", low=0, high=100_000),
        from_time=form.text("from_time"),
        to_time=form.text("to_time"),
        valid_from=form.text("valid_from"),
        valid_to=form.text("valid_to"),
        weekdays=tuple(sorted(int(day) for day in days if day in "0123456")) or tuple(range(7)),
    )
    if (read.power_w is None) == (read.current_a is None):
        form.fault("power_kw", ui.gettext("Say either a power or a current."))
    if bool(read.from_time) != bool(read.to_time):
        form.fault("to_time", ui.gettext("Say both times or none."))
    form.check()
    return read


async def _node_page(
    ui: Ui, site_id: UUID, node_id: UUID, values: Mapping[str, str], error: Invalid | None
) -> Response[str]:
    ui.at_site(site_id)
    tree = await ui.data.tree(ui.who, site_id)
    node = next((node for node in tree.nodes if node.id == node_id), None)
    if node is None:
        raise NotFound("There is no such part of the site.")
    return ui.page(
        "node.html",
        status=422 if error else 200,
        node=node,
        values=values,
        faults=error.fields if error else {},
        error=error.message if error else "",
    )


def matching(tree: TreeView, text: str) -> TreeView:
    """Only nodes whose name contains the text."""
    if not text:
        return tree
    nodes = tuple(node for node in tree.nodes if text.casefold() in node.name.casefold())
    return replace(tree, nodes=nodes)


def _cells(node: NodeView) -> tuple[Cell, ...]:
    return (
        node.depth,
        node.kind.value,
        node.name,
        node.power_w,
        node.limit_w,
        node.reserved_w,
        node.plan_w,
    )


ROUTES = [tree_page, tree_export, node_page, save_limit]
