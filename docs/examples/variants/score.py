"""
Score the variants of a file
============================

``distal score`` predicts REF and ALT of every variant on every track, accounts for every row of the file, and goes on
where it stopped when it was stopped.
"""

# %%
# Four substitutions of *HNF4A*'s P2 promoter that were found in families with diabetes of the young, and one row that
# does not fit the genome. ``--dry-run`` says beforehand what a run would take and which rows would not be scored.
from importlib.resources import files
from pathlib import Path

from distal.cli.notebook import run

fasta = files("distal") / "demo" / "GRCh37_chr20_HNF4A.fa.gz"
Path("mody.vcf").write_text("""##fileformat=VCFv4.2
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
chr20\t42984253\tc.-192C>G\tC\tG\t.\t.\t.
chr20\t42984264\tc.-181G>A\tG\tA\t.\t.\t.
chr20\t42984276\tc.-169C>T\tC\tT\t.\t.\t.
chr20\t42984299\tc.-146T>C\tT\tC\t.\t.\t.
chr20\t42984300\twrong\tT\tC\t.\t.\t.
""")
run(f"distal score --model basenji2-mini --fasta {fasta} --vcf mody.vcf --dry-run")

# %%
# The run itself. ``SAD`` is ALT minus REF summed over the model's output, ``SAR`` the log of their ratio, summed; with
# ``--rc`` both strands are averaged. Beside the HDF5 file in the published schema stand a VCF and a table.
run(f"""distal score --model basenji2-mini --fasta {fasta} --vcf mody.vcf --out mody --rc
        --scores SAD,SAR,SAD_501 --formats h5,vcf,parquet""")

# %%
# The scores as a table
# ---------------------
# A row for each variant and track; here those on which the four variants have the largest effects nearby, over 501 bp.
import polars as pl

scores = pl.read_parquet("mody/parquet/chr20.parquet").filter(pl.col("status") == "scored")
scores.sort(pl.col("SAD_501").abs(), descending=True).head(8)

# %%
# REF and ALT as tracks
# ---------------------
# The strongest substitution that was measured in this promoter, over 12 kb around it.
import distal
from distal import plots
from distal.incremental import Incremental
from distal.scoring.sides import both_alleles

model, genome = distal.load("enformer-mini"), distal.Genome(fasta)
variant = distal.Variant.parse("chr20:42984307:T>C")
sides = both_alleles(
    Incremental(model), genome, variant, model.tracks.select("assay=DNASE biosample~HepG2")
)
bins = model.window.bins_touching(variant.interval.resize(12_000), sides.ref.interval)
part = distal.Interval(
    "chr20", *(sides.ref.interval.start + edge * 128 for edge in (bins.start, bins.stop))
)
plots.alleles(sides.ref.over(part), sides.alt.over(part), variant, f"enformer-mini: {variant}")
