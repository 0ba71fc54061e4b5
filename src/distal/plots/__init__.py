"""Figures of tracks, alleles, sequence logos and mutagenesis; knows values and positions, not how they were made.

Every function returns a matplotlib `Figure` (or draws on the axes that it is given) and touches no global state: no
pyplot, no rcParams left changed, any thread, no display needed.
"""

from distal.plots.arcs import Arc, arcs
from distal.plots.benchmarks import Mark, intervals
from distal.plots.distances import by_distance
from distal.plots.logos import WRAP_BP, Effects, logo, mutagenesis
from distal.plots.panels import Genes
from distal.plots.scatters import scatter
from distal.plots.signals import alleles, differences, tracks
from distal.plots.style import COLOURS, LETTERS, Figure, save, svg

__all__ = [
    "COLOURS",
    "LETTERS",
    "WRAP_BP",
    "Arc",
    "Effects",
    "Figure",
    "Genes",
    "Mark",
    "alleles",
    "arcs",
    "by_distance",
    "differences",
    "intervals",
    "logo",
    "mutagenesis",
    "save",
    "scatter",
    "svg",
    "tracks",
]
