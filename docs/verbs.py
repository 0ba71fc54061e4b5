"""The page of all commands, from what the command line itself knows of its verbs; knows no verb by name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from cyclopts import App

from distal.cli import GROUPS, VERBS, app

_HEAD = """# Every command

What `distal VERB --help` says. Every verb has an [example](gallery/index.rst). Options that take several values may be
given several times. Progress goes to stderr, results to files or stdout.
"""
_NOTHING = (None, "", (), False, inspect.Parameter.empty)
"""Defaults that say nothing."""


def page() -> str:
    """Markdown: a section a verb or group of verbs."""
    parts, last = [_HEAD], ""
    for verb, line in VERBS.items():
        group = verb.rpartition(" ")[0]
        if group and group != last:
            parts.append(f"## `distal {group}`\n\n{GROUPS[group]}\n")
        last = group
        parts += [f"{'###' if group else '##'} `distal {verb}`\n", *_verb(verb, line)]
    return "\n".join(parts)


def _verb(verb: str, line: str) -> Iterator[str]:
    _, chosen, _ = app.parse_commands(verb.split())
    command = chosen[-1]
    prose = (inspect.getdoc(command.default_command) or line).partition("\nParameters\n---")[0].strip()
    yield f"{_plain(prose)}\n"
    groups: dict[str, list[Any]] = {}
    for option in _options(command):
        (group,) = option.parameter.group or (None,)
        name = getattr(group, "name", "")
        groups.setdefault("" if name in ("Parameters", "Arguments") else name, []).append(option)
    for name, options in groups.items():
        if name:
            yield f"*{name}*\n"
        yield from (_option(option) for option in options)


def _options(command: App) -> list[Any]:
    return [one for one in command.assemble_argument_collection(parse_docstring=True) if one.show and one.name != "*"]


def _option(option: Any) -> str:
    """One entry of a list of definitions."""
    said = [option.name, *_values(option.hint)]
    about = ["required"] if option.required else []
    if option.field_info.default not in _NOTHING and option.parameter.show_default is not False:
        about.append(f"default {_shown(option.field_info.default)}")
    head = f"`{' '.join(said)}`" + (f" ({', '.join(about)})" if about else "")
    text = _plain(" ".join((option.parameter.help or "").split()))
    return f"{head}\n: {text}\n"


def _values(hint: Any) -> list[str]:
    """What an option takes, where that is one of a few words; `NUMBER`, `FILE` or `TEXT` else; nothing for a switch."""
    if hint is bool:
        return []
    if get_origin(hint) is Literal:
        return ["|".join(map(str, get_args(hint)))]
    kinds = {int: "NUMBER", float: "NUMBER", Path: "PATH", str: "TEXT"}
    if hint in kinds:
        return [kinds[hint]]
    for inner in get_args(hint):
        if found := _values(inner) if inner not in (type(None), ...) else []:
            return found
    return []


def _shown(default: Any) -> str:
    return f"`{','.join(map(str, default)) if isinstance(default, tuple | list) else default}`"


def _plain(text: str) -> str:
    """A docstring as Markdown takes it: what is a sign there stands for itself, but in code."""
    pieces = re.split(r"(`[^`]*`|\n {4}.*)", text)
    return "".join(piece if i % 2 else re.sub(r"([*_<>\[\]|])", r"\\\1", piece) for i, piece in enumerate(pieces))
