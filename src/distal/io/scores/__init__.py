"""Variant scores in HDF5, a file per chromosome; knows the published layout, not what a score means.

The layout is DeepMind's for its 1000 Genomes scores, with a status added (n variants in the VCF's order, T tracks):

=======================  ===================  =====================================================================
``snp``                  bytes [n]            ID; ``.`` where there is none
``chr`` ``ref`` ``alt``  bytes [n]            as the VCF has them, one ALT allele a row
``pos``                  uint32 [n]           1-based (what uint32 cannot hold is out of range, and its largest number)
``status``               bytes [n]            what became of the row; absent from files that others published
``target_ids``           bytes [T]            track identifiers
``target_labels``        bytes [T]            track descriptions
``SAD``, ``SAR``, ...    float16/32 [n, T]    one matrix per score; NaN in rows that were not scored
``ref_allele`` ...       bytes [n]            ``ref`` and ``alt`` under the names that Basenji gives them (hard links)
=======================  ===================  =====================================================================

On request, as Basenji has them:

======================  ===================  ======================================================================
``percentiles``         float64 [279]        0.001 to 0.099 and 0.900 to 0.999 by 0.001, between them by 0.01
``SAD_pct``, ...        float16 [T, 279]     the quantiles of a score in each track over the scored variants
======================  ===================  ======================================================================

Scores on genes lie in the group ``genes``, an entry for each of the m pairs of a variant and a gene:

======================  ===================  ======================================================================
``row``                 int64 [m]            the variant's row, ascending
``gene_id`` and _name   text [m]             as the annotation has them
``strand``              bytes [m]            ``+`` or ``-``
``tss_distance``        int32 [m]            from the gene's nearest TSS, positive downstream
``SADR_gene``, ...      float16/32 [m, T]    one matrix per score
======================  ===================  ======================================================================

Texts have a fixed length (the longest one's); a column with a text above 256 bytes is of variable length instead, since
one long allele would otherwise widen every row. float16 keeps three digits: what lies below 6e-5 loses more of them,
what lies beyond 65,504 is written as 65,504. Root attributes say which model and genome made the file, the attribute
``formula`` of a matrix says what it holds, ``derived_from`` of which other one it was made.

Files that others published are read too: DeepMind's and Basenji's, which lack what we add, or have ``ref_allele`` only;
Basenji's earliest have no ALT.
"""

from distal.io.scores.blocks import (
    DTYPES,
    Block,
    Derived,
    GeneAt,
    GeneScores,
    Layout,
    Matrix,
    ScoreRow,
    clipped,
    text_widths,
)
from distal.io.scores.reader import Scores, files
from distal.io.scores.writer import PERCENTILES, Writer, extended, write

__all__ = [
    "DTYPES",
    "PERCENTILES",
    "Block",
    "Derived",
    "GeneAt",
    "GeneScores",
    "Layout",
    "Matrix",
    "ScoreRow",
    "Scores",
    "Writer",
    "clipped",
    "extended",
    "files",
    "text_widths",
    "write",
]
