"""What FIX has and the contract has not: the rules of the messages, as tables.

Where a field of FIX is a field of the contract, its annotation says so and nothing stands here. The
rest stands here and nowhere else: fields that FIX demands, fields that come back as they were sent,
kinds of requests that FIX tells apart by a value, codes of answers, and the session's own messages.
Translators, dictionary and rules of engagement are all made of the contract and of these tables.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple


class Use(Enum):
    """What becomes of a field that the contract does not have."""

    ECHOED = "comes back in the answer"
    UNUSED = "has no effect"
    CHECKED = "must have a value that this venue supports"
    DECIDES = "decides what is asked for"
    SET = "set by the venue"
    SESSION = "belongs to the session"


class Value(NamedTuple):
    """A value of a field: what stands on the wire, and what it is called."""

    value: str
    name: str


class Extra(NamedTuple):
    """A field of a message that the contract does not have there."""

    tag: int
    use: Use
    meaning: str
    required: bool = False
    values: tuple[Value, ...] = ()
    """What FIX allows as far as this venue knows it; none means any value of the type."""
    accepted: frozenset[str] | None = None
    """Those that this venue supports; None means all of them."""
    refusal: str = ""
    """The code of the answer's reject reason when the value is not supported."""
    group: tuple["Extra", ...] = ()


class MessageRule(NamedTuple):
    """A message: its name, where its fields come from, and what FIX adds to them."""

    type: str
    name: str
    text: str
    sources: tuple[str, ...] = ()
    """Messages of the contract, by name, whose annotated fields it carries."""
    extras: tuple[Extra, ...] = ()
    required: frozenset[int] = frozenset()
    """Tags of annotated fields that must be there on FIX."""
    without: frozenset[int] = frozenset()
    """Tags of annotated fields that the message does not carry."""
    entries_without: frozenset[int] = frozenset()
    """Tags of annotated fields that the entries of its groups do not carry."""
    either: tuple[int, ...] = ()
    """Of these tags one must be there; where there are several the first one counts."""
    grouped: Mapping[int, tuple[int, ...]] = {}
    """Count of a group -> tags that its entries begin with, in this order."""
    is_admin: bool = False
    inbound: bool = False
    outbound: bool = False


def _values(*pairs: str) -> tuple[Value, ...]:
    return tuple(Value(*pair.split(" ")) for pair in pairs)


def _accepts(*values: str) -> frozenset[str]:
    return frozenset(values)


