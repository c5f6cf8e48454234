"""Replay: a recording of a real exchange goes through the API, and what comes out is compared with
what was recorded.
"""
