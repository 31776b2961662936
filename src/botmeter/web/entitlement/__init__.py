"""May the bot answer? A view of the journal in memory, fed by a reader of its own, that knows how fresh it is."""
