"""The place in a numbered sequence: what came last, and whether what comes next continues it.

Executions and ledger entries of an account are numbered 1, 2, 3, ... without a gap, across
disconnects and restarts of the venue. That promise is worth something only if somebody checks it,
so each number that arrives passes through here, whichever stream it came with.
"""

from __future__ import annotations

from tradewire_client._errors import JournalChanged, SequenceGap, SequenceRepeated


class Cursor:
    """The last number received, None before the place is known."""

    def __init__(self, what: str, *, last: int | None, journal_id: str) -> None:
        self._what = what
        self.last = last
        self.journal_id = journal_id

    def advance(self, number: int) -> None:
        """Take the next number.

        Raises:
            SequenceGap: numbers before it are missing.
            SequenceRepeated: it came before.
        """
        if self.last is not None:
            if number > self.last + 1:
                raise SequenceGap(self._what, last_sequence=self.last, received=number)
            if number <= self.last:
                raise SequenceRepeated(self._what, last_sequence=self.last, received=number)
        self.last = number

    def confirm(self, as_of: int) -> None:
        """Take the word of the venue that everything up to a number was sent.

        Raises:
            SequenceGap: it was not.
        """
        if self.last is None:
            self.last = as_of
        elif as_of > self.last:
            raise SequenceGap(self._what, last_sequence=self.last, received=as_of + 1)

    def restart(self, as_of: int) -> None:
        """Go on from a snapshot."""
        self.last = as_of

    def check_journal(self, journal_id: str) -> None:
        """Compare the identity of the journal, or learn it.

        Raises:
            JournalChanged: it is another one.
        """
        if not self.journal_id:
            self.journal_id = journal_id
        elif journal_id and journal_id != self.journal_id:
            raise JournalChanged(
                expected=self.journal_id, received=journal_id, last_sequence=self.last
            )
