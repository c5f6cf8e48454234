"""The terminal in a real browser against a running venue: what people do with it.

One venue without bots serves the tests one after the other, so that everything on the page is
known; the account's sequence grows from test to test. Screenshots are kept in
tests/artifacts/terminal.
"""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from tradewire_client import Client, Side

from tests.support.command_line import VenueProcess, venue_process
from tests.support.node import needs_terminal
from tests.support.page import Page, browser_page
from tests.support.terminal import (
    EXECUTIONS,
    HISTORY,
    LIVE,
    MISSING,
    OPEN_ORDERS,
    RESUMES,
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
    await page.becomes(
        "dl.summary >> nth=0",
        "Notional 30,000.00 USD Fee, at most (0.2 %) 60.00 USD Total 30,060.00 USD",
    )
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
    await page.becomes(
        "#amend-problem", "The price moves in steps of 0.01: use 60,010 or 60,010.01."
    )
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
    await page.wait(f"{HISTORY}:has-text('0.4'):has-text('Canceled by you')")

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
    await page.becomes(
        "tr[data-symbol='BTC-USD']", "BTC-USD 0.2 60,000.00 60,000.00 0.00 0.00 12.00"
    )
    await terminal.unblemished()


WRONG = [
    ("", "0.1", ["Enter a price, such as 100.50."]),
    ("60000.005", "0.1", ["The price moves in steps of 0.01: use 60,000 or 60,000.01."]),
    ("six", "0.1", ["Enter a price as digits with a point, such as 100.50."]),
    ("60000", "0.0000015", ["The quantity moves in steps of 0.000001: use 0.000001 or 0.000002."]),
    ("60000", "0.000001", ["The smallest order is 0.00001 BTC."]),
    (
        "60000",
        "100",
        [
            (
                "Needs 6,012,000.00 USD with its fee; 987,988.00 is available. "
                "Buy less, or cancel other orders."
            )
        ],
    ),
    (
        "-1",
        "1e3",
        [
            "Enter a price as digits with a point, such as 100.50.",
            "Enter a quantity as digits with a point, such as 0.00001.",
        ],
    ),
]


async def test_what_is_wrong_is_said_at_the_field_before_and_after_it_is_sent(
    terminal: Terminal, other: Client
) -> None:
    page = terminal.page
    await terminal.open(scheme="dark")
    await terminal.sign_in_with_key("demo-1")
    await terminal.show("Executions")
    await page.becomes(SEQUENCE, "4")
    for price, quantity, texts in WRONG:
        await page.fill("#price", price)
        await page.fill("#quantity", quantity)
        await page.click(SUBMIT)
        await page.eventually(terminal.notes, texts)
    assert await page.do("evaluate", code="document.activeElement.id") == "price"
    await page.shot(SHOTS, "wrong-input")
    assert await page.barriers() == []
    # It is corrected while it is typed, and nothing has been sent.
    await page.fill("#price", "60000")
    await page.fill("#quantity", "0.1")
    await page.eventually(terminal.notes, [])
    assert await terminal.sequence() == 4

    # Only the venue can know that a post-only order would trade: its answer stands at the price.
    ask = await other.orders.place(
        symbol="BTC-USD", side="sell", type="limit", quantity="0.3", price="60000"
    )
    await page.becomes(".asks .ladder-row >> nth=-1", "60,000.00 0.300000 0.300000")
    await page.do("select", at="#postOnly", value="reject")
    await page.click(SUBMIT)
    await page.wait("#price-note.bad:has-text('would trade at once, which post-only forbids')")
    await page.wait(f"{TOAST}:has-text('Order not placed')")
    await page.becomes(SEQUENCE, "5")
    await page.wait(f"{EXECUTIONS}:has-text('Rejected')")
    await page.shot(SHOTS, "rejected")

    # A click on a price takes it, a percentage fills in what the money is good for.
    await page.do("select", at="#postOnly", value="off")
    await page.fill("#price", "1")
    await page.click(".asks .ladder-row >> nth=-1")
    assert await page.do("value", at="#price") == "60000"
    await page.click("role=button[name='Max']")
    assert await page.do("value", at="#quantity") == "16.433599"
    # A market order by amount, and an order that ends by itself.
    await page.do("check", at="input[value=market]")
    await page.do("select", at="[aria-label='Unit of the quantity']", value="quote")
    await page.fill("#quantity", "600")
    await page.press("Enter")
    await page.wait(f"{TOAST}:has-text('Order filled'):has-text('Bought 0.01 BTC at 60,000')")
    await page.becomes(SEQUENCE, "7")
    await other.orders.cancel(ask.order_id)
    await page.wait("text=No orders in the book")
    await page.do("check", at="input[value=limit]")
    await page.do("check", at="input[value=sell]")
    await page.do("select", at="#timeInForce", value="gtd")
    await page.fill("#price", "61000")
    await page.fill("#quantity", "0.1")
    await page.click(SUBMIT)
    await page.eventually(terminal.notes, ["Choose a date and time in the future."])
    await page.fill("#expireTime", "2099-01-01T00:00")
    await page.click(SUBMIT)
    await terminal.show("Open orders")
    await page.wait(f"{OPEN_ORDERS}:has-text('Sell'):has-text('Limit · GTD')")
    await page.click("role=button[name='Cancel Sell 0.1 BTC-USD at 61,000']")
    await page.wait("text=No open orders")
    await terminal.unblemished()


async def test_a_key_that_is_wrong_is_said_so(terminal: Terminal) -> None:
    page = terminal.page
    await terminal.open()
    await page.click("role=button[name='Sign in']")
    await page.eventually(
        lambda: page.texts(".field-note.bad"),
        [
            "Enter the key's id; it begins with tw_.",
            (
                "Enter the private key as 32 bytes in base64 or hexadecimal, "
                "or as PEM (BEGIN PRIVATE KEY)."
            ),
        ],
    )
    assert await page.barriers() == []
    await page.fill("#api-key", terminal.entry("demo-1")["api_key"])
    await page.fill("#secret", terminal.entry("demo-2")["private_key"])
    await page.click("role=button[name='Sign in']")
    # In the words of somebody who trades; what the venue says stands below.
    await page.wait("[role=alert] p:has-text('do not belong together')")
    await page.wait("[role=alert] .said:has-text('string to sign')")
    assert await page.do("evaluate", code="document.activeElement.type") == "submit"
    assert await page.barriers() == []
    # The key cannot be read over a shoulder, unless it is asked for.
    masked = "getComputedStyle(document.getElementById('secret')).webkitTextSecurity"
    assert await page.do("evaluate", code=masked) == "disc"
    await page.shot(SHOTS, "sign-in-refused")
    await page.click("role=button[name='Show private key']")
    assert await page.do("evaluate", code=masked) == "none"
    assert await page.barriers() == []
    await page.click("role=button[name='Hide private key']")
    assert await page.do("evaluate", code=masked) == "disc"
    assert await page.do("value", at="#secret") == terminal.entry("demo-2")["private_key"]
    # A whole key file does, too; nothing of it is kept.
    await page.fill("#secret", json.dumps(terminal.entry("demo-2")))
    await page.click("role=button[name='Sign in']")
    await page.becomes(".account-name", "demo-2")
    kept = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    assert terminal.entry("demo-2")["private_key"] not in await page.do("evaluate", code=kept)
    await page.click("role=button[name='Sign out']")
    await page.wait("role=button[name='Sign in']")
    assert await page.do("value", at="#secret") == ""


# Colours are the same at each width, and what there is in a view in each scheme.
LOOKED_AT = {(1440, "light"), (1440, "dark"), (390, "light")}
NARROWEST = 360
VIEWS = [(1440, 900), (1024, 768), (390, 844), (NARROWEST, 740)]


async def test_every_view_is_usable_in_both_schemes(terminal: Terminal, other: Client) -> None:
    page = terminal.page
    orders = [
        await other.orders.place(
            symbol="BTC-USD", side=side, type="limit", quantity=quantity, price=price
        )
        for side, quantity, price in (
            (Side.BUY, "0.25", "59990"),
            (Side.BUY, "0.5", "59980.5"),
            (Side.SELL, "0.125", "60010"),
            (Side.SELL, "2", "60025.25"),
        )
    ]
    await terminal.open()
    await terminal.sign_in_as_demo()
    await page.fill("#price", "59985")
    await page.fill("#quantity", "0.1")
    await page.click(SUBMIT)
    await page.wait(f"{OPEN_ORDERS}:has-text('59,985.00')")
    barriers: set[str] = set()
    for width, height in VIEWS:
        await page.do("resize", width=width, height=height)
        for scheme in ("light", "dark") if width != NARROWEST else ("light",):
            await page.do("scheme", scheme=scheme)
            await page.wait(f"html[data-theme={scheme}]")
            for view in ("Chart", "Book", "Trade", "Account") if width < 760 else ("",):
                if view:
                    await page.click(f"nav >> role=button[name=/^{view}/]")
                # Whose money it is, and where.
                await page.wait(".account-name:text-is('demo-1')")
                await page.wait(".environment:text-is('sandbox')")
                assert await page.do("evaluate", code=OVERFLOW) <= 0, (width, view)
                await page.shot(SHOTS, "-".join(filter(None, (str(width), scheme, view.lower()))))
                if (width, scheme) in LOOKED_AT:
                    barriers |= {f"{width} {scheme} {view} {one}" for one in await page.barriers()}
    assert barriers == set()
    # A price that is touched is taken to the ticket.
    await page.click("nav >> role=button[name=/^Book/]")
    await page.click(".bids .ladder-row >> nth=1")
    await page.becomes("main >> section:visible >> h2", "Place order")
    assert await page.do("value", at="#price") == "59985"
    await page.click("nav >> role=button[name=/^Account/]")
    await page.click("role=button[name=/^Amend/]")
    assert await page.do("evaluate", code=OVERFLOW) <= 0
    assert await page.barriers(".lower") == []
    await page.shot(SHOTS, "360-amending")
    await page.press("Escape")

    # The rest of what there is to see: each tab, and the dialogs.
    await page.do("resize", width=1440, height=900)
    for tab in ("Executions", "Order history", "Balances", "Positions"):
        await terminal.show(tab)
        assert await page.barriers(".lower") == [], tab
    await page.do("evaluate", code="document.activeElement.blur()")
    await page.press("?")
    await page.wait("role=dialog[name='Keyboard shortcuts']")
    assert await page.barriers("dialog") == []
    await page.shot(SHOTS, "keys")
    await page.press("Escape")
    # A dialog closes a moment after its key.
    await page.wait("dialog", state="detached")
    await page.press("/")
    await page.wait("role=dialog[name='Choose an instrument']")
    assert await page.barriers("dialog") == []
    await page.do("type", text="eth")
    await page.press("Enter")
    await page.becomes(".switcher strong", "ETH-USD")
    await page.wait("text=No orders in the book")
    # Cancels everything, after a question.
    await page.press("x")
    await page.shot(SHOTS, "cancel-all")
    await page.click("role=button[name='Cancel 1 order']")
    await page.wait("text=No open orders")
    for order in orders:
        await other.orders.cancel(order.order_id)
    await terminal.unblemished()


OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


async def test_the_terminal_goes_on_without_a_gap_when_the_venue_was_killed(
    page: Page, tmp_path: Path
) -> None:
    data_dir = tmp_path / "venue"
    with venue_process(data_dir, "--no-bots", "--no-fix") as venue:
        marker = venue.wait_until_ready()
        terminal = Terminal(page, marker["rest"], data_dir)
        await terminal.open(scheme="dark")
        await terminal.sign_in_as_demo()
        async with counterparty(data_dir) as other:
            await _place(page, "60000", "0.5")
            await other.orders.place(
                symbol="BTC-USD", side="sell", type="limit", quantity="0.2", price="60000"
            )
        await terminal.show("Executions")
        await page.becomes(SEQUENCE, "2")
        assert await page.text(RESUMES) == "0"
        venue.process.kill()
        venue.process.wait()
        await page.wait('[data-testid="connection"]:text-is("Reconnecting")')
        await page.wait("role=button[name='No connection']")
        await page.shot(SHOTS, "reconnecting")
    ports = marker["ports"]
    same = (
        *("--grpc-port", str(ports["grpc"]), "--admin-port", str(ports["admin"])),
        *("--metrics-port", str(ports["metrics"]), "--rest-port", str(ports["rest"])),
        *("--http-port", str(ports["http"])),
    )
    with venue_process(data_dir, "--no-bots", "--no-fix", ports=same):
        # While the page was away, somebody traded with its order.
        async with counterparty(data_dir) as other:
            await other.orders.place(
                symbol="BTC-USD", side="sell", type="limit", quantity="0.1", price="60000"
            )
        await page.wait(LIVE)
        await page.becomes(SEQUENCE, "3")
        await page.becomes(RESUMES, "1")
        assert await page.text(MISSING) == "0"
        assert await page.texts(f"{EXECUTIONS} td:first-child") == ["3", "2", "1"]
        # Nor is anything missing of the market.
        await page.eventually(
            lambda: page.texts(".trade-row .figure:nth-child(2)"), ["0.100000", "0.200000"]
        )
        await page.becomes(".day-figures dd >> nth=3", "0.30 BTC")
        await page.shot(SHOTS, "resumed")
        await terminal.show("Open orders")
        await page.wait(f"{OPEN_ORDERS}:has-text('0.3 (60%)')")
        # It does not only show, it trades.
        await _place(page, "59000", "0.1")
        await page.click("role=button[name='Cancel Buy 0.5 BTC-USD at 60,000']")
        await page.wait(f"{OPEN_ORDERS}:has-text('60,000.00')", state="detached")
        await terminal.show("Executions")
        await page.becomes(SEQUENCE, "5")
        assert await page.text(MISSING) == "0"
    problems = await page.problems()
    assert (problems["policy"], problems["outside"]) == ([], [])


async def _place(page: Page, price: str, quantity: str) -> None:
    await page.fill("#price", price)
    await page.fill("#quantity", quantity)
    await page.click(SUBMIT)
    await page.wait(f"{TOAST}:has-text('Buy {quantity} BTC-USD at {int(price):,}')")


async def test_a_key_that_may_only_read_sees_and_cannot_trade_until_it_is_revoked(
    terminal: Terminal, other: Client
) -> None:
    page = terminal.page
    created = await other.keys.create(algorithm="hmac_sha256", scopes=["read"])
    await terminal.open()
    await page.fill("#api-key", created.key.api_key)
    await page.do("check", at="input[value=hmac]")
    await page.fill("#secret", created.secret)
    await page.click("role=button[name='Sign in']")
    await page.becomes(".account-name", "demo-2")
    await page.wait("text=This key may read and not trade")
    assert await page.do("count", at=SUBMIT) == 0
    assert await page.barriers() == []
    await other.keys.revoke(created.key.api_key)
    await page.wait(".banner.ended:has-text('The connection has ended')")
    await page.becomes('[data-testid="connection"]', "Ended")
    assert await page.barriers() == []
    await page.shot(SHOTS, "ended")
    await page.click("role=button[name='Sign in again']")
    await page.wait("role=button[name='Sign in']")
    problems = await page.problems()
    assert (problems["policy"], problems["outside"]) == ([], [])
