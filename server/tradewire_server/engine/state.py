"""Everything that is folded: accounts, markets, orders, keys, counters; and its snapshot.

The snapshot is plain lists, so that equal states have equal snapshots in every process. Orders and
keys stand in the order in which they were made, which their dictionaries keep, live and recovered;
the rest is sorted by name. The order of a price level is kept by `Order.priority`.
"""

import hashlib
import heapq
from collections.abc import Iterator
from typing import Any

from tradewire_server.engine.book import Book
from tradewire_server.engine.events import KeyRecord, OrderAccepted
from tradewire_server.engine.instrument import Instrument
from tradewire_server.engine.ledger import Balance, Position
from tradewire_server.engine.order import Order
from tradewire_server.engine.vocabulary import (
    FOK,
    IOC,
    LIMIT,
    InstrumentStatus,
    OrderStatus,
    OrderType,
    PostOnly,
    Reason,
    SelfTradePrevention,
    Side,
    TimeInForce,
)

SNAPSHOT_VERSION = 1
FEES_ACCOUNT = "fees"
EXPIRIES_SLACK = 1024
# Parsed prices and quantities that an instrument remembers: about a megabyte at most.
TEXTS_MAX = 1 << 12
# Keys of an account that are remembered beside those that live.
ENDED_KEYS_MAX = 100


