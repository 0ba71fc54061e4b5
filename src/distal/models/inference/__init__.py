"""The models as they run fastest: predictions, and what a change of the sequence does to them; knows no genome."""

from distal.models.inference.arithmetic import EXACT, TF32, Arithmetic, bf16
from distal.models.inference.convolution import Job, Tower
from distal.models.inference.networks import Change, Network, network

__all__ = ["EXACT", "TF32", "Arithmetic", "Change", "Job", "Network", "Tower", "bf16", "network"]
