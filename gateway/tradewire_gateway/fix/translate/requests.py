"""From FIX messages to requests of the contract."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from google.protobuf.message import Message as ProtoMessage
from google.protobuf.message_factory import GetMessageClass
from tradewire.v1 import market_data_service_pb2 as market_data
from tradewire_contract import Method
from tradewire_contract.fix.messages import fix_contract, request_methods, source_messages
from tradewire_contract.fix.rules import (
    BOOK_LEVELS_ALL,
    BOOK_LEVELS_MAX,
    REQUESTS,
    Extra,
    MessageRule,
)

from tradewire_gateway.fix.message import Fields, Message
from tradewire_gateway.fix.translate.errors import Untranslatable
from tradewire_gateway.fix.translate.plan import Malformed, ReadPlan

MARKET_DATA: Final = "V"
# Fields whose value says whether Symbol(55) chooses.
_CHOOSING: Final = {"q": 530, "AF": 585}
_BY_SYMBOL, _ALL = "1", "7"
_SNAPSHOT, _SUBSCRIBE, _UNSUBSCRIBE = "0", "1", "2"
_BID, _OFFER, _TRADE = "0", "1", "2"


class MarketDataQuery(NamedTuple):
    """What a MarketDataRequest(V) asks for; exactly one of the last three."""

    id: str
    books: tuple[market_data.GetOrderBookRequest, ...] = ()
    stream: market_data.StreamMarketDataRequest | None = None
    ends: bool = False


class _Request:
    """One type of request: its plan, and the rules beside it."""

    def __init__(self, rule: MessageRule) -> None:
        (source,) = source_messages(rule)
        self.rule = rule
        self.plan = ReadPlan(source)
        self._class: type[Any] = GetMessageClass(source)
        self._passed_over = frozenset(extra.tag for extra in rule.extras)
        self._checked = [extra for extra in rule.extras if extra.accepted is not None]
        self._choosing = _CHOOSING.get(rule.type)

    def read(self, body: Fields) -> ProtoMessage:
        """Return the request.

        Raises:
            Untranslatable: the contract has no words for what the message says.
        """
        self.check(body)
        if self.rule.either:
            body = self._with_one_target(body)
        values = self.values(body, self._passed_over)
        request: ProtoMessage = self._class(**values)
        return request

    def check(self, body: Fields) -> None:
        """Raise Untranslatable when the message asks for something that is not supported."""
        for extra in self._checked:
            self._check_value(extra, body)
        if self._choosing is not None:
            self._check_choice(self._choosing, body)

    def values(self, body: Fields, passed_over: frozenset[int]) -> dict[str, Any]:
        try:
            return self.plan.values(body, passed_over)
        except Malformed as error:
            text = f"{_named(error.tag)} {error}"
            raise Untranslatable("FIELD_INVALID", text, tag=error.tag) from None

    def _check_value(self, extra: Extra, body: Fields) -> None:
        value = body.get(extra.tag)
        if value is None or extra.accepted is None or value in extra.accepted:
            return
        text = f"{_named(extra.tag)} {value} is not supported: {extra.meaning}"
        raise Untranslatable("FIELD_INVALID", text, tag=extra.tag, code=extra.refusal)

    def _check_choice(self, tag: int, body: Fields) -> None:
        value, names_symbol = body[tag], 55 in body
        if value == _BY_SYMBOL and not names_symbol:
            text = f"{_named(55)} must be there when {_named(tag)} is {_BY_SYMBOL}"
            raise Untranslatable("FIELD_INVALID", text, tag=55)
        if value == _ALL and names_symbol:
            text = f"{_named(55)} must not be there when {_named(tag)} is {_ALL}"
            raise Untranslatable("FIELDS_CONFLICT", text, tag=55)
        if value not in (_BY_SYMBOL, _ALL):
            raise Untranslatable(
                "FIELD_INVALID", f"{_named(tag)} {value} is not supported", tag=tag
            )

    def _with_one_target(self, body: Fields) -> Fields:
        """Return the body with the first of the fields of which one must be there, and no other."""
        either = self.rule.either
        given = [tag for tag in either if tag in body]
        if len(given) == 1:
            return body
        if given:
            return Fields({tag: text for tag, text in body.items() if tag not in given[1:]})
        text = f"{' or '.join(map(_named, either))} must be there"
        raise Untranslatable("FIELD_INVALID", text, tag=either[0])


_READERS: Final = {rule.type: _Request(rule) for rule in REQUESTS}
METHODS: Final[dict[str, tuple[Method, ...]]] = {
    msg_type: request_methods(msg_type) for msg_type in _READERS
}
"""What each type of message calls; MarketDataRequest(V) one of two."""


def to_request(message: Message) -> ProtoMessage:
    """Return the contract's request that a message is; not for MarketDataRequest(V).

    The message has been validated against the dictionary. The request has not been against the
    contract's rules: the server does that.

    Raises:
        Untranslatable: the message is none that can be served.
    """
    reader = _READERS.get(message.type)
    if reader is None or message.type == MARKET_DATA:
        raise Untranslatable("METHOD_NOT_FOUND", f"MsgType(35) {message.type} is not a request")
    return reader.read(message.body)


def to_market_data_query(message: Message) -> MarketDataQuery:
    """Return what a MarketDataRequest(V) asks for.

    Raises:
        Untranslatable: it asks for something that is not served.
    """
    body, reader = message.body, _READERS[MARKET_DATA]
    query_id, kind = body.text(262) or "", body.text(263)
    if kind == _UNSUBSCRIBE:
        return MarketDataQuery(query_id, ends=True)
    reader.check(body)
    wanted = {entry.text(269) for entry in body.group(267)}
    symbols = [entry.text(55) or "" for entry in body.group(146)]
    depth = _depth(body)
    has_book, has_trades = wanted >= {_BID, _OFFER}, _TRADE in wanted
    if not wanted or (wanted & {_BID, _OFFER} and not has_book):
        text = f"{_named(269)} 0 and 1 are served together: a book has two sides"
        raise Untranslatable("FIELD_INVALID", text, tag=269, code="8")
    if kind == _SUBSCRIBE:
        stream = market_data.StreamMarketDataRequest(
            symbols=symbols, depth=depth, without_book=not has_book, without_trades=not has_trades
        )
        return MarketDataQuery(query_id, stream=stream)
    if kind != _SNAPSHOT:
        raise Untranslatable("FIELD_INVALID", f"{_named(263)} {kind} is none", tag=263, code="4")
    if has_trades:
        text = f"{_named(269)} 2 is served with {_named(263)} 1"
        raise Untranslatable("FIELD_INVALID", text, tag=269, code="8")
    books = (market_data.GetOrderBookRequest(symbol=symbol, depth=depth) for symbol in symbols)
    return MarketDataQuery(query_id, books=tuple(books))


def _depth(body: Fields) -> int:
    text = body.text(264)
    # FIX has 0 for a full book, the contract for the usual depth.
    depth = BOOK_LEVELS_MAX if text == BOOK_LEVELS_ALL else body.integer(264) or 0
    if not 0 < depth <= BOOK_LEVELS_MAX:
        text = f"{_named(264)} is from 0 to {BOOK_LEVELS_MAX}"
        raise Untranslatable("FIELD_INVALID", text, tag=264, code="5")
    return depth


def _named(tag: int) -> str:
    """Return a field as texts name it."""
    field = fix_contract().fields.get(tag)
    return f"{field.name}({tag})" if field is not None else f"tag {tag}"
