"""What is counted of WebSocket connections, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class Meters:
    """The meters, in a registry that is given or one of their own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.connections = Gauge(
            "tradewire_websocket_connections",
            "Open WebSocket connections",
            registry=self.registry,
        )
        self.subscriptions = Gauge(
            "tradewire_websocket_subscriptions",
            "Open subscriptions of WebSocket connections",
            registry=self.registry,
        )
        self.frames = Counter(
            "tradewire_websocket_frames",
            "Text frames of WebSocket clients",
            registry=self.registry,
        )
        self._refused = Counter(
            "tradewire_websocket_refused",
            "Upgrades and requests that the WebSocket gateway refused, by reason",
            ["reason"],
            registry=self.registry,
        )
        self._closed = Counter(
            "tradewire_websocket_closed",
            "Connections that the WebSocket gateway closed, by reason",
            ["reason"],
            registry=self.registry,
        )

    def refused(self, reason: str) -> None:
        """Count what was refused; the reason is one of the catalogue."""
        self._refused.labels(reason).inc()

    def closed(self, reason: str) -> None:
        """Count a connection that was closed from here; the reason is one of the catalogue."""
        self._closed.labels(reason).inc()
