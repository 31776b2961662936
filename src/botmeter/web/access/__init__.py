"""Authentication and authorization of callers: roles, tokens, cookies, logins."""
