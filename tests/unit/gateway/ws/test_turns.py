"""Whose turn it is when more came than is taken at once."""

import asyncio

import pytest
from tradewire_gateway.ws.addresses import Address
from tradewire_gateway.ws.turns import Turns


class Sender:
    """A connection of which `left` turns are to be taken."""

    def __init__(self, turns: Turns, address: Address, name: str, left: int, seen: list[str]):
        self.turns, self.address, self.name, self.left, self.seen = turns, address, name, left, seen

    def wait(self) -> "Sender":
        """Wait for a turn."""
        self.turns.wait(self.address, self)
        return self

    def take_turn(self) -> None:
        """Take a turn."""
        self.seen.append(self.name)
        self.left -= 1
        if self.left:
            self.wait()


async def test_addresses_take_turns_and_their_connections_do() -> None:
    turns, seen = Turns(), list[str]()
    one, other = Address("192.0.2.1"), Address("192.0.2.2")
    for name in ("a", "b", "c"):
        Sender(turns, one, name, 2, seen).wait()
    Sender(turns, other, "x", 3, seen).wait()
    assert one in turns
    assert other in turns
    for _ in range(10):
        await asyncio.sleep(0)
    assert one not in turns
    assert other not in turns
    assert "".join(seen) == "axbxcxabc"


async def test_one_turn_is_taken_each_time_the_loop_turns() -> None:
    turns, seen = Turns(), list[str]()
    for number in range(10):
        Sender(turns, Address(str(number)), str(number), 100, seen).wait()
    for count in range(20):
        assert len(seen) == count
        await asyncio.sleep(0)


async def test_a_broken_connection_takes_no_turn_of_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    turns, seen, failures = Turns(), list[str](), list[object]()
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: failures.append(context["exception"])
    )

    class Broken:
        def take_turn(self) -> None:
            """Fail."""
            raise ValueError("broken")

    turns.wait(Address("192.0.2.1"), Broken())
    Sender(turns, Address("192.0.2.2"), "x", 1, seen).wait()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert seen == ["x"]
    assert len(failures) == 1
