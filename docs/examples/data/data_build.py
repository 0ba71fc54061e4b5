"""
From files of signal to a data set
==================================

``distal data build`` reads signal (bigWig, BAM, fragments, narrowPeak ...) over the windows and writes shards that are
read in any order; ``distal data info`` says what a data set holds and which tracks look broken.
"""

# %%
# Two bigWig files. No measured ones ship with distal: these are what a model predicts of the locus.
from importlib.resources import files
from pathlib import Path

from distal.cli.notebook import run

fasta = files("distal") / "demo" / "GRCh37_chr20_HNF4A.fa.gz"
for name in ("HepG2", "A172"):
    run(f"""distal predict --model basenji2-mini --fasta {fasta}
            --regions chr20:42,700,001-43,300,000 --tracks "assay=DNASE biosample={name}"
            --out {name}.bw""")

# %%
# The table of tracks has Basenji's columns; files are relative to it.
Path("targets.txt").write_text("""\tidentifier\tfile\tclip\tscale\tsum_stat\tdescription
0\thepg2\tHepG2.bw\t32\t1\tmean\tDNASE:HepG2
1\ta172\tA172.bw\t32\t1\tmean\tDNASE:A172
""")
Path("covered.bed").write_text("chr20\t42700000\t43300000\n")
run(f"""distal data splits --fasta {fasta} --out windows.bed --within covered.bed --valid 0.15
        --test 0.15 --piece-bp 98304 --input-bp 16384 --bins 96 --own-bp 12288""")
run(f"""distal data build --fasta {fasta} --targets targets.txt --splits windows.bed
        --input-bp 16384 --bins 96 --out locus""")

# %%
# What it holds.
run("distal data info locus --figures pictures")
