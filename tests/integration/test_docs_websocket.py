"""What the pages say about WebSocket is what happens, frame by frame, and so does its document."""

import json
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from jsonschema_rs import Draft7Validator
from tradewire_contract.asyncapi import document
from tradewire_gateway.web.rendering import FOLDER
from websockets.asyncio.client import ClientConnection, connect

from tests.support.envoy import RestVenue, bearer, data_directory, running_rest_venue

pytestmark = pytest.mark.asyncio(loop_scope="module")

GUIDE = (FOLDER / "pages" / "websocket.md").read_text()
FRAMES = re.findall(r"```json (send|receive)\n(.*?)\n```", GUIDE, re.DOTALL)
DOCUMENT = document()
MESSAGES = DOCUMENT["components"]["messages"]
WHOLE = {"components": DOCUMENT["components"]}
# Of these the example is of something that is not there, or is not to be used up.
SIGN_IN = ("session.login", "session.logout")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def venue() -> AsyncIterator[RestVenue]:
    async with data_directory() as path, running_rest_venue(path, pages=True) as running:
        yield running


@dataclass
class Talk:
    """A connection on which frames are sent and awaited as they stand."""

    socket: ClientConnection
    seen: list[Any]

    async def send(self, frame: Any) -> None:
        await self.socket.send(json.dumps(frame))

    async def receive(self, matches: Any) -> Any:
        """Return the first frame that matches, also one that came before."""
        for frame in self.seen:
            if matches(frame):
                self.seen.remove(frame)
                return frame
        while True:
            frame = json.loads(await self.socket.recv())
            if matches(frame):
                return frame
            self.seen.append(frame)


@pytest_asyncio.fixture(loop_scope="module")
async def talk(venue: RestVenue) -> AsyncIterator[Talk]:
    url = venue.url.replace("http", "ws", 1) + "/v1/ws"
    async with connect(url, additional_headers=bearer(venue.alice), proxy=None) as socket:
        yield Talk(socket, [])


def holds(shown: Any, found: Any) -> bool:
    """Say whether a frame has everything that is shown; values may be others, kinds may not."""
    if isinstance(shown, dict):
        return isinstance(found, dict) and all(
            name in found and holds(value, found[name]) for name, value in shown.items()
        )
    if isinstance(shown, list):
        return isinstance(found, list) and bool(found) and holds(shown[0], found[0])
    return type(shown) is type(found)


def same_kind(shown: Any, found: Any) -> bool:
    return bool(shown.get("id") == found.get("id") and shown.get("method") == found.get("method"))


async def test_the_frames_of_the_guide_are_sent_and_received(venue: RestVenue, talk: Talk) -> None:
    configure = next(frame for _, frame in FRAMES if '"connection.configure"' in frame)
    for direction, text in FRAMES:
        frame = json.loads(text)
        if text == configure:
            # Said to be for a fresh connection, as it is here.
            return
        if direction == "send":
            await talk.send(frame)
            continue
        found = await talk.receive(lambda other, shown=frame: same_kind(shown, other))
        assert holds(frame, found), (frame, found)
        for member in ("code", "reason"):
            assert _named(frame, member) == _named(found, member)


async def test_cancel_on_disconnect_is_asked_for_as_the_guide_says(talk: Talk) -> None:
    at = next(index for index, (_, text) in enumerate(FRAMES) if "connection.configure" in text)
    await talk.send(json.loads(FRAMES[at][1]))
    found = await talk.receive(lambda frame: "id" in frame)
    assert found["result"] == json.loads(FRAMES[at + 1][1])["result"]


async def test_the_guide_shows_both_directions() -> None:
    assert [direction for direction, _ in FRAMES].count("send") >= 6
    assert [direction for direction, _ in FRAMES].count("receive") >= 7


def _named(frame: dict[str, Any], member: str) -> Any:
    """Return what an error is known by, None of any other frame."""
    if "error" not in frame:
        return None
    if member == "code":
        return frame["error"]["code"]
    return frame["error"]["data"]["details"][0]["reason"]


