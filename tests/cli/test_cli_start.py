"""The command line: every verb explains itself, exit codes mean what they say, and starting is cheap."""

import subprocess
import sys

import pytest

import distal
from distal import cli
from distal.cli.console import SomeFailed
from distal.errors import InputError


@pytest.mark.parametrize("tokens", [[], ["--help"], ["-h"]])
def test_help_lists_every_verb_in_order(tokens, capsys):
    assert cli.main(tokens) == 0
    out = capsys.readouterr().out
    places = [out.index(f"│ {name} ") for name in dict.fromkeys(path.split()[0] for path in cli.VERBS)]
    assert places == sorted(places)


@pytest.mark.parametrize("group", cli.GROUPS)
def test_a_group_lists_its_verbs(group, capsys):
    assert cli.main([group]) == 0
    out = capsys.readouterr().out
    for path in cli.VERBS:
        if path.startswith(f"{group} "):
            assert f"│ {path.split()[1]} " in out


@pytest.mark.parametrize("verb", cli.VERBS)
def test_a_verb_shows_its_docstring_and_documents_every_option(verb, capsys):
    assert cli.main([*verb.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert f"Usage: distal {verb}" in out
    _, chosen, _ = cli.app.parse_commands(verb.split())
    function = chosen[-1].default_command
    assert function.__doc__.split("\n")[0].split()[:4] == out.split("\n\n")[1].split()[:4]
    for option in chosen[-1].assemble_argument_collection(parse_docstring=True):
        grouped = option.name == "*"  # a group of options has none itself
        assert grouped or option.parameter.help, f"{verb}: {option.name} is not documented"


@pytest.mark.parametrize("verb", cli.VERBS)
def test_a_verb_prints_json_on_request(verb):
    _, chosen, _ = cli.app.parse_commands(verb.split())
    assert "--json" in {option.name for option in chosen[-1].assemble_argument_collection()}


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"distal {distal.__version__}\n"


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["predikt"], "no command 'predikt' in `distal`; did you mean predict?"),
        (["models", "lst"], "no command 'lst' in `distal models`; did you mean list?"),
        (["frobnicate"], "there are demo, models, predict"),
        (["models", "info"], "See `distal models info --help`."),
        (["models", "list", "--colour"], "Unknown option: --colour"),
        (["models", "info", "no-such-model"], "there is no model and no folder 'no-such-model'"),
    ],
)
def test_what_the_user_gets_wrong_is_one_line_and_exit_code_2(tokens, message, capsys):
    assert cli.main(tokens) == 2
    streams = capsys.readouterr()
    assert message in streams.err
    assert streams.err.startswith("distal: ")
    assert streams.err.count("\n") == 1
    assert streams.out == ""


@pytest.fixture
def failing(monkeypatch):
    """A verb that raises what the test puts into the list."""
    raised: list[BaseException] = []

    def fail() -> None:
        """Fail."""
        raise raised[0]

    app = cli._build()
    app.command(fail, name="fail")
    monkeypatch.setattr(cli, "app", app)
    monkeypatch.delenv("DISTAL_DEBUG", raising=False)
    return raised


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (InputError("x.vcf line 3: bad\n  allele; fix it"), 2, "distal: x.vcf line 3: bad allele; fix it\n"),
        (SomeFailed("2 of 9 variants failed, listed in out/failed.tsv"), 3, "distal: 2 of 9 variants failed"),
        (KeyboardInterrupt(), 130, "distal: stopped\n"),
        (OSError(28, "No space left on device"), 1, "distal: the machine refused: [Errno 28] No space left"),
        (
            ZeroDivisionError("x"),
            1,
            "distal: a fault in distal: ZeroDivisionError: x (DISTAL_DEBUG=1 shows the traceback)",
        ),
        (ValueError("shape"), 1, "distal: a fault in distal: ValueError: shape"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_exit_codes(failing, error, code, message, capsys):
    failing.append(error)
    assert cli.main(["fail"]) == code
    streams = capsys.readouterr()
    assert streams.err.startswith(message)
    assert streams.err.count("\n") == 1


def test_debugging_adds_the_traceback(failing, monkeypatch, capsys):
    monkeypatch.setenv("DISTAL_DEBUG", "1")
    failing.append(ZeroDivisionError("x"))
    assert cli.main(["fail"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_leaves_early_is_no_error():
    script = "import sys; from distal.cli import main; sys.exit(main())"
    shell = f'{sys.executable} -c "{script}" models list --json | true; echo ${{PIPESTATUS[0]}}'
    finished = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True)
    assert finished.stderr == ""
    assert finished.stdout.strip() in ("0", "141")  # 0 where the pipe had room for all of it before it closed


@pytest.mark.parametrize("tokens", [["--help"], ["--version"], ["models"]])
def test_help_imports_nothing_heavy(tokens):
    heavy = ("torch", "polars", "matplotlib", "h5py", "pysam", "numpy", "pydantic", "safetensors", "scipy", "sklearn")
    script = (
        f"import sys; from distal.cli import main; code = main({tokens!r}); "
        f"print([n for n in {heavy} if n in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert finished.stderr.strip() == "[]"


def test_listing_models_needs_no_torch():
    script = "import sys; from distal.cli import main; main(['models', 'list']); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
