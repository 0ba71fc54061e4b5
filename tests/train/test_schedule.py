"""What a step number means, by worked numbers: rates, who sees which examples, and when it is enough."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest
from tests.train import small

from distal.coords import Window
from distal.data.loading import Feed
from distal.errors import InputError
from distal.train import schedule
from distal.train.checkpoint import Progress
from distal.train.run import start


def test_learning_rates_by_worked_numbers() -> None:
    config = small.config(Path("out"), steps=12, optimizer={"lr": 0.8, "warmup": 4})
    # 0.8 min(1, step / 4)
    assert [schedule.learning_rate(config, n) for n in (1, 2, 3, 4, 5, 12)] == pytest.approx(
        [0.2, 0.4, 0.6, 0.8, 0.8, 0.8]
    )
    cosine = small.config(Path("out"), steps=12, optimizer={"lr": 0.8, "warmup": 4, "schedule": "cosine"})
    # behind the warm-up 0.4 (1 + cos(π (step - 4) / 8)): 0.8 at 4, 0.4 half way, 0 at the end
    assert [schedule.learning_rate(cosine, n) for n in (2, 4, 8, 12)] == pytest.approx([0.4, 0.8, 0.4, 0])
    assert schedule.learning_rate(small.config(Path("out"), optimizer={"lr": 0.8, "warmup": 0}), 1) == 0.8


def test_the_parts_of_a_step_are_batches_of_one_head_in_a_row() -> None:
    # two heads, three parts: human turns are batches 1 3 5 and 7 9 11, mouse turns 2 4 6 and 8 10 12
    config = small.config(Path("out"), batch=6, accumulate=3)
    parts = [list(schedule.parts(config, number)) for number in (1, 2, 3, 4)]
    assert parts == [[1, 3, 5], [2, 4, 6], [7, 9, 11], [8, 10, 12]]


@pytest.mark.parametrize(("processes", "accumulate"), [(1, 1), (2, 1), (1, 3), (3, 2)])
def test_a_batch_is_the_same_however_it_is_shared(tmp_path: Path, processes: int, accumulate: int) -> None:
    data = small.data(tmp_path / "data")
    config = small.config(tmp_path / "out", batch=6, accumulate=accumulate)
    run = start(config, data)
    window, share = Window(2048, 128, 8), schedule.share(config, processes)
    feeds = [Feed(run.train, window, config.seed, share, rank, processes) for rank in range(processes)]
    for number in (1, 2, 5):
        numbers = schedule.parts(config, number)
        seen = [feed.draws(part) for part in numbers for feed in feeds]
        head = ("human", "mouse")[(number - 1) % 2]
        turn = (number - 1) // 2
        assert {name for name, _ in seen} == {head}
        expected = [run.train[head].draw(window, (0, head), turn * 6 + i) for i in range(6)]
        assert list(chain.from_iterable(draws for _, draws in seen)) == expected


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    config = small.config(Path("out"), batch=6, accumulate=2)
    assert schedule.share(config, 3) == 1
    with pytest.raises(InputError, match="a batch of 6 cannot be shared by 2 processes in 2 parts each; give a multi"):
        schedule.share(config, 2)


def test_dropout_differs_between_steps_parts_and_processes() -> None:
    config = small.config(Path("out"))
    places = [(1, 1, 0), (2, 1, 0), (1, 2, 0), (1, 1, 1), (1, 2, 1)]
    assert len({schedule.dropout_seed(config, *place) for place in places}) == len(places)
    assert schedule.dropout_seed(config, 3, 1, 0) == schedule.dropout_seed(config, 3, 1, 0)
    assert schedule.dropout_seed(small.config(Path("out"), seed=1), 3, 1, 0) != schedule.dropout_seed(config, 3, 1, 0)


@pytest.mark.parametrize(
    ("step", "best_step", "patience", "ended"),
    [(5, 2, 0, False), (6, 2, 0, True), (4, 2, 2, False), (5, 2, 2, False), (5, 1, 2, True)],
)
def test_a_run_ends_after_its_steps_or_when_nothing_gets_better(
    step: int, best_step: int, patience: int, ended: bool
) -> None:
    config = small.config(Path("out"), steps=6, validation={"every": 2, "patience": patience})
    assert schedule.ended(config, Progress(step, 0.5, best_step)) is ended
