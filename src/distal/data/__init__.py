"""Training data: reading it, and turning it into batches."""
