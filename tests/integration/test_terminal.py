"""The terminal in a real browser against a running venue: what people do with it.

One venue without bots serves the tests one after the other, so that everything on the page is
known; the account's sequence grows from test to test. Screenshots are kept in
tests/artifacts/terminal.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from tradewire_client import Client

from tests.support.command_line import VenueProcess, venue_process
from tests.support.node import needs_terminal
from tests.support.page import Page, browser_page
from tests.support.terminal import (
    EXECUTIONS,
    HISTORY,
    MISSING,
    OPEN_ORDERS,
    SEQUENCE,
    SUBMIT,
    TOAST,
    Terminal,
    counterparty,
)

pytestmark = [
    needs_terminal,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(120),
]
SHOTS = "terminal"


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueProcess]:
    """Run a quiet venue with everything that `tradewire up` starts."""
    data_dir = tmp_path_factory.mktemp("terminal") / "venue"
    with venue_process(data_dir, "--no-bots", "--no-fix") as process:
        yield process


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page() -> AsyncIterator[Page]:
    """Share a browser; each test opens a page of its own in it."""
    async with browser_page() as page:
        yield page


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def other(venue: VenueProcess) -> AsyncIterator[Client]:
    """Trade on the other side."""
    async with counterparty(venue.data_dir) as client:
        yield client


@pytest.fixture
def terminal(page: Page, venue: VenueProcess) -> Terminal:
    """Return the terminal of the venue."""
    return Terminal(page, venue.wait_until_ready()["rest"], venue.data_dir)


async def test_an_order_is_placed_partly_filled_amended_and_canceled(
    terminal: Terminal, other: Client
) -> None:
    page = terminal.page
    await terminal.open()
    await page.shot(SHOTS, "sign-in")
    await terminal.sign_in_with_key("demo-1")
    await page.wait("text=No orders in the book")

    # With the keyboard alone.
    await page.press("b", "p")
    await page.do("type", text="60000")
    await page.press("Tab")
    await page.do("type", text="0.5")
    await page.becomes("dl.summary >> nth=0", "Notional 30,000.00 USD Fee, at most (0.2 %) 60.00 USD Total 30,060.00 USD")
    await page.press("Enter")
    await page.wait(f"{TOAST}:has-text('Order placed'):has-text('Buy 0.5 BTC-USD at 60,000')")
    await page.wait(f"{OPEN_ORDERS}:has-text('60,000.00'):has-text('Working')")
    await page.becomes(".bids .ladder-row >> nth=0", "60,000.00 0.500000 0.500000 , yours: 0.5")

    await other.orders.place(
        symbol="BTC-USD", side="sell", type="limit", quantity="0.2", price="60000"
    )
    await page.wait(f"{TOAST}:has-text('Order partly filled'):has-text('Bought 0.2 BTC at 60,000')")
    await page.wait(f"{OPEN_ORDERS}:has-text('0.2 (40%)'):has-text('Partly filled')")
    await page.becomes(".trade-row >> nth=0 >> .price", "sold at 60,000.00")
    await page.becomes(".last-price", "Last price 60,000.00")
    await page.shot(SHOTS, "partly-filled")

    await page.click("role=button[name='Amend Buy 0.5 BTC-USD at 60,000']")
    await page.fill("input[aria-label='New price']", "60010.005")
    await page.press("Enter")
    await page.becomes("#amend-problem", "The price moves in steps of 0.01: use 60,010 or 60,010.01.")
    await page.fill("input[aria-label='New price']", "60010")
    await page.fill("input[aria-label='New quantity']", "0.4")
    await page.shot(SHOTS, "amending")
    await page.press("Enter")
    await page.wait(f"{TOAST}:has-text('Order amended')")
    await page.wait(f"{OPEN_ORDERS}:has-text('60,010.00'):has-text('0.2 (50%)')")
    await page.becomes(".bids .ladder-row >> nth=0", "60,010.00 0.200000 0.200000 , yours: 0.2")

    await page.click("role=button[name='Cancel Buy 0.4 BTC-USD at 60,010']")
    await page.wait("text=No open orders")
    await page.wait("text=No orders in the book")
    await terminal.show("Order history")
    await page.wait(f"{HISTORY}:has-text('0.4'):has-text('Canceled Canceled by you')")

    await terminal.show("Executions")
    await page.becomes(SEQUENCE, "4")
    assert await page.text(MISSING) == "0"
    shown = [row.split() for row in await page.texts(EXECUTIONS)]
    assert [(row[0], row[3]) for row in shown] == [
        ("4", "Canceled"),
        ("3", "Amended"),
        ("2", "Trade"),
        ("1", "Accepted"),
    ]

    # The money: 0.2 bought at 60,000 with the maker's fee of 0.1 %.
    await terminal.show("Balances")
    await page.becomes("tr[data-asset='USD']", "USD 987,988.00 0.00 987,988.00")
    await page.becomes("tr[data-asset='BTC']", "BTC 10.2 0 10.2")
    await terminal.show("Positions")
    await page.becomes("tr[data-symbol='BTC-USD']", "BTC-USD 0.2 60,000.00 60,000.00 0.00 0.00 12.00")
    await terminal.unblemished()
