"""For operators' machines: health, and metrics as Prometheus text."""

from collections.abc import Iterable

from litestar import Response, get

from voltyard.api.caller import Deps
from voltyard.api.deps import ApiDeps, Metric
from voltyard.api.wire import Out

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class PartOut(Out):
    name: str
    ok: bool
    why: str


class HealthOut(Out):
    status: str
    parts: list[PartOut]


@get("/health/live", summary="The process answers", include_in_schema=False, sync_to_thread=False)
def live() -> HealthOut:
    return HealthOut(status="ok", parts=[])


@get("/health/ready", summary="Every part works", include_in_schema=False)
async def ready(deps: Deps) -> Response[HealthOut]:
    """503 while a part does not."""
    parts = await deps.health.check()
    ok = all(part.ok for part in parts)
    shown = [PartOut(name=part.name, ok=part.ok, why=part.why) for part in parts]
    body = HealthOut(status="ok" if ok else "failing", parts=shown)
    return Response(body, status_code=200 if ok else 503, headers={"cache-control": "no-store"})


@get("/metrics", summary="Prometheus metrics", include_in_schema=False)
async def metrics(deps: Deps) -> Response[str]:
    found = [metric for meters in deps.meters for metric in meters.read()]
    return Response(text([*_own(deps), *found]), media_type=METRICS_TYPE)


def _own(deps: ApiDeps) -> Iterable[Metric]:
    """What the API can tell without asking anybody."""
    outlets = list(deps.live.all())
    yield Metric("voltyard_evses", float(len(outlets)), {}, help="EVSEs known.")
    online = sum(live.online for live in outlets)
    yield Metric("voltyard_evses_online", float(online), {}, help="EVSEs of connected stations.")
    running = sum(live.session is not None and live.session.open for live in outlets)
    yield Metric("voltyard_sessions_running", float(running), {}, help="Sessions running.")
    power_w = sum(live.power_w or 0.0 for live in outlets)
    yield Metric("voltyard_charging_watts", power_w, {}, help="Charging power as last heard.")


def text(metrics: Iterable[Metric]) -> str:
    """The exposition format, families together, each with help and type."""
    families: dict[str, list[Metric]] = {}
    for metric in metrics:
        families.setdefault(metric.name, []).append(metric)
    lines: list[str] = []
    for name, members in families.items():
        if members[0].help:
            lines.append(f"# HELP {name} {members[0].help}")
        lines.append(f"# TYPE {name} {members[0].kind}")
        lines += [f"{name}{_labels(metric)} {_value(metric.value)}" for metric in members]
    return "\n".join(lines) + "\n"


def _labels(metric: Metric) -> str:
    if not metric.labels:
        return ""
    pairs = (f'{key}="{_escaped(value)}"' for key, value in sorted(metric.labels.items()))
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _value(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


ROUTES = (live, ready, metrics)
