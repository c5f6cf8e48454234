"""Who wants to know when a credential ends: open streams register here and are told at once.

Callbacks run inside the fold that ended the credential, so they only set something (an event, a
flag) and never raise. The number of watchers is the number of open streams, which the edge bounds.
"""

from __future__ import annotations

from collections.abc import Callable

Callback = Callable[[], None]


class Watchers:
    """Callbacks by the name of what they watch."""

    def __init__(self) -> None:
        self._callbacks: dict[str, dict[object, Callback]] = {}

    def add(self, name: str, callback: Callback) -> Callback:
        """Call back once when `name` ends; returns the withdrawal, which may be called twice."""
        handle = object()
        self._callbacks.setdefault(name, {})[handle] = callback

        def withdraw() -> None:
            watching = self._callbacks.get(name)
            if watching is not None and watching.pop(handle, None) is not None and not watching:
                del self._callbacks[name]

        return withdraw

    def notify(self, name: str) -> None:
        """Tell and forget all who watch `name`."""
        for callback in self._callbacks.pop(name, {}).values():
            callback()

    def __len__(self) -> int:
        return sum(len(watching) for watching in self._callbacks.values())
