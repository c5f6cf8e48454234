"""Envoy as part of a venue: its configuration with a venue's ports and files, and its process."""
