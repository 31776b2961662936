"""Admin > Billing as HTML: results of the read side as sentences, charts and forms."""