# Values of FIX 4.4 that the contract has no enum for.
_MASS_CANCEL = _values("1 CANCEL_ORDERS_FOR_A_SECURITY", "7 CANCEL_ALL_ORDERS")
_MASS_STATUS = _values("1 STATUS_FOR_ORDERS_FOR_A_SECURITY", "7 STATUS_FOR_ALL_ORDERS")
_SUBSCRIPTION = _values("0 SNAPSHOT", "1 SNAPSHOT_PLUS_UPDATES", "2 DISABLE_PREVIOUS")
_ENTRY_TYPES = _values("0 BID", "1 OFFER", "2 TRADE")
_LIST_TYPES = _values(
    "0 SYMBOL", "1 SECURITY_TYPE", "2 PRODUCT", "3 TRADING_SESSION_ID", "4 ALL_SECURITIES"
)
_USER_REQUESTS = _values(
    "1 LOG_ON_USER",
    "2 LOG_OFF_USER",
    "3 CHANGE_PASSWORD_FOR_USER",
    "4 REQUEST_INDIVIDUAL_USER_STATUS",
)
_POSITION_REQUESTS = _values("0 POSITIONS", "1 TRADES", "2 EXERCISES", "3 ASSIGNMENTS")
_HANDLING = _values(
    "1 AUTOMATED_EXECUTION_NO_INTERVENTION", "2 AUTOMATED_EXECUTION_INTERVENTION_OK", "3 MANUAL"
)
ORDER_REJECTS: Final = _values(
    "0 BROKER_CREDIT",
    "1 UNKNOWN_SYMBOL",
    "2 EXCHANGE_CLOSED",
    "3 ORDER_EXCEEDS_LIMIT",
    "5 UNKNOWN_ORDER",
    "6 DUPLICATE_ORDER",
    "11 UNSUPPORTED_ORDER_CHARACTERISTIC",
    "13 INCORRECT_QUANTITY",
    "15 UNKNOWN_ACCOUNT",
    "99 OTHER",
)
CANCEL_REJECTS: Final = _values(
    "0 TOO_LATE_TO_CANCEL",
    "1 UNKNOWN_ORDER",
    "2 BROKER_CREDIT",
    "6 DUPLICATE_CL_ORD_ID",
    "99 OTHER",
)
BUSINESS_REJECTS: Final = _values(
    "0 OTHER",
    "1 UNKNOWN_ID",
    "2 UNKNOWN_SECURITY",
    "3 UNSUPPORTED_MESSAGE_TYPE",
    "4 APPLICATION_NOT_AVAILABLE",
    "5 CONDITIONALLY_REQUIRED_FIELD_MISSING",
    "6 NOT_AUTHORIZED",
    "8 THROTTLE_LIMIT_EXCEEDED",
)
RESTATEMENTS: Final = _values(
    "3 REPRICING_OF_ORDER", "4 BROKER_OPTION", "7 CANCEL_ON_SYSTEM_FAILURE", "8 MARKET"
)
SESSION_REJECTS: Final = _values(
    "0 INVALID_TAG_NUMBER",
    "1 REQUIRED_TAG_MISSING",
    "2 TAG_NOT_DEFINED_FOR_THIS_MESSAGE_TYPE",
    "3 UNDEFINED_TAG",
    "4 TAG_SPECIFIED_WITHOUT_A_VALUE",
    "5 VALUE_IS_INCORRECT",
    "6 INCORRECT_DATA_FORMAT_FOR_VALUE",
    "7 DECRYPTION_PROBLEM",
    "8 SIGNATURE_PROBLEM",
    "9 COMP_ID_PROBLEM",
    "10 SENDING_TIME_ACCURACY_PROBLEM",
    "11 INVALID_MSG_TYPE",
    "12 XML_VALIDATION_ERROR",
    "13 TAG_APPEARS_MORE_THAN_ONCE",
    "14 TAG_SPECIFIED_OUT_OF_REQUIRED_ORDER",
    "15 REPEATING_GROUP_FIELDS_OUT_OF_ORDER",
    "16 INCORRECT_NUM_IN_GROUP_COUNT_FOR_REPEATING_GROUP",
    "17 NON_DATA_VALUE_INCLUDES_FIELD_DELIMITER",
    "99 OTHER",
)

NO_ORDER: Final = "NONE"
"""OrderID(37) and OrigClOrdID(41) where there is none to name, as FIX has it."""
NO_SYMBOL: Final = "[N/A]"
"""Symbol(55) where FIX demands one and there is none."""
NO_SIDE: Final = Value("7", "UNDISCLOSED")
"""Side(54) where FIX demands one and there is none."""
STATUS_EXEC_TYPE: Final = Value("I", "ORDER_STATUS")
"""ExecType(150) of an answer to a status request, which is no execution."""
NO_EXECUTION: Final = "0"
"""ExecID(17) of such an answer."""
UNKNOWN_INSTRUMENT: Final = Value("20", "UNKNOWN_OR_INVALID")
"""SecurityTradingStatus(326) of a symbol that does not exist."""
BOOK_LEVELS_ALL: Final = "0"
"""MarketDepth(264) of a full book."""
BOOK_LEVELS_MAX: Final = 1000
"""The levels that a full book has at most."""

# Tags that no field of the contract has. The Logon's are read by the acceptor.
REASON: Final = 20002
CANCEL_ON_DISCONNECT: Final = 20008
OWN_ORDERS_ONLY: Final = 20011
AFTER_SEQUENCE: Final = 20012
RETRY_AFTER_MS: Final = 20017
REASON_TEXT: Final = 20018

