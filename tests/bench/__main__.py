"""Runs every benchmark: `python -m tests.bench [engine|orders ...]`."""

import sys

from tests.bench import engine, orders

BENCHES = {"engine": engine.main, "orders": orders.main}

if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHES:
        print(f"== {name}")
        BENCHES[name]()
