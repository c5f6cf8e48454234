"""Fuzzing guided by coverage; `make fuzz` runs it at length."""
