"""An HTTP request as it was sent, and what its check answers."""

from typing import NamedTuple

from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2
from tradewire_contract import reasons

from tradewire_server.auth.limit_policy import EdgePolicy
from tradewire_server.engine.vocabulary import Reason

_POLICY = EdgePolicy()
BODY_MAX = _POLICY.rest_body_bytes_max
PATH_MAX = _POLICY.rest_path_bytes_max
QUERY_MAX = _POLICY.rest_query_bytes_max
PARAMETERS_MAX = _POLICY.rest_query_parameters_max
# Of a request that is refused: see `check.refusal_units`.
BYTES_PER_UNIT = _POLICY.rest_bytes_per_unit
OK = 200

Header = tuple[str, str]


class RawRequest(NamedTuple):
    """A request: nothing of it was decoded, normalised or dropped; header names in small letters.

    `target` is the path with its query, from the first slash.
    """

    method: str
    target: str
    headers: tuple[Header, ...]
    body: bytes

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def values(self, name: str) -> list[str]:
        """Return the values of all headers of this name."""
        return [value for header, value in self.headers if header == name]


class Answer(NamedTuple):
    """What Envoy is told: 200 lets the request pass and adds the headers to it, anything else goes
    to the client as it is.
    """

    status: int
    headers: tuple[Header, ...] = ()
    body: bytes = b""


def denial(status: status_pb2.Status, headers: tuple[Header, ...] = ()) -> Answer:
    """Return the answer that refuses a request with an error of the catalogue."""
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info), "every error begins with its ErrorInfo"
    http_status = reasons()[Reason[info.reason]].http_status
    text = json_format.MessageToJson(status, indent=None, ensure_ascii=False)
    return Answer(http_status, (("content-type", "application/json"), *headers), text.encode())
