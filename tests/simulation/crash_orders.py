"""What the clients of a crash run ask for: every order type, and much that is not accepted."""

import random
import time
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from google.protobuf.message import Message
from tradewire.v1 import order_pb2, order_service_pb2

from tests.simulation.crash_world import SYMBOLS
from tests.support.history import Answer, Kind

MID_CENTS: Final = 10_000
WORKING_MAX: Final = 120
LIMIT, MARKET = order_pb2.ORDER_TYPE_LIMIT, order_pb2.ORDER_TYPE_MARKET
# What makes an order one that is refused: a field and its value, None for absent.
WRONG: Final[tuple[tuple[str, object], ...]] = (
    ("price", "100.005"),
    ("quantity", "0.00005"),
    ("symbol", "XRP-USD"),
    ("price", None),
    ("price", "-1"),
    ("side", order_pb2.SIDE_UNSPECIFIED),
    ("quote_quantity", "5"),
)
OPEN_STATUSES: Final = (order_pb2.ORDER_STATUS_NEW, order_pb2.ORDER_STATUS_PARTIALLY_FILLED)


class Idea(NamedTuple):
    """A command that nobody has sent yet."""

    kind: Kind
    request: Message
    client_order_id: str


class OrderSource:
    """Makes the commands of one account, and remembers which of its orders may be working."""

    def __init__(self, account: str, chance: random.Random) -> None:
        self._account = account
        self._chance = chance
        self._count = 0
        self._working: deque[order_pb2.Order] = deque(maxlen=WORKING_MAX)
        self._ideas: list[Callable[[], Idea]] = []
        self._weights: list[float] = []
        for make, weight in (
            (self._limit, 55.0),
            (self._expiring, 4),
            (self._immediate, 7),
            (self._market, 6),
            (self._post_only, 5),
            (self._greedy, 2),
            (self._wrong, 3),
            (self._cancel, 14),
            (self._amend, 9),
            (self._cancel_all, 0.15),
        ):
            self._ideas.append(make)
            self._weights.append(weight)

    def next(self) -> Idea:
        """Return the next command."""
        return self._chance.choices(self._ideas, self._weights)[0]()

    def learned(self, answer: Answer) -> None:
        """Take note of an acknowledged command."""
        if answer.order:
            order = order_pb2.Order.FromString(answer.order)
            if order.status in OPEN_STATUSES:
                self._working.append(order)

    def _new_id(self) -> str:
        self._count += 1
        return f"{self._account}-{self._count}"

    def _place(self, **changes: object) -> Idea:
        chance = self._chance
        request = order_service_pb2.PlaceOrderRequest(
            client_order_id=self._new_id(),
            symbol=chance.choice(SYMBOLS),
            side=chance.choice((order_pb2.SIDE_BUY, order_pb2.SIDE_SELL)),
            type=LIMIT,
            time_in_force=order_pb2.TIME_IN_FORCE_GTC,
            quantity=_lots(chance.randint(1, 2_000)),
            price=_price(chance.gauss(MID_CENTS, 60)),
            self_trade_prevention=chance.choice((0, 0, 0, 1, 2, 3, 4)),  # type: ignore[arg-type]
        )
        for name, value in changes.items():
            if value is None:
                request.ClearField(name)  # type: ignore[arg-type]
            elif isinstance(value, Message):
                getattr(request, name).CopyFrom(value)
            else:
                setattr(request, name, value)
        return Idea(Kind.PLACE, request, request.client_order_id)

    def _limit(self) -> Idea:
        return self._place()

    def _expiring(self) -> Idea:
        if self._chance.random() < 0.2:
            return self._place(time_in_force=order_pb2.TIME_IN_FORCE_DAY)
        idea = self._place(time_in_force=order_pb2.TIME_IN_FORCE_GTD)
        assert isinstance(idea.request, order_service_pb2.PlaceOrderRequest)
        end_ns = time.time_ns() + self._chance.randint(200, 3_000) * 10**6
        idea.request.expire_time.FromNanoseconds(end_ns)
        return idea

    def _immediate(self) -> Idea:
        tif = self._chance.choice((order_pb2.TIME_IN_FORCE_IOC, order_pb2.TIME_IN_FORCE_FOK))
        return self._place(time_in_force=tif)

    def _market(self) -> Idea:
        ioc = order_pb2.TIME_IN_FORCE_IOC
        if self._chance.random() < 0.3:
            amount = f"{self._chance.randint(1, 2_000)}.5"
            return self._place(
                type=MARKET, time_in_force=ioc, price=None, quantity=None, quote_quantity=amount
            )
        return self._place(type=MARKET, time_in_force=ioc, price=None)

    def _post_only(self) -> Idea:
        return self._place(
            post_only=self._chance.choice(
                (order_pb2.POST_ONLY_REJECT, order_pb2.POST_ONLY_REPRICE)
            ),
            price=_price(self._chance.gauss(MID_CENTS, 20)),
        )

    def _greedy(self) -> Idea:
        # More than Carol has, and a good trade for the others' books.
        return self._place(quantity=_lots(self._chance.randint(20_000, 60_000)))

    def _wrong(self) -> Idea:
        return self._place(**dict([self._chance.choice(WRONG)]))

    def _cancel(self) -> Idea:
        if not self._working:
            return self._limit()
        order = self._chance.choice(self._working)
        # A cancel without an id of its own cannot be repeated safely, but must be durable too.
        client_order_id = self._new_id() if self._chance.random() < 0.7 else ""
        request = order_service_pb2.CancelOrderRequest(client_order_id=client_order_id)
        self._aim(request, order)
        return Idea(Kind.CANCEL, request, client_order_id)

    def _amend(self) -> Idea:
        if not self._working:
            return self._limit()
        order = self._chance.choice(self._working)
        request = order_service_pb2.AmendOrderRequest(client_order_id=self._new_id())
        self._aim(request, order)
        change = self._chance.random()
        if change < 0.7:
            request.quantity = _lots(self._chance.randint(1, 2_000))
        if change > 0.4:
            request.price = _price(self._chance.gauss(MID_CENTS, 60))
        return Idea(Kind.AMEND, request, request.client_order_id)

    def _aim(
        self,
        request: order_service_pb2.CancelOrderRequest | order_service_pb2.AmendOrderRequest,
        order: order_pb2.Order,
    ) -> None:
        if self._chance.random() < 0.5:
            request.order_id = order.order_id
        else:
            request.original_client_order_id = order.client_order_id

    def _cancel_all(self) -> Idea:
        request = order_service_pb2.CancelAllOrdersRequest(
            symbol=self._chance.choice(("", *SYMBOLS))
        )
        return Idea(Kind.CANCEL_ALL, request, "")


def _lots(count: int) -> str:
    return f"{count // 10_000}.{count % 10_000:04d}"


def _price(cents: float) -> str:
    whole = max(int(cents), 1)
    return f"{whole // 100}.{whole % 100:02d}"
