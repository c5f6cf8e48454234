"""The bots themselves: loops around the SDK that outlive refusals, outages and each other.

The maker quotes a ladder around a random walk through an order entry stream whose orders are
canceled with it. It leans against its inventory, and so do the takers in the choice of their side:
what one of them gains today it gives back tomorrow, and nobody runs dry. All waits are bounded from
below, so a bot costs a bounded number of commands per second.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from random import Random

from tradewire_client import (
    Client,
    Instrument,
    OrderAnswer,
    OrderEntry,
    TradewireError,
)

from tradewire_server.cli.bots.quotes import (
    Ladder,
    Place,
    Quote,
    Shape,
    Side,
    Slot,
    wanted_quotes,
)
from tradewire_server.cli.bots.walk import PriceWalk

logger = logging.getLogger("tradewire.bots")

Sleep = Callable[[float], Awaitable[None]]

QUOTE_INTERVAL_S = 1.0
TAKE_INTERVAL_S = (0.5, 3.0)
RECOVERY_S = 2.0
EXECUTIONS_HELD = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketPlan:
    """One instrument as the bots trade it, in decimals as people think of it."""

    symbol: str
    anchor: Decimal
    step: Decimal
    spread: Decimal
    gap: Decimal
    quantity: Decimal
    levels: int = 8


class Units:
    """Between ticks and lots, in which bots count, and the decimals of the API."""

    def __init__(self, instrument: Instrument) -> None:
        self._tick = instrument.tick_size
        self._lot = instrument.lot_size

    def ticks(self, price: Decimal) -> int:
        """Return a price in ticks, rounded down."""
        return int(price / self._tick)

    def lots(self, quantity: Decimal) -> int:
        """Return a quantity in lots, rounded down."""
        return int(quantity / self._lot)

    def price(self, ticks: int) -> Decimal:
        """Return a price for the API."""
        return ticks * self._tick

    def quantity(self, lots: int) -> Decimal:
        """Return a quantity for the API."""
        return lots * self._lot


class Maker:
    """Quotes one instrument."""

    def __init__(self, client: Client, plan: MarketPlan, *, random: Random, sleep: Sleep) -> None:
        self._client = client
        self._plan = plan
        self._random = random
        self._sleep = sleep

    async def run(self) -> None:
        """Quote until canceled; an outage is waited for."""
        units = Units(await self._client.market.instrument(self._plan.symbol))
        plan = self._plan
        walk = PriceWalk(
            units.ticks(plan.anchor), step_ticks=units.ticks(plan.step), random=self._random
        )
        shape = Shape(
            levels=plan.levels,
            spread_ticks=units.ticks(plan.spread),
            gap_ticks=units.ticks(plan.gap),
            quantity_lots=units.lots(plan.quantity),
            tolerance_ticks=units.ticks(plan.step),
        )
        async with self._client.orders.enter(
            cancel_on_disconnect=True, execution_buffer=EXECUTIONS_HELD
        ) as entry:
            ladder = Ladder(shape)
            inventory = _Inventory(shape.quantity_lots, units)
            follower = asyncio.create_task(self._follow(entry, ladder, inventory))
            try:
                while not follower.done():
                    skew = inventory.skew(shape.spread_ticks)
                    wanted = wanted_quotes(
                        shape, walk.advance(), skew_ticks=skew, random=self._random
                    )
                    self._send(entry, ladder, units, wanted)
                    await self._sleep(QUOTE_INTERVAL_S)
            finally:
                follower.cancel()
                await asyncio.gather(follower, return_exceptions=True)

    def _send(
        self, entry: OrderEntry, ladder: Ladder, units: Units, wanted: dict[Slot, Quote]
    ) -> None:
        for action in ladder.actions(wanted):
            if isinstance(action, Place):
                reply = entry.place(
                    symbol=self._plan.symbol,
                    side=action.slot.side,
                    type="limit",
                    price=units.price(action.quote.price),
                    quantity=units.quantity(action.quote.quantity),
                    post_only="reject",
                )
            else:
                reply = entry.amend(action.order_id, price=units.price(action.price))
            reply.add_done_callback(partial(_answered, ladder, units, action.slot))

    async def _follow(self, entry: OrderEntry, ladder: Ladder, inventory: "_Inventory") -> None:
        async for execution in entry.executions():
            if execution.order.symbol != self._plan.symbol:
                continue
            if execution.last_quantity is not None:
                inventory.traded(execution.order.side.name, execution.last_quantity)
            if not execution.order.leaves_quantity:
                ladder.ended(execution.order.order_id)


class _Inventory:
    """What the maker has bought and not sold, in lots, since it began."""

    # An inventory of so many best quotes moves the ladder by one spread.
    QUOTES_PER_SPREAD = 50

    def __init__(self, quantity_lots: int, units: Units) -> None:
        self._scale = quantity_lots * self.QUOTES_PER_SPREAD
        self._units = units
        self._lots = 0

    def traded(self, side: str, quantity: Decimal) -> None:
        """Take a trade of the maker's order."""
        lots = self._units.lots(quantity)
        self._lots += lots if side == "BUY" else -lots

    def skew(self, spread_ticks: int) -> int:
        """Return by how much to move the ladder: down when there is too much."""
        return -self._lots * spread_ticks // self._scale


def _answered(
    ladder: Ladder, units: Units, slot: Slot, reply: "asyncio.Future[OrderAnswer]"
) -> None:
    if reply.cancelled() or reply.exception() is not None:
        # Post-only orders that would trade are rejected, amends come too late: the next round asks
        # for what is right then.
        ladder.failed(slot)
        return
    answer = reply.result()
    if answer.leaves_quantity and answer.price is not None:
        ladder.working(slot, answer.order_id, units.ticks(answer.price))
    else:
        ladder.failed(slot)


class Taker:
    """Trades at random with whatever is in the book."""

    def __init__(self, client: Client, plan: MarketPlan, *, random: Random, sleep: Sleep) -> None:
        self._client = client
        self._plan = plan
        self._random = random
        self._sleep = sleep
        self._inventory = 0

    async def run(self) -> None:
        """Trade until canceled; refusals and rejections are taken as they come."""
        units = Units(await self._client.market.instrument(self._plan.symbol))
        largest = units.lots(self._plan.quantity)
        while True:
            await self._sleep(self._random.uniform(*TAKE_INTERVAL_S))
            lots = self._random.randint(max(1, largest // 20), largest)
            await self._trade(units, self._side(largest), lots)

    def _side(self, largest: int) -> Side:
        """Choose a side, the likelier one being that which brings the inventory back."""
        bias = max(-40, min(40, self._inventory * 2 // largest))
        return "buy" if self._random.randint(0, 99) >= 50 + bias else "sell"

    async def _trade(self, units: Units, side: Side, lots: int) -> None:
        try:
            answer = await self._client.orders.place(
                symbol=self._plan.symbol, side=side, type="market", quantity=units.quantity(lots)
            )
        except TradewireError as error:
            logger.debug("a taker's order was not done: %s", error)
            await self._sleep(RECOVERY_S)
            return
        filled = units.lots(answer.filled_quantity)
        self._inventory += filled if side == "buy" else -filled


async def keep_running(bot: Maker | Taker, *, sleep: Sleep) -> None:
    """Run a bot again when it ends with an error of the venue."""
    while True:
        try:
            await bot.run()
        except TradewireError as error:
            logger.info("a bot starts again: %s", error)
        await sleep(RECOVERY_S)
