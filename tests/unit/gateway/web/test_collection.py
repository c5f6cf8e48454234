"""The collection for Postman and Bruno: complete, and with a place for everything it mentions."""

import json
import re
from typing import Any

import pytest
from tradewire_contract import routes
from tradewire_gateway.web.collection import STREAMS, postman_collection
from tradewire_gateway.web.contract_files import contract_file

OPENAPI = json.loads(contract_file("openapi.json") or b"{}")
COLLECTION = postman_collection(OPENAPI, rest_url="http://venue", environment="sandbox")
ITEMS: list[dict[str, Any]] = [item for folder in COLLECTION["item"] for item in folder["item"]]


def test_it_has_every_operation_once() -> None:
    asked = sorted(
        (item["request"]["method"], item["request"]["url"]["raw"].partition("?")[0])
        for item in ITEMS
    )
    assert len(asked) == len(set(asked))
    operations = [
        (verb.upper(), path) for path, verbs in OPENAPI["paths"].items() for verb in verbs
    ]
    assert len(asked) == len(operations)
    names = [item["name"] for item in ITEMS]
    assert len(names) == len(set(names))


def test_folders_are_the_services_and_streams_come_last() -> None:
    titles = [folder["name"] for folder in COLLECTION["item"]]
    assert titles == [*(tag["name"] for tag in OPENAPI["tags"]), STREAMS]
    streams = {route.template for route in routes() if route.method.server_streaming}
    in_streams = {
        item["request"]["url"]["raw"].partition("?")[0].removeprefix("{{baseUrl}}")
        for item in COLLECTION["item"][-1]["item"]
    }
    assert in_streams == streams


def test_every_variable_has_somebody_who_sets_it() -> None:
    mentioned = set(re.findall(r"{{(\w+)}}", json.dumps(COLLECTION["item"])))
    scripts = "\n".join(line for event in COLLECTION["event"] for line in event["script"]["exec"])
    given = {entry["key"] for entry in COLLECTION["variable"]}
    made = set(re.findall(r"keep\('(\w+)'", scripts))
    assert mentioned <= given | made
    # Whoever exports the collection shares no secret of ours.
    assert all(not entry["value"] for entry in COLLECTION["variable"] if "api" in entry["key"])


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item["name"])
def test_a_request_is_whole(item: dict[str, Any]) -> None:
    request = item["request"]
    url = request["url"]
    assert url["raw"].startswith("{{baseUrl}}/")
    assert not re.search(r"(?<!{){\w+}(?!})", url["raw"])
    assert "/".join(url["path"]) in url["raw"]
    assert item["name"]
    assert request["description"]
    assert ("body" in request) == (request["method"] in ("POST", "PATCH"))
    if "body" in request:
        assert isinstance(json.loads(request["body"]["raw"]), dict)
        types = [h["value"] for h in request["header"] if h["key"] == "content-type"]
        assert types == ["application/json"]
