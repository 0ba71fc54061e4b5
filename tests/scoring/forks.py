"""A process that has imported what scoring needs, and forks a process group of its own for each command line it reads.

A command begins at once instead of after the seconds that imports take, so it can be killed often.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import TracebackType

from tests.engine.processes import group

from distal.cli import main


class Forks:
    """The process, from outside."""

    def __enter__(self) -> Forks:
        self._process = group(Path(__file__))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.communicate()

    def begin(self, folder: Path, words: list[str]) -> int:
        """Run `distal` with `words` in `folder`; returns the number of the process, which heads a group."""
        return int(self._ask([str(folder), *words]))

    def end(self) -> int:
        """Wait for the process begun last; its exit code, or minus the signal that ended it."""
        return int(self._ask([]))

    def _ask(self, words: list[str]) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


def serve() -> None:
    """Read command lines until there are no more; answer each with a process number, an empty one with an exit code."""
    child = 0
    for line in sys.stdin:
        words = json.loads(line)
        if words:
            answer = child = os.fork() or _run(*words)
            os.setpgid(child, child)  # the child does the same: whoever comes first, it is done when this is answered
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def _run(folder: str, *words: str) -> int:
    os.setpgid(0, 0)
    os.chdir(folder)
    for stream, name in ((0, os.devnull), (1, "stdout"), (2, "stderr")):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT, 0o600), stream)
    sys.argv = ["distal", *words]
    os._exit(main(words))


if __name__ == "__main__":
    import distal.cli.score
    import distal.scoring.components
    import distal.scoring.variants  # noqa: F401

    serve()