def checks(message: str) -> Draft7Validator:
    return Draft7Validator(WHOLE | {"allOf": [MESSAGES[message]["payload"]]}, validate_formats=True)


def examples() -> list[tuple[str, Any]]:
    return [
        (name, MESSAGES[name]["examples"][0]["payload"])
        for name, operation in DOCUMENT["operations"].items()
        if operation["action"] == "send" and MESSAGES[name].get("examples")
    ]


async def test_every_example_of_the_document_is_answered_as_it_says(talk: Talk) -> None:
    """Also by an error, of which it says the reasons."""
    done = set()
    for number, (name, frame) in enumerate(examples(), start=100):
        if name in SIGN_IN:
            continue
        assert checks(name).is_valid(frame)
        await talk.send(frame | {"id": number})
        found = await talk.receive(lambda other, number=number: other.get("id") == number)
        if "result" in found:
            done.add(name)
            problems = list(checks(f"{name}.result").iter_errors(found))
            assert not problems, (name, found, problems[0].message)
            continue
        assert checks("error").is_valid(found), (name, found)
        reason = found["error"]["data"]["details"][0]["reason"]
        assert reason in DOCUMENT["operations"][name]["x-tradewire-reasons"], (name, found)
    assert {"orders.place", "orders.enter", "executions.stream", "account.limits"} <= done
    assert {"session.ticket", "marketData.stream", "subscription.cancel"} <= done
    assert len(done) >= 20, sorted(done)


async def test_what_streams_bring_is_what_the_document_says(talk: Talk) -> None:
    streams = ["executions.stream", "account.stream", "marketData.stream", "orders.enter"]
    place = {
        "clientOrderId": f"streams-{secrets.token_hex(4)}",
        "symbol": "BTC-USD",
        "side": "SIDE_BUY",
        "type": "ORDER_TYPE_LIMIT",
        "quantity": "0.01",
        "price": "30000",
    }
    params: dict[str, Any] = {
        "marketData.stream": {"symbols": ["BTC-USD"]},
        "orders.enter": {"snapshot": True},
    }
    for number, name in enumerate(streams, start=1):
        request = {"jsonrpc": "2.0", "id": number, "method": name}
        await talk.send(request | {"params": params.get(name, {"afterSequence": "0"})})
        found = await talk.receive(lambda other, number=number: other.get("id") == number)
        assert found["result"] == {"subscription": number}
    await talk.send({"jsonrpc": "2.0", "id": 9, "method": "orders.place", "params": place})
    for number, name in enumerate(streams, start=1):
        found = await talk.receive(
            lambda other, name=name: (
                other.get("method") == name and "batch" in other["params"]["message"]
            )
        )
        assert found["params"]["subscription"] == number
        await talk.send(
            {
                "jsonrpc": "2.0",
                "id": 10 + number,
                "method": "subscription.cancel",
                "params": {"subscription": number},
            }
        )
        closed = await talk.receive(
            lambda other, number=number: (
                other.get("method") == "subscription.closed"
                and other["params"]["subscription"] == number
            )
        )
        for frame in (found, closed, *talk.seen):
            if "method" in frame:
                kind = frame["method"]
                message = f"{kind}.message" if kind in streams else kind
                problems = list(checks(message).iter_errors(frame))
                assert not problems, (frame, problems[0].message)


async def test_a_batch_is_answered_as_the_document_says(talk: Talk) -> None:
    requests = [
        {"jsonrpc": "2.0", "id": 1, "method": "session.time"},
        {"jsonrpc": "2.0", "id": 2, "method": "no.such.method"},
        {"jsonrpc": "2.0", "method": "session.time"},
    ]
    assert checks("batch").is_valid(requests)
    await talk.send(requests)
    found = await talk.receive(lambda frame: isinstance(frame, list))
    assert checks("batch.result").is_valid(found)
    by_id = {answer["id"]: answer for answer in found}
    assert sorted(by_id) == [1, 2]
    assert checks("session.time.result").is_valid(by_id[1])
    assert checks("error").is_valid(by_id[2])