USER_TAG_NAMES: Final = {
    REASON: ("Reason", "STRING"),
    CANCEL_ON_DISCONNECT: ("CancelOnDisconnect", "BOOLEAN"),
    OWN_ORDERS_ONLY: ("OwnOrdersOnly", "BOOLEAN"),
    AFTER_SEQUENCE: ("AfterSequence", "INT"),
    RETRY_AFTER_MS: ("RetryAfterMs", "INT"),
    REASON_TEXT: ("ReasonText", "STRING"),
}

_SENT = Extra(60, Use.UNUSED, "When the client made the message.", required=True)
_NAMED = (
    Extra(55, Use.UNUSED, "The order is found by its id alone."),
    Extra(54, Use.UNUSED, "The order is found by its id alone."),
)
_TEXT = Extra(58, Use.SET, "What is wrong, in words.")
_REFUSED = (
    Extra(REASON, Use.SET, "Why, as a name of the catalogue of reasons."),
    Extra(RETRY_AFTER_MS, Use.SET, "Milliseconds after which the request may succeed."),
)
_HANDLED = Extra(
    21,
    Use.CHECKED,
    "Orders are handled by the engine alone.",
    values=_HANDLING,
    accepted=_accepts("1"),
)

REQUESTS: Final = (
    MessageRule(
        "D",
        "NewOrderSingle",
        "Places an order.",
        extras=(_SENT, _HANDLED),
        inbound=True,
    ),
    MessageRule(
        "G",
        "OrderCancelReplaceRequest",
        "Amends the quantity, the price or both of a working limit order; what is absent stays.",
        extras=(
            _SENT,
            _HANDLED,
            *_NAMED,
            Extra(
                40,
                Use.CHECKED,
                "Only limit orders can be amended.",
                accepted=_accepts("2"),
            ),
        ),
        either=(37, 41),
        inbound=True,
    ),
    MessageRule(
        "F",
        "OrderCancelRequest",
        "Cancels a working order.",
        extras=(
            _SENT,
            *_NAMED,
            Extra(38, Use.UNUSED, "All that is left of the order is canceled."),
        ),
        required=frozenset({11}),
        either=(37, 41),
        inbound=True,
    ),
    MessageRule(
        "q",
        "OrderMassCancelRequest",
        "Cancels all working orders, those of one instrument or those of one side.",
        extras=(
            Extra(11, Use.ECHOED, "The client's id of the request.", required=True),
            Extra(
                530,
                Use.DECIDES,
                "1: the orders of Symbol(55), which must be there. 7: those of all instruments.",
                required=True,
                values=_MASS_CANCEL,
            ),
            _SENT,
        ),
        inbound=True,
    ),
    MessageRule(
        "H",
        "OrderStatusRequest",
        "Asks for an order, working or closed.",
        extras=(
            Extra(790, Use.ECHOED, "The client's id of the request."),
            *_NAMED,
        ),
        either=(37, 11),
        inbound=True,
    ),
    MessageRule(
        "AF",
        "OrderMassStatusRequest",
        "Asks for the working orders: an ExecutionReport(8) each, or a single one that there is"
        " none.",
        extras=(
            Extra(584, Use.ECHOED, "The client's id of the request.", required=True),
            Extra(
                585,
                Use.DECIDES,
                "1: the orders of Symbol(55), which must be there. 7: those of all instruments.",
                required=True,
                values=_MASS_STATUS,
            ),
        ),
        inbound=True,
    ),
    MessageRule(
        "V",
        "MarketDataRequest",
        "Asks for books and trades, once or until the subscription ends.",
        extras=(
            Extra(262, Use.ECHOED, "The client's id of the subscription.", required=True),
            Extra(
                263,
                Use.DECIDES,
                "0: the book once. 1: a snapshot of the book, then updates and trades. 2: ends the"
                " subscription of this MDReqID(262).",
                required=True,
                values=_SUBSCRIPTION,
            ),
            Extra(
                265,
                Use.CHECKED,
                "Updates are incremental.",
                values=_values("0 FULL", "1 INCREMENTAL"),
                accepted=_accepts("1"),
                refusal="6",
            ),
            Extra(
                266,
                Use.CHECKED,
                "Levels are sums over the orders at a price.",
                accepted=_accepts("Y"),
                refusal="7",
            ),
            Extra(
                267,
                Use.DECIDES,
                "What is asked for.",
                required=True,
                group=(
                    Extra(
                        269,
                        Use.DECIDES,
                        "0 and 1 together: the book. 2: trades, with updates only.",
                        required=True,
                        values=_ENTRY_TYPES,
                    ),
                ),
            ),
        ),
        required=frozenset({264, 146}),
        inbound=True,
    ),
    MessageRule(
        "x",
        "SecurityListRequest",
        "Asks for the instruments and their rules.",
        extras=(
            Extra(320, Use.ECHOED, "The client's id of the request.", required=True),
            Extra(
                559,
                Use.CHECKED,
                "All instruments are listed; SecurityStatusRequest(e) asks for one.",
                required=True,
                values=_LIST_TYPES,
                accepted=_accepts("4"),
                refusal="1",
            ),
            Extra(
                263,
                Use.CHECKED,
                "The list comes once.",
                values=_SUBSCRIPTION,
                accepted=_accepts("0"),
                refusal="1",
            ),
        ),
        inbound=True,
    ),
    MessageRule(
        "e",
        "SecurityStatusRequest",
        "Asks for an instrument, its rules and its status.",
        extras=(
            Extra(324, Use.ECHOED, "The client's id of the request.", required=True),
            Extra(
                263,
                Use.CHECKED,
                "The status comes once.",
                required=True,
                values=_SUBSCRIPTION,
                accepted=_accepts("0"),
            ),
        ),
        inbound=True,
    ),
    MessageRule(
        "BE",
        "UserRequest",
        "Asks for the balances.",
        extras=(
            Extra(923, Use.ECHOED, "The client's id of the request.", required=True),
            Extra(
                924,
                Use.CHECKED,
                "Balances are part of the user's status; the rest is not served.",
                required=True,
                values=_USER_REQUESTS,
                accepted=_accepts("4"),
                refusal="6",
            ),
            Extra(553, Use.ECHOED, "The key of the session, or any other text.", required=True),
        ),
        inbound=True,
    ),
    MessageRule(
        "AN",
        "RequestForPositions",
        "Asks for the positions.",
        extras=(
            Extra(710, Use.ECHOED, "The client's id of the request.", required=True),
            Extra(
                724,
                Use.CHECKED,
                "Positions are what can be asked for.",
                required=True,
                values=_POSITION_REQUESTS,
                accepted=_accepts("0"),
                refusal="1",
            ),
            Extra(
                263,
                Use.CHECKED,
                "The positions come once.",
                values=_SUBSCRIPTION,
                accepted=_accepts("0"),
                refusal="1",
            ),
            Extra(581, Use.UNUSED, "An account is of one type."),
            Extra(715, Use.UNUSED, "Positions are those of now."),
            Extra(60, Use.UNUSED, "When the client made the message."),
            Extra(
                453,
                Use.UNUSED,
                "The account is the party.",
                group=(
                    Extra(448, Use.UNUSED, "Name of a party.", required=True),
                    Extra(447, Use.UNUSED, "What kind of name it is."),
                    Extra(452, Use.UNUSED, "Role of the party."),
                ),
            ),
        ),
        inbound=True,
    ),
)
"""What clients send. The contract's method with this MsgType is called with what they say."""

