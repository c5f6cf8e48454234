"""What the venue measures of itself, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_CODES_OF_SUCCESS = 0


class Metrics:
    """The meters, in a registry of their own so that two venues fit into one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = Counter(
            "tradewire_calls_total",
            "Finished calls by method and status code",
            ["method", "code"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "tradewire_call_seconds",
            "Duration of successful unary calls",
            ["method"],
            buckets=(0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.5, 2, 10),
            registry=self.registry,
        )
        self.batches = Counter("tradewire_batches_total", "Durable batches", registry=self.registry)
        self.queue_length = Gauge(
            "tradewire_queue_length", "Commands that wait for the engine", registry=self.registry
        )
        self.open_orders = Gauge(
            "tradewire_open_orders", "Open orders of all accounts", registry=self.registry
        )
        self.events = Gauge(
            "tradewire_event_number", "Number of the last durable event", registry=self.registry
        )
        self.subscriptions = Gauge(
            "tradewire_subscriptions", "Open feed subscriptions", registry=self.registry
        )
        self._children: dict[tuple[str, int], tuple[Counter, Histogram | None]] = {}

    def call(self, method: str, code: int, seconds: float) -> None:
        """Count a finished call."""
        children = self._children.get((method, code))
        if children is None:
            seconds_of = self._seconds.labels(method) if code == _CODES_OF_SUCCESS else None
            children = (self._calls.labels(method, str(code)), seconds_of)
            # Bounded: methods are the contract's, codes are gRPC's.
            self._children[method, code] = children
        children[0].inc()
        if children[1] is not None:
            children[1].observe(seconds)
