"""Admin > Billing as HTML: what the read side answers, put into words, charts and forms."""
