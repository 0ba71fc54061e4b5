"""From variants to scores, and from scores to components."""
