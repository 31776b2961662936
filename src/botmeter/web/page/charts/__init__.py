"""Charts as SVG from the server: they need no script, use the page's colours, and scale with its text."""
