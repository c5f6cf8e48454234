"""The matching engine: pure, integers only, commands in and events out; no clock, no I/O, no
protobuf.

- `decimals`, `instrument`: exact text to integers and back; the rules of an instrument
- `commands`, `events`: what can be asked, what happened
- `order`, `book`: one order and its life cycle; resting orders by price and time
- `matching`: what an incoming order meets
- `ledger`: balances, positions, fees
- `state`: everything that is folded, and its snapshot
- `decide`: command to events, changing nothing; the rules in `placing`, `working`, `administration`
- `fold`: event into state, deciding nothing
"""
