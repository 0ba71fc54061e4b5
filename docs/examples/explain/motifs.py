"""
Known motifs under the important bases
======================================

``distal motifs`` looks for the motifs of a MEME file under the peaks of contributions, and says how much of each peak a
motif explains.
"""

# %%
# Contributions to the DNase signal of HepG2 at *HNF4A*'s promoter.
from importlib.resources import files
from pathlib import Path

from distal.cli.notebook import run

fasta = files("distal") / "demo" / "GRCh37_chr20_HNF4A.fa.gz"
run(f"""distal contributions --model enformer-mini --fasta {fasta}
        --target chr20:42,984,160-42,984,444 --tracks "assay=DNASE biosample~HepG2"
        --method grad-centred --out hepg2.h5""")

# %%
# Motifs in MEME's format. Collections such as HOCOMOCO's or JASPAR's have hundreds; here are four consensus sequences,
# written as matrices in which other letters are rare.
consensus = {
    "HNF1": "GTTAATGATTAAC",
    "FOXA": "TGTTTACTTT",
    "HNF4": "CAAAGTCCA",
    "SP1": "GGGGCGGGG",
}
blocks = ["MEME version 4\n\nALPHABET= ACGT\n"]
for name, word in consensus.items():
    rows = "\n".join(
        " ".join("0.94" if letter == one else "0.02" for one in "ACGT") for letter in word
    )
    blocks.append(
        f"MOTIF {name}\nletter-probability matrix: alength= 4 w= {len(word)} nsites= 100\n{rows}\n"
    )
Path("four.meme").write_text("\n".join(blocks))
run("""distal motifs --contributions hepg2.h5 --meme four.meme --out hits.tsv --p-value 1e-3
        --modisco modisco --figure motifs.png""")

# %%
# A line a hit, from the most important peak on. A motif says what letters resemble; the logo says what the model used.
import polars as pl

pl.read_csv("hits.tsv", separator="\t").head(6)
