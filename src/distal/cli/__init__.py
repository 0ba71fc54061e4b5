"""The `distal` command: its verbs and its exit codes; knows no biology and imports no verb before it is asked for.

A verb is a plain function with typed keyword parameters in `cli/<verb>.py`; its docstring is its help. It returns
nothing when all is done, raises `InputError` when the user's input is wrong, and `SomeFailed` when it finished and some
items failed.

====  ===============================================================================================
code  meaning
====  ===============================================================================================
0     done
1     our fault, or the machine's (disk full, no memory): one line; DISTAL_DEBUG=1 adds the traceback
2     the command line or the user's input is wrong: one line with what, where and the remedy
3     finished, but some items failed: one line, and where they are listed
130   stopped with Ctrl-C
====  ===============================================================================================
"""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from cyclopts import App, CycloptsError, Parameter, UnknownCommandError

from distal import __version__
from distal.cli.console import SomeFailed, running, say
from distal.errors import InputError

if TYPE_CHECKING:
    from cyclopts.help import HelpPanel
    from rich.console import Console, ConsoleOptions

VERBS = {
    "demo": "The whole way on a real human locus, with the models that ship with distal.",
    "models list": "The models there are, and which are here.",
    "models info": "One model: geometry, size, tracks, licence, where its weights are.",
    "models fetch": "Download a published model's files; resumes and verifies.",
    "models import": "Convert published weights into a folder that distal reads.",
    "models begin": "A student that begins as its teacher, its new layers fitted to data.",
    "predict": "Predict tracks over regions: bigWig, HDF5 or npz.",
    "score": "Score every variant of a file, or compare two sets of scores.",
    "pcs fit": "Fit principal components to scores.",
    "pcs apply": "Turn scores into principal components.",
    "pcs info": "What components are made of: explained variance, the tracks that weigh most.",
    "calibrate build": "Make a null of the scores of common variants.",
    "calibrate apply": "Write each score's place in a null beside it.",
    "calibrate info": "What a null is made of.",
    "lookup": "Look up variants in scores that were written before.",
    "disease enrich": "Which cell types a trait's variants act in, against matched controls.",
    "disease cards": "An evidence card for each variant of a list.",
    "disease annot": "Scores as annotations for LDSC and SLDP.",
    "evolution polarise": "Scores of derived alleles against ancestral ones, and which way they move tracks.",
    "evolution orthologs": "Two heads' predictions for orthologous windows of two genomes, bin by bin.",
    "ism": "In-silico mutagenesis of a region: every base to every other.",
    "contributions": "What every base contributes to a prediction: gradients, mutagenesis, attention.",
    "motifs": "Known motifs under the most important bases of a region.",
    "enhancers": "Which elements regulate a gene: table, BEDPE and arcs.",
    "data splits": "Choose windows of a genome for training, validation and test.",
    "data build": "Make a data set of a genome and files of signal.",
    "data import-tfrecords": "Turn Basenji's TFRecords into a data set, on more bases if asked.",
    "data distil": "Make a data set of what a model predicts.",
    "data lift": "Move regions to another assembly of their genome.",
    "data overlap": "Check that no window has a base of a held-out region.",
    "data info": "What a data set holds, and which tracks look broken.",
    "train": "Train a model from a TOML file; goes on where it stopped.",
    "eval tracks": "Correlation of predicted with measured tracks on held-out windows.",
    "eval expression": "Expression of held-out genes, across genes and across tissues.",
    "eval allelic": "Predicted effects of SNVs against allele-specific accessibility.",
    "eval cagi5": "Effects of every substitution in 15 promoters and enhancers, against CAGI5's measurement.",
    "eval eqtl": "Which fine-mapped eQTL variants are causal, by random forests on their scores.",
    "eval direction": "Does a model predict which way an eQTL moves its gene?",
    "eval report": "Several models on several benchmarks, with paired tests: one HTML page.",
    "eval crispri": "Enhancers of genes as CRISPR interference found them, every method and baseline.",
    "eval long-range": "Accuracy by the distance of the enhancer, on simulated loci: train and compare.",
    "browse": "Look at predictions in a genome browser: a page on this machine.",
    "doctor": "What this machine can run, at what speed, and what is missing.",
}
"""Every verb and its line in `distal --help`, in that order; `a b` is function `b` of `cli/a.py`."""
GROUPS = {
    "disease": "What variant scores say of a trait.",
    "evolution": "Effects along a lineage, and one sequence in two species.",
    "data": "Make data sets and look at them.",
    "models": "List, describe, download, import and begin models.",
    "pcs": "Principal components of variant scores.",
    "calibrate": "How large a score is among those of common variants.",
    "eval": "Measure models on held-out data.",
}
_FUNCTIONS = {
    "models list": "list_models",
    "models import": "import_weights",
    "data import-tfrecords": "import_tfrecords",
    "eval long-range": "long_range",
}
_RESUMABLE = ("score", "train", "models", "data")


