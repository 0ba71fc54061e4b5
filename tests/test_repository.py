"""The repository as a stranger finds it: no machine's paths, no large files, every file says what it is for."""

import ast
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LARGEST = 8_000_000
LONGEST = 400
_SLASH = "/"  # the patterns below must not find themselves
MACHINE = re.compile(rf"{_SLASH}(?:work|root|farm|home)/\w|{_SLASH}tmp/\w|(?:pypi|pythonhosted|npmjs)\.(?:org|com)")


def tracked() -> list[Path]:
    """Every file under version control; outside a clone there is nothing to check."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a clone of the repository")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def test_no_file_names_a_machine_or_a_registry():
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found = MACHINE.search(text)
        assert found is None, f"{path.relative_to(ROOT)} holds {found and found[0]!r}"


def test_no_file_is_large():
    sizes = {path: path.stat().st_size for path in tracked()}
    assert {path.name: size for path, size in sizes.items() if size > LARGEST} == {}
    assert sum(sizes.values()) < 30_000_000


@pytest.mark.parametrize("path", sources("src", "tests", "scripts", "bench"), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_source_file_begins_by_saying_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text())), "the first line of a file is one sentence: what it knows"


@pytest.mark.parametrize("path", sources("src"), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_source_file_is_short_enough_to_read(path):
    assert len(path.read_text().splitlines()) <= LONGEST


def test_the_scripts_can_be_run():
    for name in ("scripts/install", "scripts/demo", "scripts/test", "scripts/check", "scripts/docs", ".ci/run"):
        assert os.access(ROOT / name, os.X_OK), name
        assert "set -euo pipefail" in (ROOT / name).read_text(), name


def test_the_pinned_versions_are_plain_and_hold_what_distal_needs():
    lines = [line for line in (ROOT / "constraints" / "py311-cpu.txt").read_text().splitlines() if line[0] != "#"]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line) for line in lines)
    assert {"torch", "numpy", "pysam", "cyclopts", "pytest", "ruff"} <= {line.partition("==")[0] for line in lines}


def test_the_licence_is_whole_and_the_notice_names_what_ships():
    licence = (ROOT / "LICENSE").read_text()
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    notice = (ROOT / "NOTICE").read_text()
    for folder in (ROOT / "src" / "distal" / "models" / "shipped").glob("*/"):
        assert folder.name in notice


def test_the_readme_names_every_verb():
    from distal.cli import VERBS

    readme = (ROOT / "README.md").read_text()
    for verb in VERBS:
        assert f"distal {verb}" in readme, verb
