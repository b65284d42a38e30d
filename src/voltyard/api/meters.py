"""What the database writer and the bus count, for ``/metrics``."""

from collections.abc import Sequence

from voltyard.api.deps import Metric
from voltyard.bus import Bus
from voltyard.storage.groupcommit import GroupCommit

_COMMITS = (
    ("batches", "Group commits made."),
    ("items", "Messages in group commits."),
    ("rows", "Rows written by group commits."),
    ("retried_alone", "Messages tried alone after their batch was refused."),
    ("failed", "Messages whose rows the database refused."),
    ("dropped", "Log rows dropped because the writer was full."),
)


class CommitMeters:
    def __init__(self, commits: GroupCommit) -> None:
        self._commits = commits

    def read(self) -> Sequence[Metric]:
        stats = self._commits.stats
        return [
            Metric(
                f"voltyard_commit_{name}_total", float(getattr(stats, name)), {}, "counter", text
            )
            for name, text in _COMMITS
        ]


class BusMeters:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def read(self) -> Sequence[Metric]:
        name, text = "voltyard_event_deliveries_total", "Events given to their handlers."
        return [
            Metric(name, float(self._bus.delivered), {"outcome": "done"}, "counter", text),
            Metric(name, float(self._bus.failed), {"outcome": "failed"}, "counter", text),
        ]
