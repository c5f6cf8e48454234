"""Makes the messages that are stored and streamed, straight into protobuf's wire format.
 Every order and every trade passes here, so this is the one place that does not build message
objects: that costs five times as much. It rests on two facts. Protobuf fields may come in any
order, so the part of an order that never changes is encoded once and kept. And almost everything in
an execution is ASCII text, which the contract's rules keep below 128 characters: such a field is
its tag, one character for the length, and the text. So a message is put together as a string whose
characters are the bytes (latin-1), tags taken from the contract's descriptors. A property test
holds the result against what protobuf itself makes.
"""

from google.protobuf.descriptor import Descriptor
from tradewire.v1 import account_pb2, market_pb2, order_pb2

from tradewire_server.api.encode import NS_PER_S
from tradewire_server.api.wire import VARINTS, embedded, varint
from tradewire_server.engine.decimals import format_decimal
from tradewire_server.engine.instrument import Instrument
from tradewire_server.engine.listener import Execution, LedgerEntry, PublicTrade
from tradewire_server.engine.order import Order
from tradewire_server.engine.state import State
from tradewire_server.engine.vocabulary import ExecutionType, OrderStatus, OrderType, Reason
from tradewire_server.recorder import StoredAnswer

# Members of the hot paths by names of their own: an enumeration is slow to look into.
TRADE = ExecutionType.TRADE
LIMIT = OrderType.LIMIT

STATIC_PARTS_MAX = 200_000
TEXTS_MAX = 1 << 16
_EXECUTION_ORDER = order_pb2.Execution.DESCRIPTOR.fields_by_name["order"].number


def _tag(message: Descriptor, field: str) -> str:
    """Return the tag of a field as characters."""
    descriptor = message.fields_by_name[field]
    number_or_bool = descriptor.cpp_type not in (
        descriptor.CPPTYPE_STRING,
        descriptor.CPPTYPE_MESSAGE,
    )
    return varint(descriptor.number << 3 | (0 if number_or_bool else 2)).decode("latin-1")


_NUMBERS = [number.decode("latin-1") for number in VARINTS]
_NUMBERS_COUNT = len(_NUMBERS)


def _number(value: int) -> str:
    if value < _NUMBERS_COUNT:
        return _NUMBERS[value]
    return chr(value & 0x7F | 0x80) + chr(value >> 7 & 0x7F | 0x80) + _number(value >> 14)


def _field(tag: str, text: str) -> str:
    """Return a text field, nothing when it is empty."""
    return f"{tag}{chr(len(text))}{text}" if text else ""


def _time(tag: str, time_ns: int) -> str:
    seconds, nanos = divmod(time_ns, NS_PER_S)
    body = f"\x08{_number(seconds)}" + (f"\x10{_number(nanos)}" if nanos else "")
    return f"{tag}{chr(len(body))}{body}"


class _Tags:
    """The tags of a message's fields, as attributes."""

    def __init__(self, message: Descriptor) -> None:
        self._message = message

    def __getattr__(self, field: str) -> str:
        return _tag(self._message, field)


_order = _Tags(order_pb2.Order.DESCRIPTOR)
_O_ID, _O_CLIENT_ID, _O_FIRST_ID = (
    _order.order_id,
    _order.client_order_id,
    _order.original_client_order_id,
)
_O_ACCOUNT, _O_SYMBOL, _O_SIDE, _O_TYPE = (
    _order.account,
    _order.symbol,
    _order.side,
    _order.type,
)
_O_TIF, _O_QUANTITY, _O_QUOTE, _O_PRICE = (
    _order.time_in_force,
    _order.quantity,
    _order.quote_quantity,
    _order.price,
)
_O_EXPIRE, _O_POST_ONLY, _O_STP, _O_STATUS = (
    _order.expire_time,
    _order.post_only,
    _order.self_trade_prevention,
    _order.status,
)
_O_REASON, _O_FILLED, _O_LEAVES, _O_AVERAGE = (
    _order.reason,
    _order.filled_quantity,
    _order.leaves_quantity,
    _order.average_price,
)
_O_FEE, _O_CREATED, _O_COD = _order.fee, _order.create_time, _order.cancel_on_disconnect

_execution = _Tags(order_pb2.Execution.DESCRIPTOR)
_X_SEQUENCE, _X_ID, _X_TYPE, _X_ORDER = (
    _execution.sequence,
    _execution.execution_id,
    _execution.type,
    _execution.order,
)
_X_TIME, _X_LOTS, _X_PRICE, _X_TRADE = (
    _execution.transact_time,
    _execution.last_quantity,
    _execution.last_price,
    _execution.trade_id,
)
_X_LIQUIDITY, _X_FEE, _X_REASON, _X_COUNTER = (
    _execution.liquidity,
    _execution.last_fee,
    _execution.reason,
    _execution.counter_order_id,
)
_X_CLIENT_ID, _X_KEPT, _X_REPLACED_ID = (
    _execution.command_client_order_id,
    _execution.priority_kept,
    _execution.replaced_client_order_id,
)

