"""Connections are open files, and the system bounds them."""

import logging
import resource
from dataclasses import replace
from pathlib import Path

import pytest
from tradewire_envoy.process import with_files_allowed
from tradewire_envoy.render import EnvoySettings

SETTINGS = replace(EnvoySettings.beside(Path("/venue")), connections_max=16_000)


@pytest.mark.parametrize(
    ("files_max", "connections"),
    [
        (20_000, 16_000),
        (1_000_000, 16_000),
        (resource.RLIM_INFINITY, 16_000),
        (19_999, 15_999),
        (10_000, 6_000),
        (4_096, 2_048),
        (256, 128),
    ],
)
def test_there_are_never_more_connections_than_files(files_max: int, connections: int) -> None:
    assert with_files_allowed(SETTINGS, files_max=files_max).connections_max == connections


def test_fewer_than_asked_for_are_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        with_files_allowed(SETTINGS, files_max=20_000)
        assert caplog.text == ""
        with_files_allowed(SETTINGS, files_max=10_000)
    assert "6000 connections, not 16000" in caplog.text
