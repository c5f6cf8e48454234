"""The journal: the durable, ordered record of what the engine decided."""