ANSWERS: Final = (
    MessageRule(
        "8",
        "ExecutionReport",
        "Something happened to an order, an order was refused, or a status was asked for.",
        sources=("Execution", "GetOrderResponse", "RateLimit"),
        extras=(
            Extra(790, Use.ECHOED, "From OrderStatusRequest(H)."),
            Extra(584, Use.ECHOED, "From OrderMassStatusRequest(AF)."),
            Extra(911, Use.SET, "How many reports answer an OrderMassStatusRequest(AF)."),
            Extra(912, Use.SET, "Y: the last of them."),
            Extra(
                150,
                Use.SET,
                "I: the answer to a status request, which is no execution.",
                values=(STATUS_EXEC_TYPE,),
            ),
            Extra(
                103,
                Use.SET,
                "Why an order was refused, rejected or not found.",
                values=ORDER_REJECTS,
            ),
            Extra(
                378,
                Use.SET,
                "What the venue did to the order unasked.",
                values=RESTATEMENTS,
            ),
            Extra(54, Use.SET, "7: the order is not known.", values=(NO_SIDE,)),
            Extra(636, Use.SET, "Y: the order works."),
            Extra(
                136,
                Use.SET,
                "1, in the report of a trade.",
                group=(Extra(138, Use.SET, "The quote asset, in which fees are charged."),),
            ),
            _TEXT,
            Extra(797, Use.SET, "Y: a copy, on a drop copy session."),
            *_REFUSED,
        ),
        required=frozenset({37, 17, 150, 39, 55, 54, 151, 14, 6}),
        grouped={136: (137, 138, 139)},
        outbound=True,
    ),
    MessageRule(
        "9",
        "OrderCancelReject",
        "A cancel or an amend was refused; the order is as it was.",
        sources=("RateLimit",),
        extras=(
            Extra(37, Use.SET, "The venue's id of the order, or NONE.", required=True),
            Extra(11, Use.ECHOED, "The client's id of the cancel or amend.", required=True),
            Extra(41, Use.ECHOED, "The id of the order as it was named, or NONE.", required=True),
            Extra(39, Use.SET, "Status of the order; 8 when it is not known.", required=True),
            Extra(1, Use.ECHOED, "The account, where it was named."),
            Extra(60, Use.SET, "When it was refused."),
            Extra(
                434,
                Use.SET,
                "1: a cancel was refused. 2: an amend.",
                required=True,
                values=_values("1 ORDER_CANCEL_REQUEST", "2 ORDER_CANCEL_REPLACE_REQUEST"),
            ),
            Extra(102, Use.SET, "Why.", values=CANCEL_REJECTS),
            _TEXT,
            *_REFUSED,
        ),
        outbound=True,
    ),
    MessageRule(
        "r",
        "OrderMassCancelReport",
        "What became of an OrderMassCancelRequest(q); each canceled order has its own report.",
        sources=("CancelAllOrdersResponse", "RateLimit"),
        extras=(
            Extra(11, Use.ECHOED, "The client's id of the request.", required=True),
            Extra(37, Use.SET, "NONE: there is no single order.", required=True),
            Extra(530, Use.ECHOED, "As it was asked.", required=True, values=_MASS_CANCEL),
            Extra(
                531,
                Use.SET,
                "What was done; 0 when the request was refused.",
                required=True,
                values=(Value("0", "CANCEL_REQUEST_REJECTED"), *_MASS_CANCEL),
            ),
            Extra(
                532,
                Use.SET,
                "Why it was refused.",
                values=_values("1 INVALID_OR_UNKNOWN_SECURITY", "99 OTHER"),
            ),
            Extra(55, Use.ECHOED, "As it was asked."),
            Extra(54, Use.ECHOED, "As it was asked."),
            Extra(60, Use.SET, "When it was answered."),
            _TEXT,
            *_REFUSED,
        ),
        outbound=True,
    ),
    MessageRule(
        "W",
        "MarketDataSnapshotFullRefresh",
        "The book of an instrument, and trades: all of it.",
        sources=("MarketDataBatch",),
        extras=(Extra(262, Use.ECHOED, "The client's id of the subscription."),),
        required=frozenset({55, 268}),
        entries_without=frozenset({55}),
        grouped={268: (269, 270, 271, 272, 273)},
        outbound=True,
    ),
    MessageRule(
        "X",
        "MarketDataIncrementalRefresh",
        "Changes of the book of an instrument, and trades.",
        sources=("MarketDataBatch",),
        extras=(
            Extra(262, Use.ECHOED, "The client's id of the subscription."),
            Extra(
                268,
                Use.SET,
                "Changes and trades.",
                group=(
                    Extra(
                        279,
                        Use.SET,
                        "0: a trade, or a level that was not there. 1: a level has another"
                        " quantity. 2: a level is gone.",
                        required=True,
                        values=_values("0 NEW", "1 CHANGE", "2 DELETE"),
                    ),
                    Extra(55, Use.SET, "The instrument, the same in all entries.", required=True),
                ),
            ),
        ),
        required=frozenset({268}),
        without=frozenset({55}),
        grouped={268: (279, 269, 55, 270, 271, 272, 273)},
        outbound=True,
    ),
    MessageRule(
        "Y",
        "MarketDataRequestReject",
        "A MarketDataRequest(V) was refused, or the subscription has ended.",
        sources=("RateLimit",),
        extras=(
            Extra(262, Use.ECHOED, "The client's id of the subscription.", required=True),
            Extra(
                281,
                Use.SET,
                "Why, where FIX has a code for it.",
                values=_values(
                    "0 UNKNOWN_SYMBOL",
                    "1 DUPLICATE_MD_REQ_ID",
                    "2 INSUFFICIENT_BANDWIDTH",
                    "3 INSUFFICIENT_PERMISSIONS",
                    "4 UNSUPPORTED_SUBSCRIPTION_REQUEST_TYPE",
                    "5 UNSUPPORTED_MARKET_DEPTH",
                    "6 UNSUPPORTED_MD_UPDATE_TYPE",
                    "7 UNSUPPORTED_AGGREGATED_BOOK",
                    "8 UNSUPPORTED_MD_ENTRY_TYPE",
                ),
            ),
            _TEXT,
            *_REFUSED,
        ),
        outbound=True,
    ),
    MessageRule(
        "y",
        "SecurityList",
        "Instruments and their rules; their status is in SecurityStatus(f), as FIX has it.",
        sources=("ListInstrumentsResponse",),
        entries_without=frozenset({326}),
        extras=(
            Extra(320, Use.ECHOED, "The client's id of the request.", required=True),
            Extra(322, Use.SET, "The venue's id of the answer.", required=True),
            Extra(
                560,
                Use.SET,
                "0: the list follows. Else why there is none.",
                required=True,
                values=_values(
                    "0 VALID_REQUEST",
                    "1 INVALID_OR_UNSUPPORTED_REQUEST",
                    "2 NO_INSTRUMENTS_FOUND",
                    "3 NOT_AUTHORIZED_TO_RETRIEVE_INSTRUMENT_DATA",
                    "4 INSTRUMENT_DATA_TEMPORARILY_UNAVAILABLE",
                ),
            ),
            Extra(393, Use.SET, "How many instruments there are in all messages."),
            Extra(893, Use.SET, "Y: the last message of the list."),
            Extra(REASON_TEXT, Use.SET, "What is wrong, in words."),
            *_REFUSED,
        ),
        grouped={146: (55,)},
        outbound=True,
    ),
    MessageRule(
        "f",
        "SecurityStatus",
        "An instrument, its rules and its status.",
        sources=("GetInstrumentResponse",),
        extras=(
            Extra(324, Use.ECHOED, "The client's id of the request."),
            Extra(
                326,
                Use.SET,
                "20: there is no such instrument.",
                values=(UNKNOWN_INSTRUMENT,),
            ),
            _TEXT,
            *_REFUSED,
        ),
        required=frozenset({55}),
        outbound=True,
    ),
    MessageRule(
        "BF",
        "UserResponse",
        "The balances.",
        sources=("ListBalancesResponse",),
        extras=(
            Extra(923, Use.ECHOED, "The client's id of the request.", required=True),
            Extra(553, Use.ECHOED, "As it was asked.", required=True),
            Extra(
                926,
                Use.SET,
                "1: the balances follow. 6: the request was refused.",
                values=_values("1 LOGGED_IN", "6 OTHER"),
            ),
            Extra(927, Use.SET, "What is wrong, in words."),
            *_REFUSED,
        ),
        grouped={20040: (15,)},
        outbound=True,
    ),
    MessageRule(
        "AP",
        "PositionReport",
        "A position; as many messages as there are, or a single one that there is none.",
        sources=("Position", "ListPositionsResponse"),
        extras=(
            Extra(721, Use.SET, "The venue's id of the report.", required=True),
            Extra(710, Use.ECHOED, "The client's id of the request."),
            Extra(724, Use.ECHOED, "As it was asked.", values=_POSITION_REQUESTS),
            Extra(727, Use.SET, "How many reports answer the request."),
            Extra(
                728,
                Use.SET,
                "0: a position. 2: there is none. Else why the request was refused.",
                required=True,
                values=_values(
                    "0 VALID_REQUEST",
                    "1 INVALID_OR_UNSUPPORTED_REQUEST",
                    "2 NO_POSITIONS_FOUND_THAT_MATCH_CRITERIA",
                    "3 NOT_AUTHORIZED_TO_REQUEST_POSITIONS",
                    "99 OTHER",
                ),
            ),
            Extra(715, Use.SET, "The day of the answer, UTC.", required=True),
            Extra(1, Use.ECHOED, "The account, where it was named."),
            _TEXT,
            *_REFUSED,
        ),
        grouped={702: (703, 704, 705)},
        outbound=True,
    ),
    MessageRule(
        "j",
        "BusinessMessageReject",
        "A message was understood and cannot be served.",
        sources=("RateLimit",),
        extras=(
            Extra(45, Use.SET, "MsgSeqNum(34) of the message."),
            Extra(372, Use.SET, "MsgType(35) of the message.", required=True),
            Extra(379, Use.SET, "The client's id in the message."),
            Extra(380, Use.SET, "Why.", required=True, values=BUSINESS_REJECTS),
            _TEXT,
            *_REFUSED,
        ),
        outbound=True,
    ),
)
"""What the venue answers."""


