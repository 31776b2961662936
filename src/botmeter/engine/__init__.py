"""Turns records into transactions: batches, tasks, the commit protocol, restore and the local store.

It does not depend on Faust, the web or the terminal.
"""
