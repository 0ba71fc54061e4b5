"""
What every base contributes
===========================

``distal contributions`` shares a prediction out over the bases that the model read: by gradients, integrated gradients,
mutagenesis, or where a transformer looks. :doc:`/contributions` says what each of them means.
"""

# %%
# The start site of *HNF4A*, for its CAGE tracks: centred gradients of both strands, one pass forward and one back each.
from importlib.resources import files

from distal.cli.notebook import run

fasta = files("distal") / "demo" / "GRCh37_chr20_HNF4A.fa.gz"
run(f"""distal contributions --model enformer-mini --fasta {fasta}
        --target chr20:42,984,160-42,984,444 --tracks assay=CAGE --method grad-centred --rc
        --out hnf4a.h5 --bigwig hnf4a.bw --figure hnf4a.png""")

# %%
# Where the transformer looks from there.
run(f"""distal contributions --model enformer-mini --fasta {fasta}
        --target chr20:42,984,160-42,984,444 --tracks assay=CAGE --method attention
        --out attention.h5 --figure attention.png""")

# %%
# From Python
# -----------
# Two methods over the same 20 bases. Mutagenesis is what the model really does with each change.
import numpy as np

import distal

model, genome = distal.load("basenji2-mini"), distal.Genome(fasta)
target = distal.Interval.from_ucsc("chr20:42,984,160-42,984,444")
region = distal.Interval.from_ucsc("chr20:42,984,295-42,984,314")
found = {
    method: distal.contributions(model, genome, target, "assay=CAGE", region, method).actual()
    for method in ("grad-centred", "ism")
}
print(f"Pearson's r {np.corrcoef(found['grad-centred'], found['ism'])[0, 1]:.2f}")
