"""Who asks, what they may see and do, and how they prove it: roles, tokens, cookies, logins."""
