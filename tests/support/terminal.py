"""The terminal as its users handle it: places on the page, and what is done there."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tradewire_client import Client

from tests.support.page import Page

CONSOLE = "/console/"
LIVE = '[data-testid="connection"]:text-is("Live")'
OPEN_ORDERS = 'table[aria-label="Open orders"] tbody tr'
HISTORY = 'table[aria-label="Order history"] tbody tr'
EXECUTIONS = 'table[aria-label="Executions"] tbody tr'
SEQUENCE = '[data-testid="sequence"]'
MISSING = '[data-testid="missing"]'
RESUMES = '[data-testid="resumes"]'
SUBMIT = ".ticket-form .submit"
TOAST = ".toast"


@dataclass
class Terminal:
    """A page with the terminal."""

    page: Page
    origin: str
    data_dir: Path

    def entry(self, account: str) -> dict[str, Any]:
        """Return what demo.json has of an account."""
        demo = json.loads((self.data_dir / "demo.json").read_bytes())
        found: dict[str, Any] = next(one for one in demo["accounts"] if one["account"] == account)
        return found

    async def open(self, *, width: int = 1440, height: int = 900, scheme: str = "light") -> None:
        """Open the first page."""
        status = await self.page.open(
            self.origin, CONSOLE, width=width, height=height, scheme=scheme
        )
        assert status == 200
        await self.page.wait("role=heading[name='Tradewire Terminal']")

    async def sign_in_with_key(self, account: str) -> None:
        """Sign in with the parts of a key, as they are typed."""
        entry = self.entry(account)
        await self.page.fill("#api-key", entry["api_key"])
        await self.page.fill("#secret", entry["private_key"])
        await self.page.click("role=button[name='Sign in']")
        await self._signed_in(account)

    async def sign_in_as_demo(self) -> None:
        """Sign in with one click."""
        await self.page.click("role=button[name='Open the demo account']")
        await self._signed_in("demo-1")

    async def _signed_in(self, account: str) -> None:
        await self.page.wait(LIVE)
        await self.page.becomes(".account-name", account)
        # Balances come with the first message of the executions, the fees with a call.
        await self.page.wait("dl.summary dt:has-text('0.2 %')")

    async def show(self, tab: str) -> None:
        """Open a tab of the lower panel."""
        await self.page.click(f"role=tab[name=/^{tab}/]")

    async def sequence(self) -> int:
        """Return the account's sequence as the page shows it; the tab of executions is open."""
        return int((await self.page.text(SEQUENCE)).replace(",", ""))

    async def notes(self) -> list[str]:
        """Return what the ticket says is wrong."""
        return [text for text in await self.page.texts(".ticket-form :is(.bad, .problem)") if text]

    async def unblemished(self) -> None:
        """Hold that nothing happened which nobody should see."""
        assert await self.page.problems() == {"console": [], "policy": [], "outside": []}


@asynccontextmanager
async def counterparty(data_dir: Path) -> AsyncIterator[Client]:
    """Trade as the other demo account, with the Python SDK."""
    async with Client.from_demo(data_dir / "demo.json", account="demo-2") as client:
        yield client
