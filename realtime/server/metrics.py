"""The server's numbers for Prometheus. No label names a session: that would leak memory and users."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..stats import DropReason
from .engine_host import State

if TYPE_CHECKING:
    from ..session import Session
    from .service import Service

BUCKETS_S = tuple(ms / 1000 for ms in (1, 2, 4, 8, 16, 25, 33, 50, 66, 100, 150, 250, 500, 1000))


class Metrics(Collector):
    """Counts of all sessions that ever were, read from the living ones when asked.

    Args:
        service: whose sessions are counted.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._ended: dict[str, int] = {}
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
        """A tick ended. Engine thread."""
        self._tick.observe(seconds)

    def observe_lag(self, seconds: float) -> None:
        """The event loop was late by this."""
        self._lag.observe(seconds)

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Show a number of what this module must not know; read when somebody asks."""
        Gauge(name, text, registry=self._registry).set_function(read)

    def keep(self, session: Session) -> None:
        """Keep the counts of a session that ends, so that counters never fall."""
        for name, count in _counts(session).items():
            self._ended[name] = self._ended.get(name, 0) + count

    def exposition(self) -> bytes:
        """The text that `/metrics` answers."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Called by the registry."""
        service = self._service
        totals = dict(self._ended)
        for session in service.sessions:
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
        yield GaugeMetricFamily("realtime_sessions", "Connected sessions.", service.connected)
        ready = service.host.state is State.READY
        if ready:
            yield GaugeMetricFamily(
                "realtime_capacity_fps",
                "Pictures a second that everyone could have with one more session (120 at most).",
                service.rate_with(1),
            )
        yield GaugeMetricFamily("realtime_ready", "1 where frames are welcome.", int(ready))
        yield GaugeMetricFamily(
            "realtime_rows", "Frames that the engine is at.", service.host.scheduler.jobs if ready else 0
        )


def _counts(session: Session) -> dict[str, int]:
    stats = session.stats
    counts = {reason.value: stats.dropped[reason] for reason in DropReason}
    return {**counts, "received": stats.received, "delivered": stats.delivered, "repeated": stats.repeated}
