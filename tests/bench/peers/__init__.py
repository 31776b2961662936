"""Other engines that do the same job, or the least part of it."""
