"""A process that appends batches until it is killed or a write fails, and says what was durable.

Run as `python -m tests.unit.server.journal.writer DIRECTORY [FILE_SIZE_LIMIT]`. Each line of its
output is the last event of a batch whose append returned; the exit code is the journal's.
"""

import os
import resource
import signal
import sys
from pathlib import Path

from tradewire_server.journal.errors import JournalError

from tests.unit.server.journal.batches import fill, open_journal


def main() -> int:
    directory = Path(sys.argv[1])
    if len(sys.argv) > 2:
        limit = int(sys.argv[2])
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        journal = open_journal(directory)
        snapshots = 0
        while True:
            (batch,) = fill(journal, 1, events=1 + journal.last_event() % 7)
            os.write(1, f"{batch.last_event}\n".encode())
            if batch.last_event // 100 > snapshots:
                snapshots += 1
                journal.write_snapshot(batch.last_event, batch.time_ns, b"", b"state" * 100)
    except JournalError as error:
        os.write(2, f"{error}\n".encode())
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
