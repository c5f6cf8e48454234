"""The collection for Postman and Bruno, run with Postman's own command against a venue."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
from tradewire_contract import routes

from tests.support.envoy import RestVenue, bearer, data_directory, running_rest_venue
from tests.support.node import needs_node, program

STREAMS = "Streams"
SCOPES = ["SCOPE_READ", "SCOPE_TRADE", "SCOPE_TRANSFER"]


async def _run(venue: RestVenue, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run the collection as it is served; return it and newman's report."""
    async with httpx.AsyncClient(base_url=venue.url, headers=bearer(venue.alice)) as client:
        answer = await client.post(
            "/v1/keys", json={"algorithm": "KEY_ALGORITHM_HMAC_SHA256", "scopes": SCOPES}
        )
        created = answer.raise_for_status().json()
        served = await client.get("/docs/tradewire.postman_collection.json")
    collection = served.raise_for_status().json()
    (folder / "collection.json").write_bytes(served.content)
    values = {
        "baseUrl": venue.url,
        "apiKey": created["key"]["apiKey"],
        "apiSecret": created["secret"],
    }
    arguments = [f"--env-var={name}={value}" for name, value in values.items()]
    arguments += [f"--folder={f['name']}" for f in collection["item"] if f["name"] != STREAMS]
    process = await asyncio.create_subprocess_exec(
        program("newman"),
        "run",
        "collection.json",
        "--reporters=json",
        "--reporter-json-export=report.json",
        *arguments,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    report = json.loads((folder / "report.json").read_bytes())
    failures = [failure["error"]["message"] for failure in report["run"]["failures"]]
    assert (process.returncode, failures) == (0, []), output.decode()
    return collection, report


@needs_node
async def test_every_request_is_signed_and_answered(tmp_path: Path) -> None:
    async with data_directory() as path, running_rest_venue(path, pages=True) as venue:
        collection, report = await _run(venue, tmp_path)

    asked = {
        (execution["item"]["name"], execution["response"]["code"])
        for execution in report["run"]["executions"]
    }
    refused = {name for name, code in asked if code != 200}
    # The order was canceled by its other path before.
    assert len(refused) == 1
    assert next(iter(refused)).startswith("Cancels a working order")

    in_folders = sum(len(folder["item"]) for folder in collection["item"])
    served = {(route.http_method, route.template.replace("original_", "")) for route in routes()}
    assert in_folders == len(served)