class RejectCode(NamedTuple):
    """How an answer other than 8, 9 and j says why: by the reason's BusinessRejectReason(380)."""

    tag: int
    by_business_reason: Mapping[int, str]
    otherwise: str
    """For every other reason; empty means that FIX has no code for them."""


REJECT_CODES: Final = {
    "r": RejectCode(532, {2: "1"}, "99"),
    "Y": RejectCode(281, {2: "0", 6: "3", 8: "2"}, ""),
    "y": RejectCode(560, {4: "4", 6: "3", 8: "4"}, "1"),
    "f": RejectCode(326, {2: UNKNOWN_INSTRUMENT.value}, ""),
    "BF": RejectCode(926, {}, "6"),
    "AP": RejectCode(728, {0: "99", 1: "99", 4: "99", 6: "3", 8: "99"}, "1"),
}
"""By MsgType(35) of the answer. The text stands in Text(58), or where FIX has none in:"""

TEXT_TAGS: Final = {"y": REASON_TEXT, "BF": 927}


def _session(type_: str, name: str, text: str, *extras: Extra) -> MessageRule:
    return MessageRule(type_, name, text, extras=extras, is_admin=True, inbound=True, outbound=True)


def _field(tag: int, meaning: str, values: tuple[Value, ...] = ()) -> Extra:
    return Extra(tag, Use.SESSION, meaning, values=values)


