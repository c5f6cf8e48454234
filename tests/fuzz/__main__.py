"""Feed a target with inputs that coverage guides: `python -m tests.fuzz fix_codec --seconds 60`.

Without a name all targets run, one after the other, each in a process of its own. An input that
breaks a target is written to the folder of `--findings` and the exit code is not 0; the path of
such a file, given after the target, runs it once more.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import atheris

TARGETS = ("fix_codec", "fix_session", "fix_translate")
# Memory of the whole process: the interpreter, the contract and the corpus take about 60 MB.
MEMORY_MB = 256
_FIRST_INPUTS = 64


def _fuzz(target: str, options: argparse.Namespace) -> None:
    """Run a target; libFuzzer ends the process."""
    with atheris.instrument_imports(include=["tradewire_gateway.fix"]):
        module = import_module(f"tests.fuzz.{target}")
    flags = [
        f"-max_total_time={options.seconds}",
        f"-runs={options.runs}",
        f"-seed={options.seed}",
        f"-max_len={module.INPUT_BYTES}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-artifact_prefix={options.findings}/{target}-",
        "-timeout=10",
        # Long inputs from the beginning: short ones are short conversations.
        "-len_control=0",
        "-print_final_stats=1",
    ]
    inputs = options.inputs or [_corpus(target, options)]
    atheris.Setup([target, *flags, *map(str, inputs)], module.run)
    atheris.Fuzz()


def _corpus(target: str, options: argparse.Namespace) -> Path:
    """Return the folder of inputs worth keeping, which begins with some by chance."""
    corpus: Path = options.findings / f"{target}-corpus"
    corpus.mkdir(exist_ok=True)
    chance = random.Random(options.seed)
    for number in range(_FIRST_INPUTS):
        (corpus / f"first-{number}").write_bytes(chance.randbytes(chance.randint(16, 1024)))
    return corpus


def main() -> int:
    """Run one target here, or all as processes."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("target", nargs="?", choices=TARGETS)
    parser.add_argument("inputs", nargs="*", type=Path, help="files, or the folder of a corpus")
    parser.add_argument("--seconds", type=int, default=60, help="of each target; 0 has no end")
    parser.add_argument("--runs", type=int, default=-1, help="the number of inputs at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--findings", type=Path, default=Path("build/fuzz"))
    options = parser.parse_args()
    options.findings.mkdir(parents=True, exist_ok=True)
    if options.target is not None:
        _fuzz(options.target, options)
    codes = list[int]()
    for target in TARGETS:
        print(f"--- {target}", flush=True)
        again = [sys.executable, "-m", "tests.fuzz", target, *sys.argv[1:]]
        codes.append(subprocess.run(again, check=False).returncode)
    return max(map(abs, codes))


if __name__ == "__main__":
    sys.exit(main())
