"""No command of README and docs escapes: each is parsed by the program that it is for, option by option."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
from cyclopts import MissingArgumentError
from tests.docs.reading import NOT_RUN, OTHERS, PAGES, PROGRAMS, ROOT, Block, blocks, commands, spans

from distal.cli import GROUPS, VERBS, app
from distal.evals import report
from distal.train.config import Config

LANGUAGES = ("sh", "python", "toml", "")
SHOWN = ("README.md", "CONTRIBUTING.md", "yeast.md")
"""Pages with a block that is in no language: a tree of files, the address of a file."""


def every(language: str) -> list[Block]:
    return [block for page in PAGES for block in blocks(page, language) if block.language == language]


def check(words: list[str], whole: bool = True) -> None:
    """Raise where a command cannot be meant; `whole`: nothing that it needs may be missing."""
    for i, word in enumerate(words[:3]):  # `distal data lift|overlap` names two
        if "|" in word:
            for one in word.split("|"):
                check([*words[:i], one, *words[i + 1 :]], whole)
            return
    program, *rest = [word for i, word in enumerate(words) if i or "=" not in word]  # NAME=VALUE goes before
    if program == "distal":
        distal(rest, whole)
    elif "distal" in rest:  # torchrun ... --no-python distal train ...
        distal(rest[rest.index("distal") + 1 :], whole)
    elif program == "python":
        assert rest[0] == "-m", words
        if rest[1] != "venv":
            benchmark(rest[1], rest[2:])
    elif program in ("pytest", "scripts/test"):
        of_tests(rest)
    elif program == "pip":
        install(rest)
    elif "/" in program:
        assert program.startswith((".venv/bin/", "bench/.peers")) or (ROOT / program).is_file(), words
    else:
        assert program in PROGRAMS, f"{program} is no program that these tests know"


def distal(words: list[str], whole: bool) -> None:
    if words == ["VERB", "--help"] or words[:2] in (["--help"], ["--version"]):
        return
    place = " ".join(words[:2]) if words[0] in GROUPS and len(words) > 1 else words[0]
    assert place in VERBS or place in GROUPS, f"no verb {place!r}"
    rest = words[len(place.split()) :]
    if not whole and (not rest or rest == ["--help"]):
        return
    if not whole:  # a sentence writes N for a number
        words = ["1" if word == "N" else word for word in words]
    try:
        app.parse_args(words, exit_on_error=False, print_error=False)
    except MissingArgumentError:
        if whole:
            raise


def benchmark(module: str, words: list[str]) -> None:
    """A program of bench/ that knows the options, which are spelled out in its file or in the one that all share."""
    file = ROOT / (module.replace(".", "/") + ".py")
    assert file.is_file(), file
    known = file.read_text() + "".join((ROOT / "bench" / name).read_text() for name in ("sides.py", "command.py"))
    for word in words:
        assert not word.startswith("--") or f'"{word}"' in known, f"{module} has no {word}"


def of_tests(words: list[str]) -> None:
    """Files and folders that are there, and words of -k that name a test in them."""
    chosen = words[words.index("-k") + 1] if "-k" in words else ""
    paths = [ROOT / word for word in words if word.startswith("tests")]
    assert all(path.exists() for path in paths), words
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("test_*.py"))]
    assert not chosen or any(re.search(rf"def test_\w*{chosen}", file.read_text()) for file in files), chosen


def install(words: list[str]) -> None:
    assert words[0] == "install"
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for word in words[1:]:
        assert not word.endswith(".txt") or (ROOT / word).is_file(), word
        if named := re.fullmatch(r"(?:distal|\.)\[([\w,]+)\]", word):
            assert set(named[1].split(",")) <= set(extras), word


@pytest.mark.parametrize("block", every("sh"), ids=str)
def test_a_block_of_commands_is_understood(block: Block) -> None:
    found = list(commands(block.text))
    assert found
    for words in found:
        check(words)


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=lambda page: f"{page.parent.name}/{page.name}")
def test_commands_in_sentences_are_understood(page: Path) -> None:
    for line, text in spans(page):
        try:
            check(next(commands(text)), whole=False)
        except Exception as error:
            raise AssertionError(f"{page.name}:{line}: {text}: {error}") from error


def test_blocks_of_other_pages_are_understood() -> None:
    for page in OTHERS:
        for block in blocks(page):
            for words in commands(block.text) if block.language in ("", "sh") else ():
                check(words)


@pytest.mark.parametrize("block", every("python"), ids=str)
def test_python_is_python(block: Block) -> None:
    ast.parse(block.text)


@pytest.mark.parametrize("block", every("toml"), ids=str)
def test_toml_is_what_it_is_for(block: Block, tmp_path: Path) -> None:
    values = tomllib.loads(block.text)
    if "steps" in values:
        Config.model_validate(values)
    else:
        (tmp_path / "plan.toml").write_text(block.text)
        assert set(report.read(tmp_path / "plan.toml").sections) == set(values)


def test_every_block_says_its_language() -> None:
    """So that none is taken for something that need not be run; commands are never only indented."""
    for page in PAGES:
        for block in blocks(page):
            language = block.language.strip("{}")
            assert language in (*LANGUAGES, "toctree", "eval-rst", "cyclopts", "include"), str(block)
            if block.language == "":
                assert not re.match(r"\s*(\$ |distal |python |pytest )", block.text), f"{block}: say that it is sh"
                assert page.name in SHOWN, f"{block} is in no language"


def test_what_is_not_run_says_why_and_how_long_it_takes() -> None:
    skipped = [block for page in PAGES for block in blocks(page) if block.not_run]
    assert skipped
    for block in skipped:
        assert re.search(r"\d|hour|minute|second|day", block.not_run), f"{block}: how long does it take?"
    for page in PAGES:  # the sentence stands nowhere else, where it would excuse nothing
        assert page.read_text().count(NOT_RUN) == sum(bool(block.not_run) for block in blocks(page)), page.name


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("distal predikt --model M", False),
        ("distal score --modell M --vcf v --fasta f --out o", False),
        ("distal score --model M --workers many --vcf v --fasta f --out o", False),
        ("distal contributions --model M --fasta f --target t --out o --method magic", False),
        ("distal ism --model M", True),
        ("python -m bench.forward --fast", False),
        ("python -m bench.backward", False),
        ("scripts/test tests/nowhere", False),
        ("pytest tests/data/test_build.py -k no_such_test", False),
        ("pip install 'distal[everything]'", False),
        ("curl x", False),
    ],
)
def test_what_cannot_be_meant_is_found(text: str, whole: bool) -> None:
    with pytest.raises(Exception):  # noqa: B017 (any of the kinds that a reader of a failing test can tell)
        check(next(commands(text)), whole)


def test_scripts_are_read_as_a_shell_reads_them() -> None:
    loop = "for side in pos neg; do\n  distal score --vcf $side.vcf \\\n    --out s/${side}  # both\ndone\n"
    script = f"{loop}# no\necho 'a b'\n"
    assert list(commands(script)) == [
        ["distal", "score", "--vcf", "pos.vcf", "--out", "s/pos"],
        ["distal", "score", "--vcf", "neg.vcf", "--out", "s/neg"],
        ["echo", "a b"],
    ]
