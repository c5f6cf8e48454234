"""The matching engine: commands in, events out, integers only and no I/O."""
