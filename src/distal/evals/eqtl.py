"""Which eQTL variants are causal: random forests on variants' scores, exactly as Basenji's `basenji_bench_classify`.

For each tissue a set of likely causal variants (SuSiE PIP > 0.9, GTEx v8; Wang et al. 2021) and one of matched
unlikely ones (PIP < 0.01), both scored by `distal score`. A forest of 100 trees (max_features log2, max_depth 64)
learns to tell them apart in 8 shuffled folds, 100 times over: iteration i shuffles with seed 44 + i, and a fold's
forest has the seed 44 + i plus its first test index. Reported is the mean AUROC over all 800 folds, and the standard
deviation over them divided by √800, which is too small, since folds aren't independent.

The scores of indels are multiplied by 0.1 first. The original indexes the negatives by the *positives'* indels; that
is kept behind `published_indels`. Knows matrices and labels; scikit-learn's forests, so its version decides the last
digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distal.errors import InputError
from distal.evals.cases import OURS, PUBLISHED, Case
from distal.evals.statistics import auroc
from distal.io.scores import Scores, files
from distal.scoring.components import Components
from distal.train.metrics import Floats

SEED, FOLDS, ITERATIONS = 44, 8, 100
TREES, DEPTH = 100, 64
INDEL_SCALE = 0.1
KNOWN = "Basenji2 0.729, Enformer 0.747 (5,313 tracks), 0.743 (20 components); mean of 48 GTEx tissues"
Values = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Tissue:
    """The scores of a tissue's causal and matched variants, [variants, features] each, and which are indels."""

    name: str
    positive: Values
    negative: Values
    positive_indels: NDArray[np.bool_]
    negative_indels: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if min(len(self.positive), len(self.negative)) < FOLDS:
            raise InputError(
                f"tissue {self.name} has {len(self.positive)} causal and {len(self.negative)} matched variants; "
                f"{FOLDS} folds need at least as many of each"
            )
        if self.positive.shape[1] != self.negative.shape[1]:
            raise InputError(f"tissue {self.name}: causal and matched variants were scored for different tracks")

    def features(self, published_indels: bool = False) -> tuple[Values, NDArray[np.bool_]]:
        """Positives, then negatives, NaN as 0 and indels scaled: [n, features], and which are positive."""
        positive, negative = (np.nan_to_num(side).astype(np.float32) for side in (self.positive, self.negative))
        wrong = self.positive_indels
        if published_indels and len(wrong) != len(negative):
            raise InputError(f"tissue {self.name}: the published treatment of indels needs sets of equal size")
        positive[self.positive_indels] *= INDEL_SCALE
        negative[wrong if published_indels else self.negative_indels] *= INDEL_SCALE
        labels = np.arange(len(positive) + len(negative)) < len(positive)
        return np.concatenate([positive, negative]), labels


@dataclass(frozen=True, eq=False)
class Answer:
    """What the forests said of a tissue."""

    tissue: str
    labels: NDArray[np.bool_]
    probabilities: Floats
    """[variants]: mean over iterations of what the forest said that hadn't seen the variant."""
    folds: Floats
    """AUROC of each fold of each iteration; those with one class only are left out."""

    @property
    def mean(self) -> float:
        """Mean AUROC over folds, the published number."""
        return float(self.folds.mean())

    @property
    def error(self) -> float:
        """Their standard deviation divided by the square root of their number, as published."""
        return float(self.folds.std() / math.sqrt(len(self.folds)))


