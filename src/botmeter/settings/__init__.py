"""Settings: their definitions (`model`), reading them (`load`), and their documentation (`page`)."""
