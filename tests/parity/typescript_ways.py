"""The ways in by the TypeScript client: a program of Node that is told what to call."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from tradewire.v1 import order_pb2

from tests.parity.ways import Answer, CannotSay, CommandFailed, Do, Ground, Way
from tests.support.failures import Failure
from tests.support.typescript import FOLDER
from tests.support.venue import base64url

PROGRAM = Path(__file__).with_name("typescript_sdk.mjs")
ANSWER_S = 30.0


_METHODS = {
    "PlaceOrderRequest": "place",
    "AmendOrderRequest": "amend",
    "CancelOrderRequest": "cancel",
    "CancelAllOrdersRequest": "cancelAll",
}
_TARGETS = {"order_id": "orderId", "original_client_order_id": "originalClientOrderId"}


class TypeScript:
    """The program, with a client for each account."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, account: str, method: str, **about: Any) -> Any:
        """Call a method and return its answer. Raises CannotSay and CommandFailed."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        line = json.dumps({"account": account, "method": method, **about})
        stdin.write(f"{line}\n".encode())
        async with asyncio.timeout(ANSWER_S):
            content = await stdout.readline()
        assert content, "the program has ended"
        found = json.loads(content)
        if "cannotSay" in found:
            raise CannotSay(found["cannotSay"])
        if "error" in found:
            raise CommandFailed(_failure(found["error"]))
        return found


@asynccontextmanager
async def typescript(ground: Ground, calls: str = "websocket") -> AsyncIterator[TypeScript]:
    """Run the program against a venue, with its calls over WebSocket or gRPC-web."""
    set_up = {"url": ground.rest_url, "calls": calls, "keys": [*_keys(ground)]}
    process = await asyncio.create_subprocess_exec(
        "node",
        str(PROGRAM),
        str(FOLDER),
        json.dumps(set_up),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=16 << 20,
    )
    assert process.stdin is not None
    try:
        yield TypeScript(process)
        process.stdin.close()
        async with asyncio.timeout(ANSWER_S):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _keys(ground: Ground) -> list[dict[str, str]]:
    return [
        {
            "account": credential.account,
            "api_key": credential.key_id,
            "private_key": base64url(credential.private_key.private_bytes_raw()),
        }
        for credential in ground.venue.credentials.values()
    ]


@asynccontextmanager
async def typescript_way(
    ground: Ground, calls: str, *, in_batches: bool = False
) -> AsyncIterator[Do]:
    """Call the client, with batches of one for new orders if wanted."""
    async with typescript(ground, calls) as program:

        async def do(name: str, request: Message) -> Answer:
            method = _METHODS[request.DESCRIPTOR.name]
            what = {
                field.camelcase_name: _value(field, value) for field, value in request.ListFields()
            }
            about: dict[str, Any] = {"what": what}
            if method in ("amend", "cancel"):
                target = {name: what.pop(name) for name in _TARGETS.values() if name in what}
                if not target:
                    raise CannotSay("an order has to be named")
                about["target"] = target
            if in_batches and method == "place":
                method = "placeMany"
            return _answer(await program.ask(name, method, **about))

        yield do


def _value(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None:
        return {"seconds": str(value.seconds), "nanos": value.nanos}
    return value


def _answer(found: dict[str, Any]) -> Answer:
    as_of_sequence = int(found["asOfSequence"])
    if "order" not in found:
        return Answer(None, found["canceledCount"], as_of_sequence, False)
    order = json_format.ParseDict(found["order"], order_pb2.Order())
    return Answer(order, 0, as_of_sequence, found["priorityKept"])


def _failure(error: dict[str, Any]) -> Failure:
    own = ("outcome", "retryable", "advice")
    metadata = error["metadata"]
    return Failure(
        reason=error["reason"],
        outcome=metadata["outcome"],
        fields=tuple(error["fields"]),
        text=error["message"].removeprefix(f"{error['reason']}: "),
        metadata={key: value for key, value in metadata.items() if key not in own},
    )


TYPESCRIPT_WAYS: dict[str, Way] = {
    "TypeScript client over WebSocket": partial(typescript_way, calls="websocket"),
    "TypeScript client over gRPC-web": partial(typescript_way, calls="grpc-web"),
    "TypeScript client in batches": partial(typescript_way, calls="websocket", in_batches=True),
}
