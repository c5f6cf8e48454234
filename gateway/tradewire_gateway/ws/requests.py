"""A request under way: it is answered once, or not at all when it is a notification."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from google.protobuf.message import Message

from tradewire_gateway.ws import json_rpc
from tradewire_gateway.ws.methods import Target

if TYPE_CHECKING:
    from tradewire_gateway.ws.connection import Connection


class Request:
    """A call of a method of the contract. `id` is its JSON text, None of a notification; `size` are
    the bytes that it came in.
    """

    __slots__ = ("_batch", "_connection", "_tenure", "id", "message", "size", "target")

    def __init__(
        self,
        connection: "Connection",
        id_text: str | None,
        target: Target,
        message: Message,
        batch: json_rpc.Batch | None,
        size: int,
    ) -> None:
        self._connection = connection
        self._tenure = connection.tenure
        self.id = id_text
        self.target = target
        self.message = message
        self._batch = batch
        self.size = size

    def then(self, act: Callable[[], object]) -> None:
        """Do something behind the answer: it may have to wait for those of its batch."""
        if self._batch is None:
            act()
        else:
            self._batch.then(act)

    def succeed(self, result: str, rate_limit: str = "") -> None:
        """Answer with a result, which is JSON."""
        text = None if self.id is None else json_rpc.success(self.id, result, rate_limit)
        self._connection.answer(text, self._batch, self.size)

    def fail(self, error: json_rpc.Failure, rate_limit: str = "") -> None:
        """Answer with an error."""
        text = None if self.id is None else json_rpc.failure(self.id, error, rate_limit)
        self._connection.answer(text, self._batch, self.size)
        if not self.target.is_sign_in:
            # A login that fails says nothing of the credential that the connection has.
            self._connection.look_at(error.status, self._tenure)
