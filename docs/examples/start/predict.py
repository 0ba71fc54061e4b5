"""
Predict tracks over a locus
===========================

``distal predict`` reads a genome around a region and writes what a model expects there: accessibility (DNASE),
transcription start sites (CAGE), RNA.
"""

# %%
# The genome here is a piece of human chr20 around *HNF4A* that ships with distal; any FASTA or 2bit file will do.
# Regions in text count from 1 and include both ends.
from importlib.resources import files

from distal.cli.notebook import run

fasta = files("distal") / "demo" / "GRCh37_chr20_HNF4A.fa.gz"
run(f"""distal predict --model enformer-mini --fasta {fasta}
        --regions chr20:42,950,001-43,080,048
        --tracks "assay=DNASE,CAGE biosample~HepG2,renal" --rc --out locus.h5""")

# %%
# From Python
# -----------
# The same values as `Tracks`, one row a bin of 128 bp and one column a track. Numbers count from 0 and leave the end out.
import distal
from distal import plots

model, genome = distal.load("enformer-mini"), distal.Genome(fasta)
locus = distal.Interval("chr20", 42_950_000, 43_080_048)
(tracks,) = distal.predict(
    model, genome, [locus], "assay=DNASE,CAGE biosample~HepG2,renal", rc=True
)
tracks

# %%
# The shaded place is the promoter that *HNF4A* uses in the pancreas.
genes = distal.Genes.read(fasta.parent / "genes.bed")
exons = {
    gene.name: [distal.Interval("chr20", start, end, gene.strand) for start, end in gene.exons]
    for gene in genes.touching(locus)
}
promoter = distal.Interval.from_ucsc("chr20:42,984,160-42,984,444")
plots.tracks(tracks, "enformer-mini at HNF4A", exons, [promoter])

# %%
# A file for a genome browser
# ---------------------------
# One bigWig for each track; regions wider than what a model says are tiled.
run(f"""distal predict --model basenji2-mini --fasta {fasta}
        --regions chr20:42,900,001-43,100,000 --tracks "assay=DNASE biosample~HepG2"
        --out hepg2.bw""")
