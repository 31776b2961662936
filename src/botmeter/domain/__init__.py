"""The rules, pure: no clock, no randomness, no input or output; standard library only.

Read `account.py` top to bottom; `sessions.py` holds the 24-hour windows, `cycles.py` the calendar.
"""
