"""The documentation in a real browser, through Envoy: nothing fails or comes from elsewhere."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from tradewire_gateway.web.portal import Portal

from tests.support.envoy import data_directory, running_rest_venue
from tests.support.node import CHROMIUM, needs_browser
from tests.support.portal import options, page_paths

DRIVER = Path(__file__).parents[1] / "support" / "browser.mjs"
VIEWS = [
    {"name": f"{width}-{scheme}", "width": width, "height": 900, "scheme": scheme}
    for width in (1440, 390)
    for scheme in ("light", "dark")
]
PAGES = list(page_paths(Portal(options())))
# One page of each kind is looked at for barriers; the explorer's inside is not ours to change.
ALIKE = {path for path in PAGES if path.startswith("/docs/grpc/")} - {"/docs/grpc/order_service"}
NO_BARRIERS = sorted(set(PAGES) - ALIKE - {"/docs/explorer"})
DARK = "rgb(14, 19, 24)"


async def _watch(task: dict[str, Any]) -> list[dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        "node",
        str(DRIVER),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    shown, complaints = await process.communicate(json.dumps(task).encode())
    assert process.returncode == 0, complaints.decode()
    return [json.loads(line) for line in shown.splitlines()]


@needs_browser
@pytest.mark.timeout(300)
async def test_every_page_shows_itself_on_every_screen() -> None:
    async with data_directory() as path, running_rest_venue(path, pages=True) as venue:
        # TRADEWIRE_SCREENSHOTS names a folder for those who want to look.
        seen = await _watch(
            {
                "chromium": CHROMIUM,
                "origin": venue.url,
                "pages": [*PAGES, "/docs/nothing"],
                "views": VIEWS,
                "shots": os.environ.get("TRADEWIRE_SCREENSHOTS"),
                "barriers": NO_BARRIERS,
                "actions": True,
            }
        )
    views = [record for record in seen if "view" in record]
    assert len(views) == (len(PAGES) + 1) * len(VIEWS)
    for record in views:
        missing = record["path"] == "/docs/nothing"
        assert record["status"] == (404 if missing else 200), record
        # A browser says on its console that a page was answered with 404.
        assert len(record["errors"]) == int(missing), record
        assert record["outside"] == [], record
        assert record["overflow"] <= 0, record
        assert record["unseen"] == [], record
        assert record["unnamed"] == [], record
        assert record["barriers"] == [], record
        assert record["text"] > 200, record
        assert (record["dark"] == DARK) == record["view"].endswith("dark"), record
    # The search leads with the keyboard alone to a place; the explorer sends a request.
    for record in seen:
        assert record["errors"] == [] or "view" in record, record
        assert record["outside"] == []
    done = {record["action"]: record for record in seen if "action" in record}
    assert done["search"]["found"] == "/docs/errors#RATE_LIMITED"
    assert done["attempt"]["answered"] == 200
