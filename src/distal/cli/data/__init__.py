"""`distal data`: making data sets and looking at them, a file a verb; imports nothing heavy."""

from distal.cli.data.splits import splits

__all__ = ["splits"]
