"""Charts as SVG from the server: they need no script, follow the page's colours, and scale with its text."""
