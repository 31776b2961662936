"""May the bot answer? An in-memory view of the journal with its own reader; it knows how fresh it is."""
