"""The server's numbers in Prometheus' format.

No label may name a session: a label's series are kept for ever, and would tell who uses the server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..outputs.push import PushState, PushStatus
from ..stats import DropReason

if TYPE_CHECKING:
    from ..session import Session

BUCKETS_S = tuple(ms / 1000 for ms in (1, 2, 4, 8, 16, 25, 33, 50, 66, 100, 150, 250, 500, 1000))

WORKER_GAUGES = {
    "is_ready": "1 where sessions are put.",
    "sessions": "Sessions there, connected or not.",
    "rows": "Frames that its engine is at.",
    "capacity_fps": "Pictures a second that everyone there could have with one more session (120 at most).",
}
"""By the field of `WorkerTotals`."""

OUTPUT_COUNTERS = {
    "sent": "Pictures that outputs have sent, repeats among them.",
    "repeated": "Pictures that outputs have sent again, as there was no newer one.",
    "skipped": "Moments at which an output sent no picture, as the other side took none.",
    "connections": "Connections that outputs have made.",
}
"""By the field of `PushStatus`."""
OUTPUT_NAMES = {"sent": "pictures"}


@dataclass(frozen=True, slots=True)
class WorkerTotals:
    """Of one engine among all.

    Attributes:
        number, device: see `Worker`.
        is_ready: whether sessions may be put there.
        sessions: that are there, connected or not.
        rows: frames that were picked and not answered yet.
        capacity_fps: pictures a second that every session there could have if one more joined; 0 where none is put.
        variants: those that run, and the measured time of what each changes to that without it; 1 where it was not.
    """

    number: int
    device: str
    is_ready: bool
    sessions: int
    rows: int
    capacity_fps: float
    variants: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Totals:
    """A snapshot of what the gauges and counters are computed from.

    Attributes:
        sessions: all of them, connected or not.
        connected: number of sessions that have a connection.
        workers: the engines.
        capacity_fps: pictures a second that every session could have if one more joined; None while no engine is ready.
        outputs: how sending goes.
        model: what serves; empty before the first engine was ready.
    """

    sessions: Sequence[Session]
    connected: int
    workers: Sequence[WorkerTotals] = ()
    capacity_fps: float | None = None
    outputs: Sequence[PushStatus] = ()
    model: str = ""


class Metrics(Collector):
    """One server's metrics. Counters cover ended sessions (added up by `keep`) and present ones (read at a scrape).

    Args:
        totals: called once a scrape.
    """

    def __init__(self, totals: Callable[[], Totals]) -> None:
        self._totals = totals
        self._ended: dict[str, int] = {}
        self._counters: list[tuple[str, str, str, Callable[[], Mapping[Any, int]]]] = []
        self._registry = CollectorRegistry()
        self._tick = Histogram(
            "realtime_tick_seconds", "From the launch of a tick to its end.", buckets=BUCKETS_S, registry=self._registry
        )
        self._lag = Histogram(
            "realtime_event_loop_lag_seconds",
            "How much later than due the event loop comes to its timers.",
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        self._registry.register(self)

    def observe_tick(self, seconds: float, jobs: int) -> None:
        """Add a tick's duration to its histogram; `jobs`, part of `on_tick`'s signature, is not used. Any thread."""
        self._tick.observe(seconds)

    def observe_lag(self, seconds: float) -> None:
        """Add the delay of one event loop timer to its histogram."""
        self._lag.observe(seconds)

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Register a gauge.

        Args:
            name: of the metric.
            text: its HELP line.
            read: its value, called at each scrape.
        """
        Gauge(name, text, registry=self._registry).set_function(read)

    def count(self, name: str, text: str, label: str, read: Callable[[], Mapping[Any, int]]) -> None:
        """Register a counter.

        Args:
            name: of the metric.
            text: its HELP line.
            label: what its series are told apart by.
            read: their values by that label's, called at each scrape; none ever falls.
        """
        self._counters.append((name, text, label, read))

    def keep(self, session: Session) -> None:
        """Add the counts of an ending session to the totals, so that counters never fall."""
        for name, count in _counts(session).items():
            self._ended[name] = self._ended.get(name, 0) + count

    def exposition(self) -> bytes:
        """The body of `/metrics`: all metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """See `Collector`: the metrics that are computed at each scrape. Called by the registry."""
        now = self._totals()
        totals = dict(self._ended)
        for session in now.sessions:
            for name, count in _counts(session).items():
                totals[name] = totals.get(name, 0) + count
        yield CounterMetricFamily("realtime_frames_received", "Frames in.", totals.get("received", 0))
        yield CounterMetricFamily(
            "realtime_frames_delivered", "Answers out, repeats among them.", totals.get("delivered", 0)
        )
        yield CounterMetricFamily(
            "realtime_frames_repeated", "Frames answered without the model.", totals.get("repeated", 0)
        )
        dropped = CounterMetricFamily("realtime_frames_dropped", "Frames without a picture.", labels=["reason"])
        for reason in DropReason:
            dropped.add_metric([reason.value], totals.get(reason.value, 0))
        yield dropped
        yield GaugeMetricFamily("realtime_sessions", "Connected sessions.", now.connected)
        if now.capacity_fps is not None:
            yield GaugeMetricFamily(
                "realtime_capacity_fps",
                "Pictures a second that everyone could have with one more session (120 at most).",
                now.capacity_fps,
            )
        is_ready = any(worker.is_ready for worker in now.workers)
        yield GaugeMetricFamily("realtime_ready", "1 where frames are welcome.", int(is_ready))
        rows = sum(worker.rows for worker in now.workers)
        yield GaugeMetricFamily("realtime_rows", "Frames that the engines are at.", rows)
        if now.model:
            model = GaugeMetricFamily("realtime_model_info", "1 for the model that serves.", labels=["model"])
            model.add_metric([now.model], 1)
            yield model
        for name, text, label, read in self._counters:
            counter = CounterMetricFamily(name, text, labels=[label])
            for value, number in read().items():
                counter.add_metric([str(value)], number)
            yield counter
        yield from _by_worker(now.workers)
        yield from _of_outputs(now.outputs)


def _by_worker(workers: Sequence[WorkerTotals]) -> Iterator[Metric]:
    for name, text in WORKER_GAUGES.items():
        family = GaugeMetricFamily(f"realtime_worker_{name.removeprefix('is_')}", text, labels=["worker", "device"])
        for worker in workers:
            family.add_metric([str(worker.number), worker.device], float(getattr(worker, name)))
        yield family
    variants = GaugeMetricFamily(
        "realtime_variant_time_ratio",
        "Of variants that run: the time of what each changes to that without it; 1 where it was not measured.",
        labels=["worker", "device", "variant"],
    )
    for worker in workers:
        for name, ratio in worker.variants.items():
            variants.add_metric([str(worker.number), worker.device, name], ratio)
    yield variants


def _of_outputs(outputs: Sequence[PushStatus]) -> Iterator[Metric]:
    states = GaugeMetricFamily("realtime_outputs", "Outputs, by what becomes of them.", labels=["state"])
    for state in PushState:
        states.add_metric([state.value], sum(output.state is state for output in outputs))
    yield states
    for name, text in OUTPUT_COUNTERS.items():
        total = sum(getattr(output, name) for output in outputs)
        yield CounterMetricFamily(f"realtime_output_{OUTPUT_NAMES.get(name, name)}", text, total)


def _counts(session: Session) -> dict[str, int]:
    stats = session.stats
    counts = {reason.value: stats.dropped[reason] for reason in DropReason}
    return {**counts, "received": stats.received, "delivered": stats.delivered, "repeated": stats.repeated}
