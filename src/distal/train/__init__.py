"""Training: losses, metrics, checkpoints and one loop."""
