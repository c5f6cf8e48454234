"""The published table of everything that a client may run into, made of the numbers that apply.

Nothing is stated here twice: a row takes its value from the policy, the bound or the contract that
is enforced. Weights and scopes of methods are facts of the contract and not repeated.
"""

from collections.abc import Iterator

from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor
from tradewire_contract import Method, methods
from tradewire_contract.json_form.text import DIGITS_MAX, VALUES_MAX

from tradewire_server.api.enter_orders import (
    COMMANDS_MAX,
    FIRST_FRAME_S,
    IN_FLIGHT_MAX,
    PAUSE_MAX_MS,
)
from tradewire_server.api.pages import DEFAULT_SIZE
from tradewire_server.api.rest.check import SIGNATURE_WEIGHT
from tradewire_server.api.streaming import FRAME_BYTES_MAX, LIFETIME_NS, STALLED_S, UNREAD_S
from tradewire_server.auth.handles import HandlePolicy
from tradewire_server.auth.keys import LIVE_KEYS_MAX
from tradewire_server.auth.limit_policy import EdgePolicy, LimitPolicy, PolicyRow, policy_rows
from tradewire_server.auth.replay import ReplayPolicy
from tradewire_server.auth.tickets import TicketPolicy
from tradewire_server.auth.tokens import TokenPolicy
from tradewire_server.sequencer import QUEUE_COMMANDS_MAX, QUEUE_RESERVE
from tradewire_server.streams.market_data import MarketBounds
from tradewire_server.streams.subscription import QueueBounds

ADMIN_SERVICE = "tradewire.v1.AdminService"
PAGE_SIZE = "page_size"
# Of the numbers of requests that have an upper bound.
NUMBER_UNITS = {"depth": "levels per side", "overlap_seconds": "s"}


def published_limits(
    policy: LimitPolicy, *, heartbeat_s: float, edge: EdgePolicy | None = None
) -> tuple[PolicyRow, ...]:
    """Return the whole table; names are unique."""
    return (
        *policy_rows(policy),
        *_order_rows(),
        *policy_rows(edge or EdgePolicy()),
        _row("rest_values", VALUES_MAX, "values", "Values in the body of a REST request"),
        _row("rest_digits", DIGITS_MAX, "characters", "A JSON number that is not in quotes"),
        _row(
            "signature",
            SIGNATURE_WEIGHT,
            "weight units",
            "A signed REST request of a method that weighs 0",
        ),
        *policy_rows(HandlePolicy()),
        *_contract_rows(),
        *_stream_rows(heartbeat_s),
        *policy_rows(TokenPolicy()),
        *policy_rows(TicketPolicy()),
        *policy_rows(ReplayPolicy()),
        _row("live_keys", LIVE_KEYS_MAX, "keys", "Keys of an account that are not revoked"),
    )


def _row(name: str, value: object, unit: str, meaning: str) -> PolicyRow:
    return PolicyRow(name, str(value), unit, meaning)


def _order_rows() -> Iterator[PolicyRow]:
    yield _row(
        "open_orders", "per account", "orders", "Open orders of an account; GetLimits tells yours"
    )
    yield _row(
        "queued_commands",
        QUEUE_COMMANDS_MAX,
        "commands",
        "Commands of all clients that wait for the engine; more are refused with OVERLOADED",
    )
    yield _row("queued_cancels", QUEUE_RESERVE, "commands", "Room beyond that, for cancels only")


def _contract_rows() -> Iterator[PolicyRow]:
    """Yield the bounds of lists and numbers that the contract's rules set."""
    pages = set()
    for method in methods().values():
        if method.service == ADMIN_SERVICE:
            continue
        for field in method.request.fields:
            rules = field.GetOptions().Extensions[validate_pb2.field]
            if field.name == PAGE_SIZE:
                pages.add(rules.int32.lte)
            elif rules.repeated.max_items:
                yield _bound(method, field, rules.repeated.max_items, "items")
            elif rules.int32.lte:
                yield _bound(method, field, rules.int32.lte, NUMBER_UNITS[field.name])
    (most,) = pages
    yield _row(
        PAGE_SIZE, f"{DEFAULT_SIZE}, at most {most}", "items", "Items of a page, for every list"
    )


def _bound(method: Method, field: FieldDescriptor, value: int, unit: str) -> PolicyRow:
    return _row(
        f"{method.name}.{field.name}",
        value,
        unit,
        f"Greatest {field.name} of one {method.name}"
        if unit != "items"
        else f"Most {field.name} in one {method.name}",
    )


def _stream_rows(heartbeat_s: float) -> Iterator[PolicyRow]:
    queue, market = QueueBounds(), MarketBounds()
    yield _row("heartbeat", f"{heartbeat_s:g}", "s", "A stream that is quiet so long says it lives")
    yield _row("stream_lifetime", LIFETIME_NS // 10**9, "s", "Age at which a stream is closed")
    yield _row(
        "stream_queue",
        queue.bytes_max,
        "bytes",
        "What may wait for a client that reads too slowly before its stream is closed",
    )
    yield _row(
        "stream_stalled",
        f"{STALLED_S:g}",
        "s",
        "Time to read the last message of a closed stream, before the call is ended",
    )
    yield _row("stream_message", FRAME_BYTES_MAX, "bytes", "About the largest message of a stream")
    yield _row(
        "market_data_interval",
        market.interval_ns // 10**6,
        "ms",
        "Least time between two updates of a book",
    )
    yield _row(
        "market_data_messages",
        market.messages_max,
        "messages",
        "What may wait for a slow client before it is given a new snapshot in its place",
    )
    yield _row(
        "market_data_unread",
        f"{UNREAD_S:g}",
        "s",
        "Time that a message may take to be read, before the stream is closed",
    )
    yield _row("market_data_trades", market.trades_max, "trades", "Most trades in one message")
    yield _row("EnterOrders.commands", COMMANDS_MAX, "commands", "Most commands in one frame")
    yield _row(
        "EnterOrders.in_flight",
        IN_FLIGHT_MAX,
        "commands",
        "Commands of a stream without a result at which no further frame is read",
    )
    yield _row(
        "EnterOrders.pause",
        PAUSE_MAX_MS,
        "ms",
        "Longest time before the next frame is read, behind one of which nothing passed the limits",
    )
    yield _row(
        "EnterOrders.first_frame", f"{FIRST_FRAME_S:g}", "s", "Time for the first frame of a stream"
    )
