"""What turns records into transactions: batches, tasks, the commit protocol, restore and the local store.

Nothing here knows of Faust, the web or the terminal.
"""
