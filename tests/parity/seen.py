"""What can be seen of a scenario, without what has to differ between two runs of it."""

import re
from typing import Any

from google.protobuf.message import Message
from tradewire_server.app import Application
from tradewire_server.engine.events import KeyStored
from tradewire_server.journal.codec import decode_events
from tradewire_server.journal.sqlite import SqliteJournal

from tests.parity.ways import Answer
from tests.support.failures import Failure


class Names:
    """Gives ids and times names in the order in which they appear, so that runs can be compared."""

    def __init__(self) -> None:
        self._orders: dict[str, str] = {}
        self._executions: dict[str, str] = {}

    def plain(self, message: Message) -> str:
        """Return a message as text without what differs between runs."""
        found = type(message)()
        found.CopyFrom(message)
        self._clean(found)
        return str(found)

    def text(self, text: str) -> str:
        """Return a text in which the ids of orders are named."""
        return re.sub(r"(?<=\border )\d+", lambda match: self._orders.get(match[0], match[0]), text)

    def order(self, order_id: str) -> str:
        """Return the name of an order."""
        return self._orders.setdefault(order_id, f"order-{len(self._orders)}")

    def execution(self, execution_id: str) -> str:
        """Return the name of an execution."""
        return self._executions.setdefault(execution_id, f"execution-{len(self._executions)}")

    def _clean(self, message: Any) -> None:
        for field, value in message.ListFields():
            if field.name in ("order_id", "counter_order_id"):
                setattr(message, field.name, self.order(value))
            elif field.name == "execution_id":
                setattr(message, field.name, self.execution(value))
            elif field.name in ("create_time", "transact_time"):
                message.ClearField(field.name)
            elif field.message_type is not None and not field.is_repeated:
                self._clean(value)


def outcome_of(answer: Answer, names: Names) -> tuple[Any, ...]:
    if answer.order is None:
        return ("canceled", answer.canceled_count, answer.as_of_sequence)
    return ("order", names.plain(answer.order), answer.as_of_sequence, answer.priority_kept)


def error_of(found: Failure, names: Names) -> tuple[Any, ...]:
    metadata = {
        key: names.order(value) if key == "order_id" else names.text(value)
        for key, value in found.metadata.items()
    }
    text = names.text(found.text)
    if found.reason == "ACCOUNT_NOT_FOUND":
        text = ""  # who says it, differs: the credential, the stream or the batch
    return ("error", found.reason, found.outcome, found.fields, text, metadata)


def journal_of(app: Application) -> list[str]:
    """Return the events of a drained venue, but for its keys, with orders named as they came."""
    journal = SqliteJournal.open(app.settings.data_dir, now_ns=app.clock_ns())
    try:
        events = [e for batch in journal.batches(0) for e in decode_events(batch.payload)]
    finally:
        journal.close()
    names: dict[int, int] = {0: 0}
    seen = []
    for event in events:
        if not isinstance(event, KeyStored):
            ids = {f: getattr(event, f) for f in event._fields if f.endswith("order_id")}
            named = {
                field: names.setdefault(value, len(names))
                for field, value in ids.items()
                if isinstance(value, int)
            }
            seen.append(str({**event._asdict(), **named, "event": type(event).__name__}))
    return seen
