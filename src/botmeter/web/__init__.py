"""Admin > Billing over HTTP: page, API, access control. Reads the read side, sends commands, decides nothing itself."""
