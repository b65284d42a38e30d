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
    first = datetime.fromtimestamp(int(now.timestamp() // SLOT_S) * SLOT_S, UTC)
    count = int((until_at - first).total_seconds() // SLOT_S) + 1
    starts = [first + timedelta(seconds=SLOT_S * index) for index in range(count)]
    by_meter: dict[UUID, list[float]] = {}
    for each in metered:
        found = inputs.forecast(each.meter_id, present_w.get(each.meter_id), starts)
        loads = found or [each.fallback_w] * count
        by_meter[each.meter_id] = [load_w + each.margin_w for load_w in loads]
    steps: dict[UUID, list[Step]] = {}
    for index, start_at in enumerate(starts):
        counted = {key: loads[index] for key, loads in by_meter.items()}
        end_at = start_at + timedelta(seconds=SLOT_S)
        for node_id, load_w in own_loads(tree, metered, counted).items():
            steps.setdefault(node_id, []).append(Step(start_at, end_at, load_w))
    return steps
