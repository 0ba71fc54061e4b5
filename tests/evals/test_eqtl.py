"""Causal eQTLs: planted signal is found, null isn't; folds, seeds and indels as published; scores from files."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold
from tests import builders

from distal.errors import InputError
from distal.evals import eqtl
from distal.evals.eqtl import Tissue
from distal.io import scores
from distal.io.scores import Block, Layout, ScoreRow
from distal.scoring.components import Components, Scaling

RANDOM = np.random.default_rng(0)


def tissue(shift: float, n: int = 40, features: int = 6, seed: int = 0) -> Tissue:
    """Causal variants whose scores spread more in two of the features."""
    random = np.random.default_rng(seed)
    negative, positive = random.normal(size=(2, n, features)).astype(np.float32)
    positive[:, :2] *= 1 + shift
    return Tissue("Liver", positive, negative, np.zeros(n, dtype=bool), np.zeros(n, dtype=bool))


def test_planted_signal_is_found_and_none_is_not() -> None:
    found, none = (eqtl.classify(tissue(shift, 60), iterations=1) for shift in (8.0, 0.0))
    assert found.mean > 0.85
    assert 0.35 < none.mean < 0.65
    assert len(found.folds) == 8
    assert found.error == pytest.approx(found.folds.std() / 8**0.5)
    mean, one = eqtl.cases([found], "6 tracks", published=True)
    assert (mean.estimate().value, mean.protocol, mean.units) == (found.mean, "as published", ("Liver",))
    assert one.estimate(draws=50).low > 0.7
    assert "0.747" in mean.published


def test_it_is_the_original_programs_loop() -> None:
    made = tissue(1.0)
    x = np.concatenate([made.positive, made.negative])
    y = np.array([True] * 40 + [False] * 40)
    wanted = []
    for iteration in range(1):
        for train, test in KFold(8, shuffle=True, random_state=44 + iteration).split(x):
            model = RandomForestClassifier(
                n_estimators=100, max_features="log2", max_depth=64, random_state=44 + iteration + test[0]
            )
            model.fit(x[train], y[train])
            if len(set(y[test])) > 1:
                wanted.append(roc_auc_score(y[test], model.predict_proba(x[test])[:, 1]))
    assert eqtl.classify(made, iterations=1).folds.tolist() == pytest.approx(wanted)


def test_a_single_feature_needs_no_forest() -> None:
    made = tissue(1.0, features=1)
    x = np.concatenate([made.positive, made.negative])[:, 0]
    assert eqtl.classify(made).folds.tolist() == [roc_auc_score([1] * 40 + [0] * 40, x)]


@pytest.mark.parametrize("published", [False, True])
def test_indels_are_scaled_by_their_own_places_or_as_published(published: bool) -> None:
    made = replace(
        tissue(0.0),
        positive_indels=np.arange(40) == 3,
        negative_indels=np.arange(40) == 5,
        positive=np.full((40, 2), np.float32(2)),
        negative=np.full((40, 2), np.nan, dtype=np.float32),
    )
    made.negative[5:7] = made.negative[3] = 4
    features, labels = made.features(published)
    assert labels.tolist() == [True] * 40 + [False] * 40
    assert features[[2, 3], 0].tolist() == pytest.approx([2, 0.2])
    assert features[[43, 45, 46], 0].tolist() == pytest.approx([0.4, 4, 4] if published else [4, 0.4, 4])
    assert features[40, 0] == 0  # NaN


def test_sets_that_do_not_fit_are_refused() -> None:
    made = tissue(0.0)
    with pytest.raises(InputError, match="8 folds need"):
        replace(made, positive=made.positive[:7])
    with pytest.raises(InputError, match="different tracks"):
        replace(made, positive=made.positive[:, :2])
    with pytest.raises(InputError, match="equal size"):
        replace(made, negative=made.negative[:30]).features(published_indels=True)


def write(path: Path, values: np.ndarray) -> None:
    rows = [ScoreRow("chr1", i + 1, f"rs{i}", "A", "AC" if i == 2 else "C", "scored") for i in range(len(values))]
    widths = Counter({"snp": 8, "chr": 8, "ref": 8, "alt": 8, "status": 16, "name": 8, "chrom": 8})
    layout = Layout(len(rows), scores.text_widths(rows) | widths, builders.TABLE, ("SAD",), "float32", {}, (), {})
    with scores.write(path, layout) as writer:
        writer.append(Block(rows, {"SAD": values}))


@pytest.mark.parametrize("reduced", [False, True])
def test_tissues_come_from_score_files(reduced: bool, tmp_path: Path) -> None:
    made = tissue(1.0, 12)
    write(tmp_path / "Liver_pos.h5", made.positive)
    with pytest.raises(InputError, match="only one of Liver_pos"):
        eqtl.tissues(tmp_path)
    write(tmp_path / "Liver_neg.h5", made.negative)
    plain = Scaling(np.zeros(6), np.ones(6))
    vectors = np.eye(6)[:2]
    components = None
    if reduced:
        names = builders.TABLE.names
        components = Components(
            "SAD", names, names, plain, vectors, np.ones(2), 3.0, Scaling(np.zeros(2), np.ones(2)), 9
        )
    (found,) = eqtl.tissues(tmp_path, "SAD", components)
    assert found.name == "Liver"
    np.testing.assert_allclose(found.positive, made.positive[:, :2] if reduced else made.positive, rtol=1e-6)
    assert np.flatnonzero(found.negative_indels).tolist() == [2]
    if components is not None:
        with pytest.raises(InputError, match="other tracks"):
            eqtl.tissues(tmp_path, "SAD", replace(components, tracks=("x",)))
    with pytest.raises(InputError, match="has no <tissue>_pos"):
        eqtl.tissues(tmp_path / "none")