def _must(tag: int, meaning: str, values: tuple[Value, ...] = ()) -> Extra:
    return Extra(tag, Use.SESSION, meaning, required=True, values=values)


HEADER: Final = (
    _must(8, "Always FIX.4.4."),
    _must(9, "Bytes from behind this field up to CheckSum(10)."),
    _must(35, "Type of the message."),
    _must(49, "Who sends."),
    _must(56, "Who receives; of the venue the application, for example TW-ORDERS."),
    _field(115, "Who a firm between sends for; swapped in answers."),
    _field(128, "Who a firm between delivers to; swapped in answers."),
    _must(34, "Number of the message within the session and direction."),
    _field(50, "Person or desk that sends."),
    _field(142, "Place that sends."),
    _field(57, "Person or desk that receives."),
    _field(143, "Place that receives."),
    _field(116, "Person or desk behind OnBehalfOfCompID(115)."),
    _field(144, "Place behind OnBehalfOfCompID(115); swapped in answers."),
    _field(129, "Person or desk behind DeliverToCompID(128)."),
    _field(145, "Place behind DeliverToCompID(128); swapped in answers."),
    _field(43, "Y: the number was used before; this is a repeat."),
    _field(97, "Y: the content was perhaps sent before, with another number."),
    _must(52, "When it was sent, UTC."),
    _field(122, "When a repeat was first sent."),
    _field(369, "Not looked at."),
)