class AccountState:
    """An account: settings, balances, positions, open orders, and its two gapless sequences."""

    __slots__ = (
        "balances",
        "client_order_ids",
        "keys",
        "ledger_sequence",
        "maker_rate",
        "name",
        "open_order_limit",
        "orders",
        "positions",
        "rate_limit_exempt",
        "sequence",
        "taker_rate",
        "trading_disabled",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.maker_rate = 0
        self.taker_rate = 0
        self.open_order_limit = 0
        self.rate_limit_exempt = False
        self.trading_disabled = False
        self.sequence = 0
        self.ledger_sequence = 0
        self.balances: dict[str, Balance] = {}
        self.positions: dict[str, Position] = {}
        self.orders: dict[int, Order] = {}
        self.client_order_ids: dict[str, Order] = {}
        self.keys: dict[str, KeyRecord] = {}

    def balance(self, asset: str) -> Balance:
        """Return the balance of an asset, made on first use."""
        balance = self.balances.get(asset)
        if balance is None:
            balance = self.balances[asset] = Balance()
        return balance

    def available(self, asset: str) -> int:
        """Return what can be used of an asset."""
        balance = self.balances.get(asset)
        return balance.total - balance.held if balance is not None else 0

    def position(self, symbol: str) -> Position:
        """Return the position in an instrument, made on first use."""
        position = self.positions.get(symbol)
        if position is None:
            position = self.positions[symbol] = Position()
        return position

    def find_order(self, order_id: int, client_order_id: str) -> Order | None:
        """Return an open order by its id, or by any of its client order ids when that is 0."""
        if order_id:
            return self.orders.get(order_id)
        return self.client_order_ids.get(client_order_id)


class Market:
    """An instrument that trades: its rules, its book and its counters."""

    __slots__ = (
        "base_asset",
        "base_units_per_lot",
        "book",
        "instrument",
        "last_lots",
        "last_ticks",
        "price_texts",
        "quantity_texts",
        "quote_asset",
        "quote_units_per_tick_lot",
        "symbol",
        "trade_count",
    )

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.symbol = instrument.symbol
        self.base_asset = instrument.base_asset
        self.quote_asset = instrument.quote_asset
        self.base_units_per_lot = instrument.base_units_per_lot
        self.quote_units_per_tick_lot = instrument.quote_units_per_tick_lot
        self.book = Book()
        self.trade_count = 0
        self.last_ticks = 0
        self.last_lots = 0
        self.price_texts: dict[str, int] = {}
        self.quantity_texts: dict[str, int] = {}

    def parse_price(self, text: str) -> int | Reason:
        """Return the price in ticks, or why it is none. Prices repeat: good ones are remembered."""
        ticks = self.price_texts.get(text)
        if ticks is not None:
            return ticks
        return _remember(self.price_texts, text, self.instrument.parse_price(text))

    def parse_quantity(self, text: str) -> int | Reason:
        """Return the quantity in lots, or why it is none."""
        lots = self.quantity_texts.get(text)
        if lots is not None:
            return lots
        return _remember(self.quantity_texts, text, self.instrument.parse_quantity(text))


def _remember(texts: dict[str, int], text: str, value: int | Reason) -> int | Reason:
    if not isinstance(value, Reason):
        if len(texts) >= TEXTS_MAX:
            texts.clear()
        texts[text] = value
    return value


class State:
    """The venue."""

    def __init__(self) -> None:
        self.event_number = 0
        self.time_ns = 0
        self.kill_switch = False
        self.assets: dict[str, int] = {}
        self.markets: dict[str, Market] = {}
        self.accounts: dict[str, AccountState] = {FEES_ACCOUNT: AccountState(FEES_ACCOUNT)}
        self.orders: dict[int, Order] = {}
        self.keys: dict[str, KeyRecord] = {}
        # The ids of the keys that have these.
        self.public_keys: dict[bytes, str] = {}
        self.connections: dict[str, dict[int, Order]] = {}
        # (expire time, order id), a heap; entries of closed orders are dropped when they come to
        # its top, or all at once when they outnumber the others. So its top is an open order.
        self.expiries: list[tuple[int, int]] = []
        self.expiring_count = 0
        # Instruments whose book changed; the reader clears it.
        self.changed_books: set[str] = set()

    def state_hash(self) -> bytes:
        """Return a hash that is equal for equal states, in every process."""
        return hashlib.blake2b(repr(dump_state(self)).encode(), digest_size=16).digest()


def _dump_order(order: Order) -> list[Any]:
    return [
        list(map(_plain, order.terms)),
        order.create_time_ns,
        list(order.client_order_ids),
        order.price_ticks,
        order.quantity_lots,
        order.leaves_lots,
        order.filled_lots,
        # A sale may be filled above its limit, again and again: these two have no bound either.
        str(order.filled_tick_lots),
        str(order.fee),
        order.fee_hold,
        int(order.status),
        order.priority,
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return list(value) if isinstance(value, tuple) else value


def _dump_account(account: AccountState) -> list[Any]:
    return [
        account.name,
        account.maker_rate,
        account.taker_rate,
        account.open_order_limit,
        account.rate_limit_exempt,
        account.trading_disabled,
        account.sequence,
        account.ledger_sequence,
        # Totals have no bound that fits a machine word, so they are text.
        [[k, str(b.total), str(b.held)] for k, b in sorted(account.balances.items())],
        [
            [k, str(p.quantity_lots), str(p.cost), str(p.realized), str(p.fees)]
            for k, p in sorted(account.positions.items())
        ],
    ]


def dump_state(state: State) -> list[Any]:
    """Return the state as plain lists."""
    return [
        SNAPSHOT_VERSION,
        state.event_number,
        state.time_ns,
        state.kill_switch,
        sorted([k, v] for k, v in state.assets.items()),
        [
            [list(map(_plain, m.instrument)), m.trade_count, m.last_ticks, m.last_lots]
            for _, m in sorted(state.markets.items())
        ],
        [_dump_account(account) for _, account in sorted(state.accounts.items())],
        [list(map(_plain, key)) for key in state.keys.values()],
        [_dump_order(order) for order in state.orders.values()],
    ]


def load_state(plain: list[Any]) -> State:
    """Return the state of which `plain` is the dump.

    Raises ValueError for a version that this release does not know.
    """
    version, event_number, time_ns, kill_switch, assets, markets, accounts, keys, orders = plain
    if version != SNAPSHOT_VERSION:
        raise ValueError(f"snapshot version {version} is not known, expected {SNAPSHOT_VERSION}")
    state = State()
    state.event_number, state.time_ns, state.kill_switch = event_number, time_ns, kill_switch
    state.assets = dict(assets)
    for fields, trade_count, last_ticks, last_lots in markets:
        rules = [*fields[:-1], InstrumentStatus(fields[-1])]
        instrument = Instrument(*rules)
        market = state.markets[instrument.symbol] = Market(instrument)
        market.trade_count, market.last_ticks, market.last_lots = trade_count, last_ticks, last_lots
    for fields in accounts:
        _load_account(state, fields)
    for fields in keys:
        values: list[Any] = [tuple(v) if isinstance(v, list) else v for v in fields]
        _index_key(state, KeyRecord(*values))
    loaded = [_load_order(state, fields) for fields in orders]
    for order in loaded:
        _index_order(state, order)
    for order in sorted(loaded, key=lambda order: order.priority):
        _rest_order(order)
    return state


def _load_account(state: State, fields: list[Any]) -> None:
    account = AccountState(fields[0])
    (
        account.maker_rate,
        account.taker_rate,
        account.open_order_limit,
        account.rate_limit_exempt,
        account.trading_disabled,
        account.sequence,
        account.ledger_sequence,
        balances,
        positions,
    ) = fields[1:]
    account.balances = {asset: Balance(int(total), int(held)) for asset, total, held in balances}
    account.positions = {symbol: Position(*map(int, rest)) for symbol, *rest in positions}
    state.accounts[account.name] = account


# Where the terms of an order hold members of enumerations, and these by their numbers. A snapshot
# may hold a million orders.
_MEMBERS = [
    (OrderAccepted._fields.index(name), {member.value: member for member in words})
    for name, words in (
        ("side", Side),
        ("type", OrderType),
        ("time_in_force", TimeInForce),
        ("post_only", PostOnly),
        ("self_trade_prevention", SelfTradePrevention),
        ("reason", Reason),
    )
]


def _load_order(state: State, fields: list[Any]) -> Order:
    values = list(fields[0])
    for position, members in _MEMBERS:
        values[position] = members[values[position]]
    terms = OrderAccepted(*values)
    order = Order(terms, state.accounts[terms.account], state.markets[terms.symbol], fields[1])
    order.client_order_ids = tuple(fields[2])
    (
        order.price_ticks,
        order.quantity_lots,
        order.leaves_lots,
        order.filled_lots,
        filled_tick_lots,
        fee,
        order.fee_hold,
        status,
        order.priority,
    ) = fields[3:]
    order.filled_tick_lots, order.fee = int(filled_tick_lots), int(fee)
    order.status = OrderStatus(status)
    return order


def add_order(state: State, order: Order) -> None:
    """Put an open order into every index, and into the book if it rests."""
    _index_order(state, order)
    _rest_order(order)


def _index_order(state: State, order: Order) -> None:
    terms, account = order.terms, order.account
    state.orders[order.order_id] = order
    account.orders[order.order_id] = order
    for client_order_id in order.client_order_ids:
        account.client_order_ids[client_order_id] = order
    if terms.connection:
        state.connections.setdefault(terms.connection, {})[order.order_id] = order
    if terms.expire_time_ns:
        state.expiring_count += 1
        heapq.heappush(state.expiries, (terms.expire_time_ns, order.order_id))


def _rest_order(order: Order) -> None:
    terms = order.terms
    if rests(terms):
        order.market.book.side(terms.side).add(order)


def remove_order(state: State, order: Order) -> None:
    """Take a closed order out of every index and out of the book."""
    terms, account = order.terms, order.account
    del state.orders[order.order_id]
    del account.orders[order.order_id]
    for client_order_id in order.client_order_ids:
        del account.client_order_ids[client_order_id]
    if terms.connection:
        orders = state.connections[terms.connection]
        del orders[order.order_id]
        if not orders:
            del state.connections[terms.connection]
    if terms.expire_time_ns:
        state.expiring_count -= 1
        expiries = state.expiries
        if len(expiries) > 2 * state.expiring_count + EXPIRIES_SLACK:
            expiries = state.expiries = [entry for entry in expiries if entry[1] in state.orders]
            heapq.heapify(expiries)
        while expiries and expiries[0][1] not in state.orders:
            heapq.heappop(expiries)
    if order.level is not None:
        order.market.book.side(terms.side).remove(order)


def due_entries(expiries: list[tuple[int, int]], now_ns: int) -> Iterator[tuple[int, int]]:
    """Yield the entries of the heap that are due, looking at few others."""
    places = [0]
    while places:
        place = places.pop()
        if place < len(expiries) and expiries[place][0] <= now_ns:
            yield expiries[place]
            places += (2 * place + 1, 2 * place + 2)


def add_key(state: State, key: KeyRecord) -> None:
    """Put a key into all indexes, in place of its former self.

    Of those of its account that have ended only the latest are remembered: an account may make and
    revoke keys for ever.
    """
    _index_key(state, key)
    keys = state.accounts[key.account].keys
    if len(keys) <= ENDED_KEYS_MAX:
        return
    ended = [key for key in keys.values() if 0 < _end_ns(key) <= state.time_ns]
    ended.sort(key=_end_ns)
    for old in ended[: max(0, len(ended) - ENDED_KEYS_MAX)]:
        del keys[old.key_id], state.keys[old.key_id]
        state.public_keys.pop(old.public_key, None)


def _index_key(state: State, key: KeyRecord) -> None:
    state.keys[key.key_id] = key
    state.accounts[key.account].keys[key.key_id] = key
    if key.public_key:
        state.public_keys[key.public_key] = key.key_id


def _end_ns(key: KeyRecord) -> int:
    """Return when a key ends or ended, 0 for never."""
    ends = [end for end in (key.revoked_ns, key.expires_ns) if end]
    return min(ends, default=0)


def rests(terms: OrderAccepted) -> bool:
    """Tell whether what does not trade at once stays in the book."""
    return terms.type is LIMIT and terms.time_in_force not in (
        IOC,
        FOK,
    )
