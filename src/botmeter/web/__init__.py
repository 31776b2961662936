"""Admin > Billing over HTTP: page, API, who may see what. Reads the read side, writes commands, decides nothing."""
