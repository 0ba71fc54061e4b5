"""Speed and memory, measured: a file with a `main` is one command, `python -m bench.NAME` from the repository root."""
