"""The page of all commands has every verb with every option, and none that the command line would refuse."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType

import pytest
from markdown_it import MarkdownIt
from tests.docs.reading import ROOT

from distal.cli import GROUPS, VERBS, app, main


@pytest.fixture(scope="module")
def verbs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verbs", ROOT / "docs" / "verbs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sections(verbs: ModuleType) -> dict[str, str]:
    """What the page says of each verb."""
    parts = re.split(r"^##+ `distal ([\w -]+)`\n", verbs.page(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_page_has_every_verb_and_group(sections: dict[str, str]) -> None:
    assert set(sections) == {*VERBS, *GROUPS}


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_is_shown_with_the_options_that_it_takes(
    verb: str, sections: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*verb.split(), "--help"]) == 0
    helped = set(re.findall(r"--[a-z][\w-]*", capsys.readouterr().out))
    shown = re.findall(r"^`(--[a-z][\w-]*)", sections[verb], re.MULTILINE)
    assert set(shown) <= helped
    _, chosen, _ = app.parse_commands(verb.split())
    options = [one.name for one in chosen[-1].assemble_argument_collection() if one.name.startswith("--")]
    assert sorted(shown) == sorted(options)


def test_values_and_defaults_are_said(sections: dict[str, str]) -> None:
    assert "`--kind signed|size|top` (default `signed`)" in sections["disease annot"]
    assert "`--fasta PATH` (required)" in sections["predict"]
    assert "`--shifts NUMBER` (default `0`)" in sections["predict"]
    assert "`--rc`\n" in sections["predict"]
    assert "`--steps NUMBER`\n" in sections["train"]


def test_a_docstrings_signs_stand_for_themselves(verbs: ModuleType) -> None:
    text = "X.<track>.bw, *.tsv, SAD_501 and `a_b*c`"
    (inline,) = [token for token in MarkdownIt().parse(verbs._plain(text)) if token.type == "inline"]
    assert "".join(child.content for child in inline.children or ()) == text.replace("`", "")
    assert [child.content for child in inline.children or () if child.type == "code_inline"] == ["a_b*c"]
