"""The README's session runs as it is printed, on the locus that ships with distal."""

import re
from pathlib import Path

from distal.cli.demo import FASTA

ROOT = Path(__file__).parents[1]
VCF = """##fileformat=VCFv4.2
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
chr20\t42984264\tMODY1\tG\tA\t.\t.\t.
chr20\t42984265\twrong\tN\tA\t.\t.\t.
"""


def test_the_session_runs(tmp_path, monkeypatch, capsys):
    (session,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "variants.vcf").write_text(VCF)
    monkeypatch.chdir(tmp_path)
    exec(session.replace("hg19.fa.gz", str(FASTA)), {})
    predicted, scored = capsys.readouterr().out.splitlines()
    assert predicted.endswith("(10, 1)")  # 1,280 bp are ten bins of 128 bp; one DNase track of HepG2
    assert "'scored': 1" in scored
