"""Feed entries as bytes, under the journal's own name: what they are is said in `feeds`."""

from tradewire_server.feeds import TAG as TAG
from tradewire_server.feeds import EntriesMalformed as EntriesMalformed
from tradewire_server.feeds import count as count
from tradewire_server.feeds import cut as cut
from tradewire_server.feeds import split as split
from tradewire_server.feeds import take as take
from tradewire_server.feeds import wrap as wrap
