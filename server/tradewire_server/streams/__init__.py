"""The streams: replay from the journal, then live, without gap or duplicate."""