_ledger = _Tags(account_pb2.LedgerEntry.DESCRIPTOR)
_L_SEQUENCE, _L_TYPE, _L_TIME, _L_CHANGES = (
    _ledger.ledger_sequence,
    _ledger.type,
    _ledger.time,
    _ledger.changes,
)
_L_REQUEST, _L_SYMBOL, _L_TRADE, _L_ORDER, _L_FEE = (
    _ledger.request_id,
    _ledger.symbol,
    _ledger.trade_id,
    _ledger.order_id,
    _ledger.fee,
)
_change = _Tags(account_pb2.LedgerChange.DESCRIPTOR)
_C_ASSET, _C_AMOUNT, _C_TOTAL = _change.asset, _change.amount, _change.total

_trade = _Tags(market_pb2.Trade.DESCRIPTOR)
_T_ID, _T_SYMBOL, _T_PRICE, _T_QUANTITY, _T_SIDE, _T_TIME = (
    _trade.trade_id,
    _trade.symbol,
    _trade.price,
    _trade.quantity,
    _trade.taker_side,
    _trade.time,
)


class _Texts(dict[int, str]):
    """Numbers of one kind as they stand in a message, length first; made on first use."""

    def __init__(self, units: int, decimals: int) -> None:
        super().__init__()
        self._units = units
        self._decimals = decimals

    def __missing__(self, value: int) -> str:
        if len(self) >= TEXTS_MAX:
            self.clear()
        text = format_decimal(value * self._units, self._decimals)
        made = self[value] = chr(len(text)) + text
        return made


class _MarketTexts:
    """Prices, quantities and quote amounts of one instrument."""

    __slots__ = ("price", "quantity", "quote")

    def __init__(self, instrument: Instrument) -> None:
        self.price = _Texts(instrument.tick_units, instrument.tick_decimals)
        self.quantity = _Texts(instrument.lot_units, instrument.lot_decimals)
        self.quote = _Texts(1, instrument.quote_precision)


# Of an order that has not traded.
_NO_FILLS = f"{_O_FILLED}\x010{_O_AVERAGE}\x010{_O_FEE}\x010"


