"""A proxy before REST that ends the session of a client between two of its orders."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

ORDERS = "/v1/orders"
SESSIONS = "/v1/sessions"
_PASSED_ON = ("authorization", "content-type")


@dataclass
class Front:
    """What was seen: statuses of the orders that were sent, and how often somebody signed in."""

    url: str
    statuses: list[int] = field(default_factory=list)
    sign_ins: int = 0


@contextmanager
def ending_sessions(venue: str, *, before: int) -> Iterator[Front]:
    """Pass requests on; before the order of this number (from 1), its session is ended."""
    front = Front("")

    class Passing(BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Keep quiet."""

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
            with httpx.Client(base_url=venue) as client:
                if self.path == ORDERS and len(front.statuses) == before - 1:
                    client.post(
                        f"{SESSIONS}:end",
                        json={},
                        headers={"authorization": headers[_PASSED_ON[0]]},
                    ).raise_for_status()
                answer = client.request(self.command, self.path, content=body, headers=headers)
            if self.path == ORDERS:
                front.statuses.append(answer.status_code)
            front.sign_ins += self.path == SESSIONS
            self.send_response(answer.status_code)
            self.send_header("content-type", answer.headers["content-type"])
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_DELETE = _pass_on  # noqa: N815 - the library's names

    with ThreadingHTTPServer(("127.0.0.1", 0), Passing) as server:
        front.url = f"http://127.0.0.1:{server.server_address[1]}"
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield front
        finally:
            server.shutdown()
            serving.join()
