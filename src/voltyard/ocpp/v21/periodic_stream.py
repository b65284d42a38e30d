"""OCPP 2.1 block N: streams of values, sent without waiting for an answer."""

from typing import ClassVar

from voltyard.ocpp.v21.types import StatusInfo
from voltyard.ocpp.v201.types import GenericStatusWord, Wire201
from voltyard.ocpp.wire import Instant, Natural, Some, Str2500


class PeriodicEventStreamParams(Wire201):
    interval: Natural | None = None
    values: Natural | None = None


class StreamDataElement(Wire201):
    t: float
    v: Str2500


class ConstantStreamData(Wire201):
    id: Natural
    params: PeriodicEventStreamParams
    variable_monitoring_id: Natural


class NotifyPeriodicEventStream(Wire201):
    expected: ClassVar[tuple[str, ...]] = ("basetime",)

    data: Some[StreamDataElement]
    id: Natural
    pending: Natural
    basetime: Instant | None = None


class OpenPeriodicEventStream(Wire201):
    constant_stream_data: ConstantStreamData


class OpenPeriodicEventStreamResponse(Wire201):
    status: GenericStatusWord
    status_info: StatusInfo | None = None


class ClosePeriodicEventStream(Wire201):
    id: Natural


class ClosePeriodicEventStreamResponse(Wire201):
    pass


class AdjustPeriodicEventStream(Wire201):
    id: Natural
    params: PeriodicEventStreamParams


class AdjustPeriodicEventStreamResponse(Wire201):
    status: GenericStatusWord
    status_info: StatusInfo | None = None


class GetPeriodicEventStream(Wire201):
    pass


class GetPeriodicEventStreamResponse(Wire201):
    constant_stream_data: Some[ConstantStreamData] | None = None
