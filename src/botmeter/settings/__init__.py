"""Settings: what there is (`model`), where it is read from (`load`), what is said of it (`page`)."""
