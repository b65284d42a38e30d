"""Other load slot by slot, as the planner takes it, from forecasts behind site meters. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from voltyard.energy.model import Step
from voltyard.energy.otherload import own_loads
from voltyard.energy.ports import EnergyInputs
from voltyard.sites.model import ElectricalTree

SLOT_S = 900


def forecast_steps(
    inputs: EnergyInputs,
    site_id: UUID,
    tree: ElectricalTree,
    present_w: Mapping[UUID, float],
    now: datetime,
    until_at: datetime,
) -> dict[UUID, list[Step]]:
    """By node, margin included. A meter of which nothing is known counts as in silence."""
    metered = [m for m in inputs.metered(site_id) if m.node_id in tree.by_id]
    if not metered:
        return {}
    starts = _starts(now, until_at)
    by_meter: dict[UUID, list[float]] = {}
    for each in metered:
        found = inputs.forecast(each.meter_id, present_w.get(each.meter_id), starts)
        loads = found or [each.fallback_w] * len(starts)
        by_meter[each.meter_id] = [max(0.0, load_w) + each.margin_w for load_w in loads]
    steps: dict[UUID, list[Step]] = {}
    for index, start_at in enumerate(starts):
        counted = {key: loads[index] for key, loads in by_meter.items()}
        end_at = start_at + timedelta(seconds=SLOT_S)
        for node_id, load_w in own_loads(tree, metered, counted).items():
            steps.setdefault(node_id, []).append(Step(start_at, end_at, load_w))
    return steps


def surplus_steps(
    inputs: EnergyInputs,
    site_id: UUID,
    tree: ElectricalTree,
    present_w: Mapping[UUID, float],
    now: datetime,
    until_at: datetime,
) -> list[Step]:
    """What the grid connection's meter lets expect to be fed in without charging, less its margin.

    Nothing while it is silent, and nothing where no meter counts all that passes there.
    """
    whole = [m for m in inputs.metered(site_id) if m.node_id == tree.root.id and m.all and m.known]
    if not whole:
        return []
    meter, starts = whole[0], _starts(now, until_at)
    found = inputs.forecast(meter.meter_id, present_w.get(meter.meter_id), starts) or []
    if all(load_w + meter.margin_w >= 0.0 for load_w in found):
        return []
    long = timedelta(seconds=SLOT_S)
    return [
        Step(start_at, start_at + long, max(0.0, -load_w - meter.margin_w))
        for start_at, load_w in zip(starts, found, strict=True)
    ]


def _starts(now: datetime, until_at: datetime) -> list[datetime]:
    first = datetime.fromtimestamp(int(now.timestamp() // SLOT_S) * SLOT_S, UTC)
    count = int((until_at - first).total_seconds() // SLOT_S) + 1
    return [first + timedelta(seconds=SLOT_S * index) for index in range(count)]
