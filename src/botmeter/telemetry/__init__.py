"""What operators see of a running botmeter: metrics, logs and traces."""
