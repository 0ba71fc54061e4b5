"""The gallery has an example of every verb, and tells all of its examples in an order."""

from __future__ import annotations

import ast
import shlex
from pathlib import Path

import pytest
from tests.docs.reading import ROOT

from distal.cli import VERBS

EXAMPLES = sorted((ROOT / "docs" / "examples").rglob("*.py"))
IN_PYTHON = {"eval long-range": "eval_long_range.py"}
"""Verbs that train for an hour, whose examples call their functions for less."""


def lines(path: Path) -> list[str]:
    """The command lines of an example: its texts that begin with the program's name."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            text = "".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
            found.append(text)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return [text for text in found if text.startswith("distal ")]


def told() -> dict[str, list[str]]:
    """The order of the gallery, section by section, as docs/pictures.py has it."""
    tree = ast.parse((ROOT / "docs" / "pictures.py").read_text())
    (story,) = [node for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "STORY"]
    return {section: names.split() for section, names in ast.literal_eval(story.value).items()}


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_has_an_example_that_runs_it(verb: str) -> None:
    if verb in IN_PYTHON:
        (path,) = [path for path in EXAMPLES if path.name == IN_PYTHON[verb]]
        assert f"distal {verb}" in path.read_text()
        return
    words = ["distal", *verb.split()]
    assert any(shlex.split(line)[: len(words)] == words for path in EXAMPLES for line in lines(path))


def test_every_example_is_told_in_its_section() -> None:
    assert {section: sorted(names) for section, names in told().items()} == {
        section: sorted(path.stem for path in EXAMPLES if path.parent.name == section) for section in told()
    }
    assert {path.parent.name for path in EXAMPLES} == set(told())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_begins_with_a_title_and_what_it_is_about(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    title, line, empty, *rest = text.splitlines()
    assert set(line) == {"="}
    assert len(line) == len(title)
    assert not empty
    assert any(f"distal {verb}" in " ".join(rest) for verb in VERBS)
