"""Gradients with respect to letters: the slope of what is predicted, on the strand and in the place of the letters."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests import builders

from distal.errors import InputError
from distal.interpret.gradients import Mask, differentiable, gradient, letters, slope
from distal.predictor import Predictor, averaged

CODES = np.random.default_rng(0).integers(0, 5, 2048).astype(np.uint8)
MASK = Mask(np.array([3, 4, 6]), np.array([0, 2]))
FAMILIES = ("enformer", "basenji2", "borzoi")


def double(predictor: Predictor) -> Predictor:
    return replace(predictor, module=deepcopy(predictor.module).double())


def test_a_mask_sums_over_bins_and_averages_over_channels():
    prediction = np.arange(12.0).reshape(4, 3)  # bins 1 and 3 of channels 0 and 2: (3 + 5) / 2 + (9 + 11) / 2
    mask = Mask(np.array([3, 1]), np.array([0, 2]))
    assert mask.value(prediction) == 14.0
    assert mask.value(np.stack([prediction, 2 * prediction])).tolist() == [14.0, 28.0]


@pytest.mark.parametrize(("bins", "channels"), [([1, 1], [0]), ([-1], [0]), ([[1]], [0]), ([1.0], [0]), ([0], [2, 2])])
def test_a_mask_of_impossible_indices_is_not_made(bins, channels):
    with pytest.raises(ValueError, match="must be"):
        Mask(np.array(bins), np.array(channels))


def test_an_empty_mask_is_the_askers_mistake():
    with pytest.raises(InputError, match="without channels"):
        Mask(np.array([1]), np.array([], dtype=np.int64))


@pytest.mark.parametrize(("bin", "channel", "words"), [(8, 0, "bin 8 is not in"), (0, 6, "channel 6 is not in")])
def test_a_mask_beyond_the_output_is_refused(bin, channel, words):
    with pytest.raises(InputError, match=words):
        gradient(builders.predictor(), CODES, Mask(np.array([bin]), np.array([channel])))


def values_at(predictor, points, rc, shifts):
    """Slow oracle: the mask's value at each of [n, L, 4], read as `Reading` says of codes, by the module itself."""
    total = 0.0
    for shift in shifts:
        for reverse in (False, True)[: 1 + rc]:
            read = torch.roll(points.flip(1, 2) if reverse else points, shift, dims=1)
            read[:, : max(shift, 0)] = 0
            read[:, 2048 + min(shift, 0) :] = 0
            with torch.no_grad():
                prediction = predictor.module(read, "human").numpy()
            bins = predictor.window.bins
            there = Mask(bins - 1 - MASK.bins, np.array([1, 2])) if reverse else MASK
            total += there.value(prediction)
    return total / (len(shifts) * (1 + rc))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("rc", "shifts"), [(False, (0,)), (True, (0,)), (False, (-3, 2)), (True, (-3, 0, 2))])
def test_gradients_are_the_slopes_of_the_averaged_prediction(family, rc, shifts):
    """Brute force: central differences of the prediction, in float64, at letters all over the window."""
    predictor = double(builders.predictor(family))
    x = letters(predictor, CODES)
    value, found = slope(predictor, x, MASK, rc, shifts)
    predicted = averaged(predictor, CODES[None], rc, shifts).numpy()[0]
    assert value == pytest.approx(MASK.value(predicted), rel=1e-6)
    step, places = 1e-4, ((700, 0), (999, 1), (1100, 2), (1303, 3))
    points = x.repeat(2 * len(places), 1, 1)
    for i, place in enumerate(places):
        points[2 * i, *place] += step
        points[2 * i + 1, *place] -= step
    up, down = values_at(predictor, points, rc, shifts).reshape(-1, 2).T
    slopes = [found[place] for place in places]
    np.testing.assert_allclose(slopes, (up - down) / (2 * step), rtol=1e-4, atol=1e-6 * np.abs(found).max())


@pytest.mark.parametrize("family", FAMILIES)
def test_float32_gives_what_float64_gives(family):
    predictor = builders.predictor(family)
    exact = gradient(double(predictor), CODES, MASK)
    found = gradient(predictor, CODES, MASK)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, exact, atol=1e-5 * np.abs(exact).max())
    half = gradient(replace(predictor, precision="bf16"), CODES, MASK)
    np.testing.assert_array_equal(half, found)


def test_the_other_strand_has_the_complementary_gradient():
    """With both strands averaged: what the reverse complement's mirror-image mask says, complemented back."""
    predictor = builders.predictor()
    mirrored = Mask(7 - MASK.bins, predictor.tracks.partners[MASK.channels])
    there = gradient(predictor, np.array([3, 2, 1, 0, 4], dtype=np.uint8)[CODES[::-1]], mirrored, rc=True)
    here = gradient(predictor, CODES, MASK, rc=True)
    np.testing.assert_allclose(there[::-1, ::-1], here, atol=1e-6 * np.abs(here).max())


def test_what_a_shift_pushes_out_has_no_gradient():
    moved_right = gradient(builders.predictor(), CODES, MASK, shifts=(5,))
    assert not moved_right[-5:].any()
    assert moved_right[:5].any()
    moved_left = gradient(builders.predictor(), CODES, MASK, shifts=(-5,))
    assert not moved_left[:5].any()
    assert moved_left[-5:].any()


def test_the_module_is_left_as_it_was():
    module = builders.predictor("basenji2").module
    copy = differentiable(module)
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert not any(getattr(part, "checkpointed", False) for part in module.modules())
    assert not any(tensor.requires_grad for tensor in copy.state_dict(keep_vars=True).values())
    theirs = {name: tensor.data_ptr() for name, tensor in module.state_dict().items() if tensor.numel()}
    assert theirs == {name: tensor.data_ptr() for name, tensor in copy.state_dict().items() if tensor.numel()}
    assert all(parameter.grad is None for parameter in module.parameters())


def test_codes_of_another_length_are_refused():
    with pytest.raises(ValueError, match="codes must be"):
        letters(builders.predictor(), CODES[:-1])


def test_gradients_at_points_between_sequences():
    predictor = double(builders.predictor())
    x = torch.rand(2048, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    value, found = slope(predictor, x, MASK, rc=True)
    direction = torch.rand(2048, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) - 0.5
    ahead = slope(predictor, x + 1e-5 * direction, MASK, rc=True).value
    assert (ahead - value) / 1e-5 == pytest.approx(float((torch.from_numpy(found) * direction).sum()), rel=1e-3)
