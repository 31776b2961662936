"""The read side: the journal projected into SQL, and every query that API and page need.

It follows the journal with a consumer of its own and never touches the worker. `projection.py` writes, `queries/`
reads; neither API nor page contains SQL.
"""
