"""
In which cell types does a trait act?
=====================================

``distal disease enrich`` compares the predicted effects of a trait's variants with those of variants like them, cell
type by cell type, by permutation and with false discovery rates.
"""

# %%
# The variants of a panel, scored once. Here: a substitution every 150 bp of 12 kb around *HNF4A*'s promoter. The panel,
# and the trait below, are invented: they show what goes in and what comes out.
from importlib.resources import files
from pathlib import Path

import distal
from distal.cli.notebook import run

demo = files("distal") / "demo"
genome = distal.Genome(demo / "GRCh37_chr20_HNF4A.fa.gz")
rows = []
for at in range(42_978_300, 42_990_300, 150):
    ref = genome.fetch(distal.Interval("chr20", at, at + 1))
    rows.append(
        f"chr20\t{at + 1}\tsnp{len(rows)}\t{ref}\t{'ACGT'[('ACGT'.index(ref) + 1) % 4]}\t.\t.\tAF={0.1 + at % 7 / 20}\n"
    )
head = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
Path("panel.vcf").write_text(head + "".join(rows))
run(f"""distal score --model basenji2-mini --fasta {genome.path} --vcf panel.vcf --out panel
        --formats h5 --share-reference 4096 --tracks assay=DNASE,ATAC""")

# %%
# A trait: variants and what they weigh, such as the probabilities of fine mapping. Ours lie at the promoter.
near = [row.split("\t")[2] for row in rows if abs(int(row.split("\t")[1]) - 42_984_300) < 1_000]
Path("trait.tsv").write_text(
    "id\tpip\n" + "".join(f"{name}\t{0.9 - i / 20:.2f}\n" for i, name in enumerate(near))
)
run("""distal disease enrich --scores panel --trait trait.tsv --weight pip --maf panel.vcf
        --out trait --controls 10 --permutations 999""")
