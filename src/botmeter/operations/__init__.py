"""What operators look at and mend: dead letters, and the whole installation."""
