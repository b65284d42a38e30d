"""What several pages share: reading filters and paging from the address."""

from voltyard.web.console.views import Paging
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui

PAGE_SIZES = (25, 50, 100, 200)
FILTER_LONGEST = 100


def query(ui: Ui) -> Fields:
    """The address's parameters, read leniently: what makes no sense is ignored."""
    return Fields(dict(ui.request.query_params.items()), ui.zone, ui.gettext)


def search_text(ui: Ui) -> str:
    return query(ui).text("q")[:FILTER_LONGEST]


def paging(ui: Ui, size: int = 50) -> Paging:
    fields = query(ui)
    chosen = fields.whole("size", low=1, high=PAGE_SIZES[-1], default=size)
    return Paging(
        fields.whole("page", low=1, high=1_000_000, default=1),
        chosen if chosen in PAGE_SIZES else size,
    )


async def posted(ui: Ui) -> Fields:
    """The submitted form; times in the current site's zone."""
    form = await ui.request.form()
    values = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    return Fields(values, ui.zone, ui.gettext)
