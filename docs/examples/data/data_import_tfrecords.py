"""
Basenji's TFRecords as a data set
=================================

``distal data import-tfrecords`` turns the TFRecords that Basenji, Basenji2 and Borzoi were trained on into a data set
that is read in any order, without TensorFlow. With ``--fasta`` windows can be made longer.
"""

# %%
# A folder as Basenji writes it: records, ``statistics.json``, ``targets.txt``, ``sequences.bed``. Its signal is the
# number of G and C in each bin of 128 bp of the real sequence.
from importlib.resources import files
from pathlib import Path

import numpy as np

import distal
from distal.cli.notebook import run
from distal.io import tfrecords

fasta = files("distal") / "demo" / "GRCh37_chr20_HNF4A.fa.gz"
genome = distal.Genome(fasta)
windows = [
    distal.Interval("chr20", start, start + 16_384)
    for start in range(42_800_000, 43_000_000, 16_384)
]
splits = ["train"] * 8 + ["valid"] * 2 + ["test"] * (len(windows) - 10)
folder = Path("records")
(folder / "tfrecords").mkdir(parents=True, exist_ok=True)
for split in ("train", "valid", "test"):
    examples = []
    for window, belongs in zip(windows, splits):
        codes = genome.codes(window)
        strong = np.isin(codes, (1, 2)).reshape(-1, 128).sum(axis=1)[16:-16]
        if belongs == split:
            examples.append(tfrecords.Example(codes, strong[:, None].astype(np.float32)))
    tfrecords.write(folder / "tfrecords" / f"{split}-0.tfr", examples)
(folder / "sequences.bed").write_text(
    "".join(
        f"chr20\t{w.start + 2_048}\t{w.end - 2_048}\t{split}\n"
        for w, split in zip(windows, splits)
    )
)
(folder / "targets.txt").write_text(
    "\tidentifier\tfile\tclip\tscale\tsum_stat\tdescription\n0\tgc\tgc.bw\t999\t1\tsum\tGC:any\n"
)
(folder / "statistics.json").write_text(
    '{"num_targets": 1, "seq_length": 16384, "pool_width": 128, "crop_bp": 2048, "target_length": 96, '
    + ", ".join(
        f'"{split}_seqs": {splits.count(split)}' for split in ("train", "valid", "test")
    )
    + "}"
)

# %%
# Imported with twice as many bases around each window as the records hold.
run(f"distal data import-tfrecords records --out imported --fasta {fasta} --input-bp 32768")
run("distal data info imported")

# %%
# A window of it: the signal that was recorded, in the middle of the bases that are read now.
from distal.data import dataset
from distal.plots.style import Figure

examples = dataset.load("imported", "train", 128)
figure = Figure(figsize=(7, 2.2), layout="constrained")
axes = figure.subplots()
axes.step(range(96), examples.targets(0, 0, 96)[:, 0], color="#0072B2")
axes.set_xlabel(f"bins of 128 bp in the middle of {examples.intervals[0].to_ucsc()}")
axes.set_ylabel("G and C")
figure
