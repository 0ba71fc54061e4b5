"""`distal data`: making data sets and looking at them, a file a verb; imports nothing heavy."""

from distal.cli.data.build import build
from distal.cli.data.distil import distil
from distal.cli.data.info import info
from distal.cli.data.overlap import lift, overlap
from distal.cli.data.records import import_tfrecords
from distal.cli.data.splits import splits

__all__ = ["build", "distil", "import_tfrecords", "info", "lift", "overlap", "splits"]
