"""One account's history, read from the topics themselves: how it stands, its statements, why a session was charged.

`log.py` reads; `statement.py` and `explanation.py` are pure. What needs an answer for all accounts at once, or within
milliseconds, asks the read side.
"""
