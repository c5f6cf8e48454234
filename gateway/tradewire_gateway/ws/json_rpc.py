"""JSON-RPC 2.0: a text frame becomes requests, and what answers them becomes text.

Nothing here knows what a method does. A frame is one request or a batch; a request without an `id`
is a notification, which is done and not answered. Answers are made by joining texts: the result is
JSON already.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from google.protobuf.message import Message
from google.rpc import code_pb2, status_pb2
from tradewire_contract.json_form.fields import did_you_mean
from tradewire_contract.statuses import make_status

from tradewire_gateway.ws.json_form import JsonInvalid, doubled, is_text, parse, writer

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601

ID_LENGTH_MAX: Final = 64
# Beyond this a reader in JavaScript takes two numbers for one.
ID_NUMBER_MAX: Final = 2**53 - 1
_NAME_SHOWN_MAX = 64
_MEMBERS = frozenset({"jsonrpc", "id", "method", "params"})
_PLAIN_ID = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:+=/ ")

write_status: Final[Callable[[Message], str]] = writer(status_pb2.Status.DESCRIPTOR)


class Failure(Exception):
    """A request is answered with this error."""

    def __init__(self, status: status_pb2.Status, *, code: int | None = None) -> None:
        super().__init__(status.message)
        self.status = status
        self.code = status.code if code is None else code


class Batch:
    """Collects the answers of the requests that came as one array, to be sent as one."""

    __slots__ = ("_answers", "_behind", "_expected", "_send")

    def __init__(self, expected: int, send: Callable[[str], object]) -> None:
        self._expected = expected
        self._answers: list[str] = []
        self._send = send
        self._behind: list[Callable[[], object]] = []

    def then(self, act: Callable[[], object]) -> None:
        """Do something once the answers are on their way, at once when they are."""
        if self._expected:
            self._behind.append(act)
        else:
            act()

    def add(self, answer: str | None) -> None:
        """Take an answer, None for that of a notification; the last one sends all."""
        self._expected -= 1
        if answer is not None:
            self._answers.append(answer)
        if not self._expected and self._answers:
            self._send(f"[{','.join(self._answers)}]")
        if not self._expected:
            behind, self._behind = self._behind, []
            for act in behind:
                act()


class Call(NamedTuple):
    """A request as it stands in a frame; `id` is its JSON text, None of a notification."""

    id: str | None
    method: str
    params: Any


class Refused(NamedTuple):
    """A request that is none, with the error that answers it."""

    id: str
    failure: Failure


class Frame(NamedTuple):
    """What a text frame holds."""

    requests: list[Call | Refused]
    is_batch: bool


def read_frame(data: bytes | bytearray | str, *, batch_max: int) -> Frame:
    """Return the requests of a frame, in their order.

    Raises Failure when the whole of it is to be answered with one error.
    """
    try:
        content = parse(data)
    except JsonInvalid as error:
        raise _failure(PARSE_ERROR, "MESSAGE_MALFORMED", str(error)) from None
    if type(content) is dict:
        return Frame([_read_request(content)], False)
    if not isinstance(content, list):
        return Frame([_read_request(content)], False)
    if not content:
        raise _failure(INVALID_REQUEST, "MESSAGE_MALFORMED", "the batch has no request")
    if len(content) > batch_max:
        text = f"the batch has {len(content)} requests, and may have {batch_max}"
        raise _failure(INVALID_REQUEST, "REQUEST_TOO_LARGE", text)
    return Frame([_read_request(item) for item in content], True)


def _read_request(content: Any) -> Call | Refused:
    if not isinstance(content, dict):
        return _no_request("null", "a request is an object: {...}")
    twice = doubled(content)
    if twice is not None:
        return _no_request("null", f"{_shown(twice)} is given twice")
    id_text = None
    if "id" in content:
        id_text = _id_text(content["id"])
        if id_text is None:
            text = (
                f"id must be a string of at most {ID_LENGTH_MAX} characters or an integer of at "
                f"most {ID_NUMBER_MAX}"
            )
            return _no_request("null", text)
    method = content.get("method")
    known = 0 if id_text is None else 1
    # The usual case first, without looking at each member.
    if content.get("jsonrpc") == "2.0" and type(method) is str:
        known += 2 + ("params" in content)
        if len(content) == known:
            return Call(id_text, method, content.get("params"))
    return _no_request(id_text or "null", _problem(content))


def _problem(content: dict[str, Any]) -> str:
    if content.get("jsonrpc") != "2.0":
        return 'jsonrpc must be "2.0"'
    if not isinstance(content.get("method"), str):
        return "method must be the name of a method"
    unknown = next(name for name in content if name not in _MEMBERS)
    return f"{_shown(unknown)} is no member of a request: id, jsonrpc, method, params"


def _no_request(id_text: str, text: str) -> Refused:
    return Refused(id_text, _failure(INVALID_REQUEST, "MESSAGE_MALFORMED", text))


def _id_text(value: Any) -> str | None:
    """Return an id as it is sent back, None when it is none."""
    if type(value) is str:
        if len(value) > ID_LENGTH_MAX:
            return None
        if _PLAIN_ID.issuperset(value):
            return f'"{value}"'
        return quoted(value) if is_text(value) else None
    if type(value) is int and -ID_NUMBER_MAX <= value <= ID_NUMBER_MAX:
        return str(value)
    return None


def unknown_method(name: str, names: Iterable[str]) -> Failure:
    """Return the error of a method that does not exist among these names."""
    text = f"there is no method {_shown(name)}{did_you_mean(name, names)}"
    return _failure(METHOD_NOT_FOUND, "METHOD_NOT_FOUND", text)


def success(id_text: str, result: str, rate_limit: str) -> str:
    """Return an answer; `result` and `rate_limit` are JSON, the latter empty for none."""
    if rate_limit:
        return f'{{"jsonrpc":"2.0","id":{id_text},"result":{result},"rateLimit":{rate_limit}}}'
    return f'{{"jsonrpc":"2.0","id":{id_text},"result":{result}}}'


def failure(id_text: str, error: Failure, rate_limit: str) -> str:
    """Return an error as an answer."""
    limit = f',"rateLimit":{rate_limit}' if rate_limit else ""
    return (
        f'{{"jsonrpc":"2.0","id":{id_text},"error":{{"code":{error.code},'
        f'"message":{quoted(error.status.message)},"data":{write_status(error.status)}}}{limit}}}'
    )


def notification(method: str, params: str) -> str:
    """Return a notification of the server."""
    return f'{{"jsonrpc":"2.0","method":"{method}","params":{params}}}'


def is_malformed(error: Failure) -> bool:
    """Say whether a frame was not even a request."""
    return error.code in (PARSE_ERROR, INVALID_REQUEST)


def _failure(code: int, reason: str, text: str) -> Failure:
    return Failure(make_status(reason, text), code=code)


def plain_status(code: int, text: str) -> status_pb2.Status:
    """Return the status of an error that has no reason of the catalogue."""
    return status_pb2.Status(code=code or code_pb2.UNKNOWN, message=text)


def quoted(text: str) -> str:
    """Return a text as JSON."""
    return json.dumps(text, ensure_ascii=False)


def _shown(text: str) -> str:
    return (text if text.isprintable() else ascii(text)[1:-1])[:_NAME_SHOWN_MAX] or '""'
