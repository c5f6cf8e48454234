"""Venues for what needs one: those of the integration tests."""

from tests.integration.conftest import clock, complaints, data_dir, venue

__all__ = ["clock", "complaints", "data_dir", "venue"]