TRAILER: Final = (
    _field(93, "Bytes of Signature(89)."),
    _field(89, "Not looked at."),
    _must(10, "Sum of all bytes before it modulo 256, three digits."),
)

SESSION: Final = (
    _session(
        "0",
        "Heartbeat",
        "Sent when nothing else was for HeartBtInt(108), and in answer to TestRequest(1).",
        _field(112, "From TestRequest(1)."),
    ),
    _session(
        "1",
        "TestRequest",
        "Asks for a Heartbeat(0).",
        _must(112, "Comes back in the Heartbeat(0)."),
    ),
    _session(
        "2",
        "ResendRequest",
        "Asks for messages again.",
        _must(7, "First number."),
        _must(16, "Last number; 0 means up to the newest."),
    ),
    _session(
        "3",
        "Reject",
        "A message breaks the rules of the session or this dictionary.",
        _must(45, "MsgSeqNum(34) of the message."),
        _field(371, "Tag of the field to blame."),
        _field(372, "MsgType(35) of the message."),
        _field(373, "Why.", SESSION_REJECTS),
        _field(58, "Why, in words."),
    ),
    _session(
        "4",
        "SequenceReset",
        "Goes on with another number: fills a gap, or resets.",
        _field(123, "Y: fills a gap with messages that need not be sent again."),
        _must(36, "Number of the message that comes next."),
    ),
    _session("5", "Logout", "Ends the session.", _field(58, "Why.")),
    _session(
        "A",
        "Logon",
        "Begins the session.",
        _must(98, "No encryption but TLS.", _values("0 NONE")),
        _must(108, "Seconds between heartbeats."),
        _field(95, "Bytes of RawData(96)."),
        _field(96, "The signature."),
        _field(141, "Y: both sides begin at 1 again."),
        _field(789, "The number that the sender of the Logon expects next."),
        _field(383, "Not looked at."),
        _field(464, "Not looked at."),
        _field(553, "The key."),
        _field(554, "Not looked at: the signature is the proof."),
        _field(CANCEL_ON_DISCONNECT, "Y: orders of this session are canceled when it breaks."),
        _field(OWN_ORDERS_ONLY, "N: reports are those of all orders of the account. Y is refused."),
        _field(AFTER_SEQUENCE, "First the executions after this AccountSequence(20001)."),
        _field(58, "What the client should know."),
    ),
    MessageRule(
        "B",
        "News",
        "The venue announces something, for example its shutdown.",
        extras=(
            _field(42, "When it was written."),
            _must(148, "What it is about."),
            Extra(
                33,
                Use.SESSION,
                "Its lines.",
                required=True,
                group=(_must(58, "A line."),),
            ),
        ),
        outbound=True,
    ),
)
"""The session's own messages, and the News(B) of the gateway."""
