"""Histories of whole workers on a cluster in memory, each drawn from one integer; docs/testing.md says how.

python -m histories SEED        replays one and tells what happens
"""
