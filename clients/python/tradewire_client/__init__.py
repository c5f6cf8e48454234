"""The Python client of the Tradewire trading API."""
