"""One account's history, read from the topics themselves: its state, its statements, why a session was charged.

`log.py` reads; `statement.py` and `explanation.py` are pure. Queries over all accounts, or within milliseconds, are for
the read side.
"""
