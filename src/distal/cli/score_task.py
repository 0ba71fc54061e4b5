"""A scoring run as the command line asks for it: everything opened and checked, then done; prints nothing.

What can be wrong is looked for in this order: options that don't go together, files that cannot be read, the genome's
contigs, then every row of a file that can be read twice. Only then is a model loaded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distal.cli.console import command_line
from distal.cli.score_options import Machine, Output, Variants, What
from distal.coords import spellings
from distal.errors import InputError

if TYPE_CHECKING:
    from distal.coords import Window
    from distal.engine import Engine
    from distal.io.fasta import Genome
    from distal.io.genes import Genes
    from distal.io.scores import Derived
    from distal.io.variants import Source
    from distal.io.vcf import VcfRow
    from distal.predictor import Predictor
    from distal.scoring.calibration import Null
    from distal.scoring.components import Components
    from distal.scoring.estimate import Estimate
    from distal.scoring.parts import Shard
    from distal.scoring.recipe import Recipe
    from distal.scoring.run import Summary
    from distal.scoring.sharing import Sharing

FORMATS = ("h5", "json", "tsv", "parquet", "vcf", "vep")
"""The first two are what every run writes."""
_OF_COMPONENTS = {"tsv", "vcf", "vep"}


@dataclass(frozen=True)
class Task:
    """One command line; what it names is opened when it is first asked for, and `check` asks for everything."""

    model: tuple[str, ...]
    fasta: Path | None
    variants: Variants
    what: What
    output: Output
    machine: Machine

    def check(self, writes: bool = True) -> list[str]:
        """Look for what can be wrong before a model is loaded; returns what is to be said of the contigs.

        `writes` is whether results will be written. Raises `InputError`.
        """
        from distal.io.variants import check_genome

        _ = self.folders, self.engine, self.shard
        if writes and self.output.out is None and not self.variants.variant:
            raise InputError("give a folder for the results: --out")
        if len(self.model) > 1 and self.source.once:
            raise InputError(f"{self.source.path} can be read only once, and each model reads it; save it to a file")
        self._check_formats()
        self._check_report()
        for window in self.windows:
            window.check_cell(self.what.share_reference)
        _ = self.derived, self.components
        notes = check_genome(self.source, self.genome)
        self._check_genes()
        _ = self.count
        return notes

    def _check_genes(self) -> None:
        known = set(self.genome.sizes)
        if self.genes is not None and not any(known & set(spellings(chrom)) for chrom in self.genes.chroms):
            raise InputError(
                f"{self.what.genes} has genes on {', '.join(self.genes.chroms[:3])}, ... and on no contig of "
                f"{self.fasta}; give the annotation of that genome"
            )

    def _check_formats(self) -> None:
        if "vcf" in self.formats and self.source.once:
            raise InputError(
                f"{self.source.path} can be read only once, and the format vcf reads it twice; save it to a file"
            )
        if "vcf" in self.formats and not self.source.is_vcf:
            raise InputError(
                "the format vcf annotates a VCF or BCF, and the variants are in none; leave vcf out of --formats"
            )
        if "vep" in self.formats and (lacking := {"SAD", "SAR"} - set(self.scores)):
            raise InputError(f"the format vep needs {' and '.join(sorted(lacking))}; add to --scores, or leave vep out")
        if "tsv" in self.formats and self.components is None and all(_per_gene(score) for score in self.scores):
            raise InputError(
                "the format tsv needs a score that is not per gene, such as SAD; add one, or leave tsv out"
            )
        if self.output.pcs is not None and not self.formats & _OF_COMPONENTS:
            raise InputError("--pcs is for the formats tsv, vcf and vep; add one of them to --formats")

    def _check_report(self) -> None:
        report = self.output.report
        if report is None:
            return
        if report.suffix != ".html" or not report.parent.is_dir():
            raise InputError(f"--report {report} must end in .html and lie in a folder that exists")
        if all(_per_gene(score) for score in self.scores):
            raise InputError("--report ranks variants by a score that is not per gene, such as SAR; add one")

    # --- what the options name

    @cached_property
    def folders(self) -> dict[str, str]:
        """Name of each model -> what the user called it; results of two models lie in folders of those names."""
        from distal.models import zoo

        if not 0 < len(self.model) < 3:
            raise InputError("give a model (--model), or two to compare them; `distal models list` names them")
        found = [zoo.find(model) for model in self.model]
        for names in ([zoo.read_spec(folder).name for folder in found], [folder.name for folder in found]):
            if len(set(names)) == len(found):
                return dict(zip(names, self.model, strict=True))
        raise InputError(f"{self.model[0]} and {self.model[1]} have the same name; rename the folder of one")

    @cached_property
    def windows(self) -> list[Window]:
        """What each model reads."""
        from distal.models import zoo

        return [zoo.read_spec(zoo.find(model)).window for model in self.model]

    @cached_property
    def source(self) -> Source:
        """The variants."""
        from distal.io.variants import Source

        if (self.variants.vcf is None) != bool(self.variants.variant):
            raise InputError("give either a file of variants (--vcf) or single ones (--variant chr20:42984264:C>T)")
        if self.variants.vcf is not None:
            return Source.of(self.variants.vcf)
        return Source.of_texts(self.variants.variant)

    @cached_property
    def genome(self) -> Genome:
        """The reference."""
        from distal.io.fasta import Genome

        if self.fasta is None:
            raise InputError("give the genome that the variants were called on: --fasta")
        return Genome(self.fasta, self.variants.aliases)

    @cached_property
    def genes(self) -> Genes | None:
        """Those of --genes."""
        from distal.io.genes import Genes

        return None if self.what.genes is None else Genes.read(self.what.genes)

    @cached_property
    def scores(self) -> tuple[str, ...]:
        """Names of the scores."""
        from distal.scoring.scorers import named

        asked = [name.strip() for name in self.what.scores.split(",")]
        return tuple(scorer.name for scorer in named(asked))

    @cached_property
    def formats(self) -> set[str]:
        """What is to be written; by default also components, where there are enough variants to fit them to."""
        text = self.output.formats or ("h5" if self.variants.variant else "h5,tsv")
        formats = {name.strip() for name in text.split(",")}
        if unknown := sorted(formats - set(FORMATS)):
            raise InputError(f"format {unknown[0]!r} is not known; there are {', '.join(FORMATS)}")
        return formats

    @cached_property
    def components(self) -> Components | None:
        """Those of --pcs."""
        from distal.scoring.components import Components

        if self.output.pcs is None:
            return None
        components = Components.load(self.output.pcs)
        if components.score not in self.scores:
            raise InputError(
                f"{self.output.pcs} turns {components.score} into components; add {components.score} to --scores"
            )
        return components

    @cached_property
    def null(self) -> Null | None:
        """That of --calibration."""
        from distal.scoring.calibration import Null

        return None if self.output.calibration is None else Null.load(self.output.calibration)

    @cached_property
    def derived(self) -> tuple[Derived, ...]:
        """The quantiles that the null gives, by distance to the genes where it has strata."""
        if self.null is None:
            return ()
        return tuple(self.null.derived(self.genes if self.null.genes else None, self.scores))

    @cached_property
    def threads(self) -> int:
        """Of each worker: what is asked for, else OMP_NUM_THREADS, else a share of the cores."""
        usual = os.environ.get("OMP_NUM_THREADS", "")
        share = int(usual) if usual.isdigit() else cores() // max(1, self.machine.workers)
        return self.machine.threads or max(1, share)

    @cached_property
    def device(self) -> str:
        """Where a model is loaded to. A Ray actor sees no other GPU than its own."""
        own = self.machine.engine == "ray" and self.machine.device == "cuda"
        return "cuda:0" if own else self.machine.device

    @cached_property
    def engine(self) -> Engine:
        """Who computes."""
        from distal.engine import LocalEngine, RayEngine

        machine = self.machine
        if machine.threads is not None and machine.threads < 1:
            raise InputError(f"threads is {machine.threads}; it must be 1 or more")
        if machine.engine == "ray":
            gpus = 1.0 if self.device.startswith("cuda") else 0.0
            return RayEngine(machine.workers, machine.address, float(self.threads), gpus)
        if machine.address:
            raise InputError("--address is that of a Ray cluster; add --engine ray")
        return LocalEngine(machine.workers, self.threads)

    @cached_property
    def shard(self) -> Shard | None:
        """The share of --shard."""
        from distal.scoring.parts import Shard

        return Shard.parse(self.machine.shard) if self.machine.shard else None

    # --- what is done

    @cached_property
    def count(self) -> int | None:
        """Rows, counted, and every line checked before any is scored; None for what can be read only once."""
        return None if self.source.once else sum(1 for _ in self._accepted())

    def _accepted(self) -> Iterator[VcfRow]:
        """The rows; under --ref-mismatch fail the first one that the genome contradicts raises `InputError`."""
        from distal.scoring.recipe import judged

        for row in self.source.rows():
            if self.variants.ref_mismatch == "fail":
                try:
                    judged(self.genome, self.windows[0], "fail", row)
                except InputError as error:
                    raise InputError(f"{self.source.path or '--variant'} {error}") from None
            yield row

    def load(self, model: str) -> Predictor:
        """A model, ready; its tracks are checked against --pcs. Raises `InputError`."""
        from distal import predictor

        machine = self.machine
        loaded = predictor.load(model, self.what.head, self.device, machine.precision)
        tracks = loaded.tracks.select(self.what.tracks).names
        if self.components is not None and self.components.tracks != tracks:
            raise InputError(
                f"{self.output.pcs} was fitted on other tracks than are scored here; choose those with --tracks"
            )
        if self.null is not None:
            self.null.check(tracks, str(self.output.calibration))
        return loaded

    def recipe(self, predictor: Predictor) -> Recipe:
        """How one variant is scored."""
        from distal.scoring.recipe import Recipe
        from distal.scoring.scorers import named

        what = self.what
        return Recipe(
            predictor,
            self.genome,
            named(self.scores),
            query=what.tracks,
            rc=what.rc,
            shifts=what.shifts,
            dtype=self.output.dtype,
            spread=what.spread == "sd",
            genes=self.genes,
            ref_mismatch=self.variants.ref_mismatch,
            threads=self.threads,
            share_reference=what.share_reference,
            full_forward=self.machine.full_forward,
        )

    def sharing(self, predictor: Predictor) -> Sharing | None:
        """What --share-reference changes, measured; None where it changes nothing, or can't be measured."""
        from distal.scoring.sharing import measure

        if not self.what.share_reference or self.source.once:
            return None
        return measure(self.recipe(predictor), self.source.rows())

    def score(
        self, predictor: Predictor, out: Path, notes: Mapping[str, Any], advance: Callable[[int], object]
    ) -> Summary | None:
        """Score everything, or the shard, into `out`; None where it was a shard. `notes` go into the files."""
        from distal.scoring.variants import run_recipe

        return run_recipe(
            self.recipe(predictor),
            self.source.rows(),
            out,
            derived=self.derived,
            percentiles=self.output.percentiles,
            engine=self.engine,
            shard=self.shard,
            command=command_line(),
            notes=notes,
            progress=advance,
        )

    def estimate(self, predictor: Predictor) -> Estimate:
        """What scoring would take."""
        from distal.scoring.estimate import estimate

        recipe = self.recipe(predictor)
        columns = recipe.columns(self.derived, self.output.percentiles)
        processes = self.machine.workers * (self.shard.count if self.shard else 1)
        return estimate(recipe, self.source.rows(), columns, sorted(self.formats), processes)


def cores() -> int:
    """Cores that this process may use, where the system says so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _per_gene(score: str) -> bool:
    return score.endswith(("_tss", "_gene"))
