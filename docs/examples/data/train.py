"""
Train a model
=============

``distal train`` trains from a TOML file, on one device or many, and goes on where it stopped. The model folder that it
writes predicts from the first validation on. :doc:`/training` has every key.
"""

# %%
# Something to learn: the DNase signal that a model predicts for the locus, over windows of 16,384 bp.
from importlib.resources import files
from pathlib import Path

from distal.cli.notebook import run

fasta = files("distal") / "demo" / "GRCh37_chr20_HNF4A.fa.gz"
run(f"""distal predict --model basenji2-mini --fasta {fasta}
        --regions chr20:42,700,001-43,300,000 --tracks "assay=DNASE biosample=HepG2"
        --out hepg2.bw""")
Path("one.txt").write_text(
    "\tidentifier\tfile\tclip\tscale\tsum_stat\tdescription\n0\tx\thepg2.bw\t32\t1\tmean\tDNASE:HepG2\n"
)
Path("covered.bed").write_text("chr20\t42700000\t43300000\n")
run(f"""distal data splits --fasta {fasta} --out one.bed --within covered.bed --valid 0.2
        --test 0.1 --piece-bp 98304 --input-bp 16384 --bins 96 --own-bp 12288
        --train-stride-bp 6144""")
run(f"""distal data build --fasta {fasta} --targets one.txt --splits one.bed --input-bp 16384
        --bins 96 --out one""")

# %%
# A small Basenji2 and a short run: what is missing here has the paper's value.
Path("small.toml").write_text("""
name = "small"
steps = 30
batch = 4
[model]
family = "basenji2"
[model.architecture]
stem = 24
tower_first = 24
dilated_layers = 3
dilated = 16
final = 48
input_bp = 16384
bins = 96
[data]
human = "one"
[optimizer]
lr = 5e-3
warmup = 5
[validation]
every = 15
""")
run("distal train small.toml --out runs")

# %%
# The log has a line a step.
import json

from distal.plots.style import Figure

lines = [json.loads(line) for line in Path("runs/log.jsonl").read_text().splitlines()]
steps = [line for line in lines if "loss" in line]
figure = Figure(figsize=(6, 2.8), layout="constrained")
axes = figure.subplots()
axes.plot([line["step"] for line in steps], [line["loss"] for line in steps], color="#0072B2")
axes.set_xlabel("step")
axes.set_ylabel("Poisson loss")
figure

# %%
# The folder is a model like any other.
run("distal models info runs/small")