class MessageEncoder:
    """See the module's docstring and `recorder.Encoder`."""

    def __init__(self, state: State) -> None:
        self._precisions = state.assets
        # What never changes of an order, by its id; forgotten all at once when there are too many.
        self._static_parts: dict[int, str] = {}
        self._texts: dict[str, _MarketTexts] = {}
        # All of a batch happens at one time.
        self._time_ns = -1
        self._execution_time = self._ledger_time = self._trade_time = self._created_time = ""

    def execution(self, execution: Execution) -> tuple[bytes, bytes]:
        """Return the serialised Execution and its Order."""
        # Taken apart at once: by name they cost three times as much.
        _, sequence, execution_id, kind, live, time_ns, reason, client_id, counter_id = execution[
            :9
        ]
        lots, ticks, trade_id, liquidity, fee, priority_kept = execution[9:]
        if time_ns != self._time_ns:
            self._at(time_ns)
        texts = self._texts.get(live.market.symbol) or self._texts_of(live)
        order = self._order(live, texts)
        tail = ""
        if kind is TRADE:
            tail = (
                f"{_X_LOTS}{texts.quantity[lots]}{_X_PRICE}{texts.price[ticks]}"
                f"{_X_TRADE}{_number(trade_id)}{_X_LIQUIDITY}{_NUMBERS[liquidity]}"
                f"{_X_FEE}{texts.quote[fee]}"
            )
        else:
            if reason:
                tail = _X_REASON + _NUMBERS[reason]
            if client_id:
                tail += _field(_X_CLIENT_ID, client_id)
            if counter_id:
                tail += _field(_X_COUNTER, str(counter_id))
            if priority_kept is not None:
                tail += _X_KEPT + ("\x01" if priority_kept else "\x00")
                # An amend has a client id of its own, so there is one before it.
                tail += _field(_X_REPLACED_ID, live.client_order_ids[-2])
        id_text = str(execution_id)
        message = (
            f"{_X_SEQUENCE}{_number(sequence)}{_X_ID}{chr(len(id_text))}{id_text}"
            f"{_X_TYPE}{_NUMBERS[kind]}{self._execution_time}{tail}"
            f"{_X_ORDER}{_number(len(order))}{order}"
        )
        return message.encode("latin-1"), order.encode("latin-1")

    def _texts_of(self, order: Order) -> _MarketTexts:
        instrument = order.market.instrument
        texts = self._texts.get(instrument.symbol)
        if texts is None:
            # The sizes of an instrument never change.
            texts = self._texts[instrument.symbol] = _MarketTexts(instrument)
        return texts

    def _order(self, order: Order, texts: _MarketTexts) -> str:
        """Return an order in its present state."""
        static = self._static_parts.get(order.order_id)
        if static is None:
            static = self._static(order)
        terms, ids, filled = order.terms, order.client_order_ids, order.filled_lots
        client_id = ids[-1]
        fills = _NO_FILLS
        if filled:
            average = order.market.instrument.format_average(order.filled_tick_lots, filled)
            fills = (
                f"{_O_FILLED}{texts.quantity[filled]}"
                f"{_O_AVERAGE}{chr(len(average))}{average}{_O_FEE}{texts.quote[order.fee]}"
            )
        quantity = "" if terms.quote_amount else _O_QUANTITY + texts.quantity[order.quantity_lots]
        price = _O_PRICE + texts.price[order.price_ticks] if terms.type is LIMIT else ""
        text = (
            f"{static}{_O_CLIENT_ID}{chr(len(client_id))}{client_id}{_O_STATUS}"
            f"{_NUMBERS[order.status]}{_O_LEAVES}{texts.quantity[order.leaves_lots]}{fills}"
            f"{quantity}{price}"
        )
        if order.reason:
            text += _O_REASON + _NUMBERS[order.reason]
        if len(ids) > 1:
            text += _field(_O_FIRST_ID, ids[0])
        return text

    def _static(self, order: Order) -> str:
        """Return what never changes of an order, and remember it."""
        terms = order.terms
        order_id = str(order.order_id)
        created = (
            self._created_time
            if order.create_time_ns == self._time_ns
            else _time(_O_CREATED, order.create_time_ns)
        )
        text = (
            f"{_O_ID}{chr(len(order_id))}{order_id}"
            f"{_O_ACCOUNT}{chr(len(terms.account))}{terms.account}"
            f"{_O_SYMBOL}{chr(len(terms.symbol))}{terms.symbol}"
            f"{_O_SIDE}{_NUMBERS[terms.side]}{_O_TYPE}{_NUMBERS[terms.type]}"
            f"{_O_TIF}{_NUMBERS[terms.time_in_force]}{created}"
        )
        if terms.quote_amount:
            text += _field(_O_QUOTE, order.market.instrument.format_quote(terms.quote_amount))
        if terms.expire_time_ns:
            text += _time(_O_EXPIRE, terms.expire_time_ns)
        if terms.post_only:
            text += _O_POST_ONLY + _NUMBERS[terms.post_only]
        if terms.self_trade_prevention:
            text += _O_STP + _NUMBERS[terms.self_trade_prevention]
        if terms.connection:
            text += _O_COD + "\x01"
        if len(self._static_parts) >= STATIC_PARTS_MAX:
            self._static_parts.clear()
        self._static_parts[order.order_id] = text
        return text

    def ledger_entry(self, entry: LedgerEntry) -> bytes:
        """Return the serialised LedgerEntry."""
        if entry.time_ns != self._time_ns:
            self._at(entry.time_ns)
        text = (
            f"{_L_SEQUENCE}{_number(entry.ledger_sequence)}{_L_TYPE}{_NUMBERS[entry.type]}"
            f"{self._ledger_time}"
        )
        for asset, amount, total in entry.changes:
            precision = self._precisions[asset]
            added = format_decimal(amount, precision)
            # Totals seldom come twice: not worth a place in a cache.
            after = format_decimal.__wrapped__(total, precision)
            body = (
                f"{_C_ASSET}{chr(len(asset))}{asset}{_C_AMOUNT}{chr(len(added))}{added}"
                f"{_C_TOTAL}{chr(len(after))}{after}"
            )
            text += f"{_L_CHANGES}{_number(len(body))}{body}"
        if entry.market is not None:
            instrument = entry.market.instrument
            text += (
                _field(_L_SYMBOL, instrument.symbol)
                + _L_TRADE
                + _number(entry.trade_id)
                + _field(_L_ORDER, str(entry.order_id))
                + _field(_L_FEE, instrument.format_quote(entry.fee))
            )
        text += _field(_L_REQUEST, entry.request_id)
        return text.encode("latin-1")

    def public_trade(self, trade: PublicTrade) -> bytes:
        """Return the serialised Trade."""
        if trade.time_ns != self._time_ns:
            self._at(trade.time_ns)
        instrument = trade.market.instrument
        text = (
            f"{_T_ID}{_number(trade.trade_id)}{_field(_T_SYMBOL, instrument.symbol)}"
            f"{_field(_T_PRICE, instrument.format_price(trade.price_ticks))}"
            f"{_field(_T_QUANTITY, instrument.format_quantity(trade.quantity_lots))}"
            f"{_T_SIDE}{_NUMBERS[trade.taker_side]}{self._trade_time}"
        )
        return text.encode("latin-1")

    def _at(self, time_ns: int) -> None:
        self._time_ns = time_ns
        self._execution_time = _time(_X_TIME, time_ns)
        self._ledger_time = _time(_L_TIME, time_ns)
        self._trade_time = _time(_T_TIME, time_ns)
        self._created_time = _time(_O_CREATED, time_ns)

    def stored_answer(self, message: bytes) -> StoredAnswer:
        """Return what a serialised Execution says of the command that it answered.

        The order is cut out as it stands: a repeated answer is the first one, byte for byte.
        """
        execution = order_pb2.Execution.FromString(message)
        rejected = int(execution.order.status) == OrderStatus.REJECTED
        return StoredAnswer(
            embedded(message, _EXECUTION_ORDER),
            Reason(execution.order.reason) if rejected else Reason.UNSPECIFIED,
            execution.priority_kept,
        )