def tissues(folder: str | Path, score: str = "SAD", components: Components | None = None) -> list[Tissue]:
    """Tissues of a folder that has ``<tissue>_pos`` and ``<tissue>_neg``, each a run of `distal score` or a score file.

    Features are the `score` of every track, or its `components`. Variants without scores (NaN) are kept as 0, as the
    original has it. Raises `InputError` where there is none, or one set lacks the other.
    """
    folder = Path(folder)
    sets = {
        path.name.removesuffix(".h5"): path for path in sorted(folder.glob("*_pos*")) + sorted(folder.glob("*_neg*"))
    }
    names = list(dict.fromkeys(name.rpartition("_")[0] for name in sets))
    if not names:
        raise InputError(f"{folder} has no <tissue>_pos and <tissue>_neg; score each tissue's two VCFs into it")
    found = []
    for name in names:
        sides = [sets.get(f"{name}_{side}") for side in ("pos", "neg")]
        if sides[0] is None or sides[1] is None:
            raise InputError(f"{folder} has only one of {name}_pos and {name}_neg; score the other VCF too")
        (positive, here), (negative, there) = (_matrix(side, score, components) for side in sides if side)
        found.append(Tissue(name, positive, negative, here, there))
    return found


def _matrix(path: Path, score: str, components: Components | None) -> tuple[Values, NDArray[np.bool_]]:
    """Scores [variants, features], and which variants are indels."""
    matrices, indels = [], list[bool]()
    for file in files(path):
        with Scores(file) as scores:
            if components is not None and components.tracks != scores.table.names:
                raise InputError(f"{file} has other tracks than the components; fit them on scores of the same tracks")
            for block in scores.blocks(4096, (score,)):
                values = block.values[score]
                matrices.append(values if components is None else components(np.nan_to_num(values)))
                indels += [len(row.ref) != len(row.alt) for row in block.rows]
    return np.concatenate(matrices).astype(np.float32), np.array(indels)


def classify(
    tissue: Tissue,
    iterations: int = ITERATIONS,
    published_indels: bool = False,
    workers: int = 1,
    progress: Callable[[int], object] = lambda n: None,
) -> Answer:
    """How well forests tell the causal variants of a tissue, in folds that they haven't seen.

    A single feature is its own prediction, without a forest. Raises `InputError` where scikit-learn is missing.
    """
    forest, split = _scikit_learn()
    features, labels = tissue.features(published_indels)
    if features.shape[1] == 1:
        alone = features[:, 0].astype(np.float64)
        progress(iterations)
        return Answer(tissue.name, labels, alone, np.array([auroc(labels, alone)]))
    total, areas = np.zeros(len(labels)), []
    for iteration in range(iterations):
        seed = SEED + iteration
        for train, test in split(FOLDS, shuffle=True, random_state=seed).split(features):
            made = forest(
                n_estimators=TREES,
                max_features="log2",
                max_depth=DEPTH,
                min_samples_leaf=1,
                min_samples_split=2,
                random_state=seed + int(test[0]),
                n_jobs=workers,
            )
            made.fit(features[train], labels[train])
            said = made.predict_proba(features[test])[:, 1]
            total[test] += said
            areas.append(auroc(labels[test], said))
        progress(1)
    known = np.array(areas)
    return Answer(tissue.name, labels, total / iterations, known[~np.isnan(known)])


def _scikit_learn() -> tuple[Any, Any]:
    try:
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.model_selection import KFold
    except ImportError:
        raise InputError("random forests need scikit-learn; `pip install 'distal[bench]'`") from None
    return RandomForestClassifier, KFold


def cases(answers: Sequence[Answer], features: str, published: bool) -> list[Case]:
    """AUROC of each tissue, and the mean over tissues of the published number. `features` says what was learned from.

    `published`: whether forests, folds and iterations are those of the article.
    """
    protocol = PUBLISHED if published else OURS
    means = Case(
        "eqtl",
        f"mean over tissues, {features}",
        "mean",
        np.zeros(len(answers)),
        np.array([answer.mean for answer in answers]),
        protocol=protocol,
        published=KNOWN,
        notes="mean AUROC of folds",
        units=tuple(answer.tissue for answer in answers),
    )
    return [means] + [
        Case(
            "eqtl",
            f"{answer.tissue}, {features}",
            "auroc",
            answer.labels.astype(np.float64),
            answer.probabilities,
            notes=f"of mean out-of-fold probabilities; mean of folds {answer.mean:.4f} ± {answer.error:.4f}",
        )
        for answer in answers
    ]
