"""The page on Envoy names the bounds and reasons that the configuration has."""

import re
from pathlib import Path
from typing import Any

import yaml
from tradewire_envoy.render import template_path
from tradewire_envoy.restarts import RestartPolicy

README = (Path(__file__).parents[3] / "envoy" / "README.md").read_text()


def _reasons(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["reason"]} if "reason" in node else set()
        return own.union(*map(_reasons, node.values()))
    if isinstance(node, list):
        return set().union(*map(_reasons, node))
    return set()


def test_the_table_of_answers_is_whole() -> None:
    table = README.partition("## What Envoy answers by itself")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+|INTERNAL|OVERLOADED)`", table))
    assert named == _reasons(yaml.safe_load(template_path().read_text()))


def test_the_bounds_are_those_of_the_file() -> None:
    text = template_path().read_text()
    for bound, words in (
        ("max_concurrent_streams: 100", "HTTP/2 connection | 100 |"),
        ("max_active_downstream_connections: 16000", "Connections | 16,000 |"),
        ("max_heap_size_bytes: 4294967296", "Memory of Envoy | 4 GiB"),
        ("listener_filters_timeout: 10s", "nothing has been sent | 10 s |"),
        ("request_timeout: 15s", "come in whole within 15 s"),
        ("stream_flush_timeout: 10s", "next part of a complete answer | 10 s |"),
        ("max_tokens: 200, tokens_per_fill: 2,", "20 documents/s (200 at once)"),
        ("max_tokens: 400, tokens_per_fill: 10,", "100 large bodies/s (400 at once)"),
        ("stream_idle_timeout: 60s", "streams excepted | 60 s |"),
        ("idle_timeout: 120s", "Idle connection | 120 s |"),
        ("max_headers_count: 100", "or more than 100 |"),
        ("max_tokens: 4000", "(4,000 at once)"),
        ("value: 25S", "a deadline of 25 s"),
        ("max_response_body_size: 4194304", "larger than 4 MiB"),
    ):
        assert bound in text, bound
        assert words in README, words


def test_so_is_how_it_is_looked_after() -> None:
    policy = RestartPolicy()
    assert (policy.first_delay_s, policy.delay_max_s, policy.unready_max_s) == (0.1, 10, 10)
    assert "does not answer for ten seconds" in README
    assert "after 0.1 s and then twice as long each time, up to 10 s" in README
