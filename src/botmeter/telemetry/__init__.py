"""What operators see of a running botmeter: the table of all metrics, and how it is served."""