class _Page:
    """A help page as cyclopts makes it, with the lines of each option's docstring joined for the terminal to wrap."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print one panel."""
        from cyclopts.help import DefaultFormatter, InlineText
        from rich.text import Text

        for entry in panel.entries:
            if isinstance(entry.description, InlineText) and isinstance(entry.description.primary_renderable, Text):
                text = entry.description.primary_renderable
                text.plain = " ".join(text.plain.split())
        DefaultFormatter()(console, options, panel)

    def __getattr__(self, name: str) -> Any:
        """The rest of the page is cyclopts' own."""
        from cyclopts.help import DefaultFormatter

        return getattr(DefaultFormatter(), name)


def _build() -> App:
    """The command tree; a verb's module is imported when its name is on the command line."""
    root = App(
        name="distal",
        help="Gene expression and chromatin tracks from DNA sequence with Enformer and Basenji2.",
        version=f"distal {__version__}",
        version_flags=["--version"],
        help_format="plaintext",
        help_formatter=_Page(),
        default_parameter=Parameter(negative=()),
        suppress_keyboard_interrupt=False,
        result_action="return_value",
    )
    groups: dict[str, App] = {}
    for order, (path, line) in enumerate(VERBS.items()):
        group, _, verb = path.rpartition(" ")
        if group and group not in groups:
            groups[group] = App(name=group, help=GROUPS[group], sort_key=order)
            root.command(groups[group])
        function = _FUNCTIONS.get(path, verb)
        parent = groups[group] if group else root
        parent.command(f"distal.cli.{group or verb}:{function}", name=verb, help=line, sort_key=order)
    return root


app = _build()


def main(tokens: Sequence[str] | None = None) -> int:
    """Run one command line (`sys.argv` when None) and return its exit code; see the module's table."""
    arguments = list(sys.argv[1:] if tokens is None else tokens)
    try:
        with running(arguments):
            _run(arguments)
        sys.stdout.flush()
        return 0
    except BrokenPipeError:
        return _closed_pipe()
    except KeyboardInterrupt:
        more = "; run the same command again to go on" if arguments[:1] and arguments[0] in _RESUMABLE else ""
        return _fail(f"stopped{more}", 130)
    except UnknownCommandError:
        return _fail(_unknown(arguments), 2)
    except CycloptsError as error:
        return _fail(f"{' '.join(str(error).split())} See `distal{_named(arguments)} --help`.", 2)
    except InputError as error:
        return _fail(str(error), 2)
    except SomeFailed as error:
        return _fail(str(error), 3)
    except OSError as error:
        return _fail(f"the machine refused: {error}{_where_to_look()}", 1)
    except Exception as error:
        return _fail(f"a fault in distal: {type(error).__name__}: {error}{_where_to_look()}", 1)


def _run(arguments: list[str]) -> None:
    # A verb's line in VERBS is for the list of verbs; asked for by name, the verb shows its whole docstring.
    _, chosen, _ = app.parse_commands(arguments)
    for command in chosen[1:]:
        if command.default_command is not None:
            command.help = _prose(command.default_command)
    app(arguments, exit_on_error=False, print_error=False)


def _prose(function: object) -> str:
    """A docstring down to its parameters, each paragraph on one line so that the terminal can wrap it."""
    text = (inspect.getdoc(function) or "").partition("\nParameters\n---")[0].strip()
    paragraphs = text.split("\n\n")
    return "\n\n".join(part if "\n " in part else " ".join(part.split()) for part in paragraphs)


def _unknown(arguments: list[str]) -> str:
    """Which word names no verb, and what was meant; cyclopts' own sentence would import every verb to say it."""
    group = arguments[0] if arguments[0] in GROUPS else ""
    word = arguments[1] if group else arguments[0]
    known = [path.removeprefix(group).split()[0] for path in VERBS if path.startswith(group)]
    near = get_close_matches(word, known, n=1)
    meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(dict.fromkeys(known))}."
    return f"no command {word!r} in `{' '.join(('distal', group)).rstrip()}`; {meant}"


def _named(arguments: list[str]) -> str:
    """` verb` or ` group verb` as far as the command line names one that exists."""
    words = " ".join(arguments[:2])
    for path in (words, *arguments[:1]):
        if path in VERBS or path in GROUPS:
            return f" {path}"
    return ""


def _fail(message: str, code: int) -> int:
    say(f"distal: {' '.join(message.split())}")
    if os.environ.get("DISTAL_DEBUG", "0") != "0":
        traceback.print_exc()
    return code


def _where_to_look() -> str:
    return "" if os.environ.get("DISTAL_DEBUG", "0") != "0" else " (DISTAL_DEBUG=1 shows the traceback)"


def _closed_pipe() -> int:
    """Whoever read our output has gone (`distal models list | head`): leave quietly, as SIGPIPE would."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141
