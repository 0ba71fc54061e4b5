"""The k-mer regression: counts against counting, weights against a plain solve, signal that it can and cannot find."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data import tiny

from distal import dna
from distal.data import dataset
from distal.data.dataset import InMemory
from distal.evals import baselines
from distal.train.metrics import PearsonR


def code_of(word: str) -> int:
    return sum(4 ** (3 - i) * "ACGT".index(letter) for i, letter in enumerate(word))


def test_worked_counts() -> None:
    # two bins of 4: AAAA AAAC begin in the first … of ACGTN… nothing whole begins behind position 0 of the second
    counts = baselines.kmer_counts(dna.encode("AAAACGTN"), 4)
    assert {code_of(word): 1 for word in ("AAAA", "AAAC", "AACG", "ACGT")} == {
        int(word): int(counts[0, word]) for word in np.flatnonzero(counts[0])
    }
    assert counts[1].sum() == 0
    counts = baselines.kmer_counts(dna.encode("TTTTTTTTACGT"), 4)
    assert [counts[0, code_of("TTTT")], counts[1, code_of("TTTT")], counts[1, code_of("TTTA")]] == [4, 1, 1]
    assert counts[2, code_of("ACGT")] == 1


@given(st.lists(st.integers(0, 4), min_size=32, max_size=32), st.sampled_from([4, 8, 16]))
def test_counts_are_what_counting_gives(letters: list[int], bin_bp: int) -> None:
    text = dna.decode(np.array(letters, dtype=np.uint8))
    wanted = np.zeros((len(text) // bin_bp, 256))
    for start in range(len(text) - 3):
        if "N" not in text[start : start + 4]:
            wanted[start // bin_bp, code_of(text[start : start + 4])] += 1
    assert np.array_equal(baselines.kmer_counts(np.array(letters, dtype=np.uint8), bin_bp), wanted)


@pytest.mark.parametrize("bin_bp", [32, 128, 256, 512, 2048])
def test_bands_partition_what_lies_around_a_bin(bin_bp: int) -> None:
    far = baselines.flank(bin_bp)
    codes = np.random.default_rng(0).integers(0, 4, (2 * far + 3) * bin_bp).astype(np.uint8)
    rows = baselines.features(codes, bin_bp).reshape(3, 5, 256)
    counts = baselines.kmer_counts(codes, bin_bp)
    near = max(256 // bin_bp, 1)
    for i, row in enumerate(rows):
        at = far + i
        assert np.array_equal(row[0], counts[at])
        assert np.array_equal(row[1], counts[at - near : at].sum(axis=0))
        assert np.array_equal(row[2], counts[at + 1 : at + 1 + near].sum(axis=0))
        assert np.array_equal(row.sum(axis=0), counts[at - far : at + far + 1].sum(axis=0))


def made(windows: int, noise: float, seed: int) -> InMemory:
    """Windows whose first track counts CCCC in the bin before, whose second is the first on the other strand."""
    random = np.random.default_rng(seed)
    bases = random.choice(4, size=(windows, 4096), p=[0.2, 0.3, 0.3, 0.2]).astype(np.uint8)
    signal = np.empty((windows, 16, 3), dtype=np.float32)
    for codes, values in zip(bases, signal, strict=True):
        values[:, 0] = baselines.kmer_counts(codes, 128)[7:23, code_of("CCCC")]
        values[:, 1] = baselines.kmer_counts(dna.reverse_complement(codes), 128)[7:23, code_of("CCCC")][::-1]
        values[:, 2] = random.gamma(1.0, size=16)
    signal += noise * random.gamma(1.0, size=signal.shape).astype(np.float32)
    return InMemory(bases, signal, 128, 1024, tiny.TABLE, (None,) * windows)


def pearson(ridge: baselines.KmerRidge, examples: InMemory) -> np.ndarray:
    moments = PearsonR(3)
    for piece in ridge.predictions(examples):
        moments.update(piece.values, piece.targets)
    return moments.pearson()


def test_what_depends_on_words_is_found_and_noise_is_not() -> None:
    ridge = baselines.fit(made(100, 0.1, 0), made(8, 0.1, 1))
    r = pearson(ridge, made(20, 0.1, 2))
    assert r[:2].min() > 0.5
    assert abs(r[2]) < 0.3


def test_it_is_the_plain_ridge_of_both_strands(tmp_path: Path) -> None:
    """Against numpy's solve of the normal equations, for the penalty that does best on the validation windows."""
    folder = tiny.folder(tmp_path / "set")
    train, valid = (dataset.load(folder, split, 128) for split in ("train", "valid"))
    rows, signal = [], []
    for i in range(len(train)):
        codes, targets = train.codes(i, 0, 4096), train.targets(i, 0, 16).astype(np.float64)
        rows += [baselines.features(codes, 128), baselines.features(dna.reverse_complement(codes), 128)]
        signal += [targets, targets[::-1, [1, 0, 2]]]
    x, y = np.concatenate(rows), np.concatenate(signal)
    scale = x.std(axis=0) + 1e-9
    z = (x - x.mean(axis=0)) / scale
    best = np.full(3, -np.inf)
    wanted = np.zeros((32, 3))
    held = np.concatenate([baselines.features(valid.codes(i, 0, 4096), 128) for i in range(2)])
    truth = np.concatenate([valid.targets(i, 0, 16) for i in range(2)])
    for penalty in baselines.PENALTIES:
        weights = np.linalg.solve(z.T @ z / len(z) + penalty * np.eye(z.shape[1]), z.T @ (y - y.mean(axis=0)) / len(z))
        guess = np.maximum((held - x.mean(axis=0)) / scale @ weights + y.mean(axis=0), 0)
        r = np.array([np.corrcoef(guess[:, i], truth[:, i])[0, 1] for i in range(3)])
        wanted[:, r > best] = guess[:, r > best]
        best = np.maximum(best, r)
    pieces = list(baselines.fit(train, valid).predictions(valid))
    assert [(piece.window, piece.first) for piece in pieces] == [(0, 0), (1, 0)]
    np.testing.assert_allclose(np.concatenate([piece.values for piece in pieces]), wanted, rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(np.concatenate([piece.targets for piece in pieces]), truth)


@pytest.mark.parametrize(("most", "step"), [(12 * 16 - 1, 2), (3 * 16, 4)])
def test_many_windows_are_thinned_evenly(most: int, step: int) -> None:
    data, valid = made(12, 0.1, 3), made(2, 0.1, 4)
    few = replace(data, bases=data.bases[::step], signal=data.signal[::step], intervals=data.intervals[::step])
    thinned, whole = baselines.fit(data, valid, most), baselines.fit(few, valid)
    assert np.array_equal(thinned.weights, whole.weights)
    assert np.array_equal(thinned.offset, whole.offset)
