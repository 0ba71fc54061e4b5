"""What `import distal` offers is what is importable, cheap, and of the version that the changelog describes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import distal

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", distal.__all__)
def test_a_public_name_is_there_and_documented(name):
    assert getattr(distal, name).__doc__


@pytest.mark.parametrize("name", distal.__all__)
def test_no_module_hides_a_public_name(name):
    module = distal._WHERE[name]
    script = f"import distal, {module}; assert callable(distal.{name}), distal.{name}"
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert not finished.returncode, finished.stderr


def test_the_list_of_public_names_is_complete_and_sorted():
    assert list(distal.__all__) == sorted(distal.__all__)
    assert {*distal.__all__, "__version__"} <= set(dir(distal))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'enformer'"):
        _ = distal.enformer


def test_the_version_is_that_of_the_changelog():
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert distal.__version__ == newest[1]


def test_importing_distal_imports_nothing_heavy():
    heavy = ("torch", "polars", "matplotlib", "h5py", "pysam", "numpy", "pydantic", "cyclopts")
    script = f"import sys, distal; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"
