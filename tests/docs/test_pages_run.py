"""What README and docs print runs as it is printed, on small files of the same names; what doesn't says why."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs import sandbox
from tests.docs.reading import PAGES, ROOT, Block, blocks, commands

from distal.cli import main
from distal.models import zoo

ELSEWHERE = {"yeast.md": "tests/test_yeast.py", "rest.md": "tests/web/test_rest_page.py"}
"""Pages whose commands run in tests of their own."""
SHARDS = 7
FEWER = {"8": "1"}
"""Threads and workers that a test's machine hasn't got."""


def to_run(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.language in ("sh", "python") and not block.not_run]


WITH_COMMANDS = [page for page in PAGES if to_run(page)]


def jobs(script: str) -> list[list[str]]:
    """The command lines of a block, one for each job of an array."""
    turns = range(1, SHARDS + 1) if "$SLURM_ARRAY_TASK_ID" in script else [0]
    return [words for job in turns for words in commands(script.replace("$SLURM_ARRAY_TASK_ID", str(job)))]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sandbox.shipped(tmp_path_factory.mktemp("models"))


@pytest.mark.parametrize(
    "page", [page for page in WITH_COMMANDS if page.name not in ELSEWHERE], ids=lambda page: page.name
)
def test_a_page_runs(
    page: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.FILES[page.name](tmp_path)
    (tmp_path / "M").symlink_to(models / "enformer-mini")
    monkeypatch.setattr(zoo, "SHIPPED", models)
    monkeypatch.chdir(tmp_path)
    for block in to_run(page):
        if block.language == "python":
            exec(compile(block.text, str(block), "exec"), {})
            continue
        for words in jobs(block.text):
            assert words[0] == "distal", f"{block}: say why the tests don't run {words[0]}"
            code = main([FEWER.get(word, word) for word in words[1:]])
            assert code == 0, (str(block), words, capsys.readouterr().err)
    AFTERWARDS.get(page.name, _nothing)(tmp_path, capsys.readouterr().out)


def _nothing(folder: Path, printed: str) -> None:
    """Most pages have run when they have run."""


def _readme(folder: Path, printed: str) -> None:
    assert "(10, 1)" in printed  # 1,280 bp are ten bins of 128 bp; one DNase track of HepG2
    assert "'scored': 1" in printed
    for name in ("annotated.vcf.gz",):
        assert (folder / "scores" / name).is_file()
    for name in ("array/scores/chr20.h5", "calibrated/summary.json", "compared/tracks.tsv"):
        assert (folder / name).is_file(), name


AFTERWARDS = {"README.md": _readme}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_page_that_runs_elsewhere_is_read_there(name: str) -> None:
    assert name in (ROOT / ELSEWHERE[name]).read_text()


def test_no_page_is_prepared_for_nothing() -> None:
    assert set(sandbox.FILES) == {page.name for page in WITH_COMMANDS} - set(ELSEWHERE)
