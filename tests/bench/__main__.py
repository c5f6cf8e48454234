"""Runs every benchmark: `python -m tests.bench [engine|orders|rest|fix|ws ...]`."""

import sys

from tests.bench.engine import main as engine_main
from tests.bench.fix import main as fix_main
from tests.bench.orders import main as orders_main
from tests.bench.rest import main as rest_main
from tests.bench.ws import main as ws_main

BENCHES = {
    "engine": engine_main,
    "orders": orders_main,
    "rest": rest_main,
    "fix": fix_main,
    "ws": ws_main,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHES:
        print(f"== {name}")
        BENCHES[name]()
