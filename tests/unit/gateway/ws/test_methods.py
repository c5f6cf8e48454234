"""What the gateway makes of the contract: the methods, and which of them are commands and reads."""

from tradewire.v1 import websocket_pb2
from tradewire_contract import methods
from tradewire_gateway.ws.methods import Kind, notification_name, own_requests, targets

COMMANDS = {"orders.place", "orders.amend", "orders.cancel", "orders.cancelAll"}


def test_every_method_with_a_name_is_there() -> None:
    assert set(targets()) == {each.json_rpc for each in methods().values() if each.json_rpc}
    assert len(targets()) > 30


def test_kinds_follow_from_the_shape() -> None:
    kinds = {name: target.kind for name, target in targets().items()}
    assert kinds["orders.place"] is Kind.UNARY
    assert kinds["executions.stream"] is Kind.STREAM
    assert kinds["marketData.stream"] is Kind.STREAM
    assert kinds["account.stream"] is Kind.STREAM
    assert [name for name, kind in kinds.items() if kind is Kind.PIPE] == ["orders.enter"]


def test_commands_are_what_the_stream_of_orders_takes() -> None:
    commands = {name: target.command for name, target in targets().items() if target.command}
    assert set(commands) == COMMANDS
    place, cancel_all = commands["orders.place"], commands["orders.cancelAll"]
    assert place is not None
    assert cancel_all is not None
    assert place.stream is cancel_all.stream
    assert place.stream.path == targets()["orders.enter"].path
    assert (place.member, cancel_all.member) == ("place", "cancel_all")
    assert (place.stream.results, place.stream.rate_limit) == ("results", "rate_limit")


def test_reads_are_what_rest_gets() -> None:
    reads = {name for name, target in targets().items() if target.is_read}
    assert {"orders.get", "orders.list", "session.time"} <= reads
    assert not reads & (COMMANDS | {"session.login", "session.logout", "session.ticket"})


def test_only_one_method_signs_in() -> None:
    assert [name for name, target in targets().items() if target.is_sign_in] == ["session.login"]


def test_last_message_of_each_stream_can_be_told() -> None:
    for target in targets().values():
        if target.kind is Kind.UNARY:
            assert target.closing_tag is None
        else:
            closing = target.response()
            closing.closing.SetInParent()  # type: ignore[attr-defined]
            assert closing.SerializeToString().startswith(target.closing_tag or b"?")


def test_messages_without_an_rpc() -> None:
    assert set(own_requests()) == {
        "subscription.cancel",
        "subscription.send",
        "connection.configure",
    }
    assert not set(own_requests()) & set(targets())
    closing, closed = websocket_pb2.ConnectionClosing, websocket_pb2.SubscriptionClosed
    assert notification_name(closing.DESCRIPTOR) == "connection.closing"
    assert notification_name(closed.DESCRIPTOR) == "subscription.closed"
