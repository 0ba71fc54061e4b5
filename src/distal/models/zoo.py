"""Model folders: what a model is, kept beside its weights, and where models are found; knows no genome and no download.

A model folder holds::

    config.json          format, name, family, architecture, heads, licence, provenance
    model.safetensors    every tensor of the module's state dict, under its own name
    targets_<head>.txt   the track table of a head (Basenji's format), where there is one
    README.md            the model card, where there is one

Loading is strict: every tensor of the module is in the file with its shape, and nothing else is. Weights stored as
float16 (the models that ship with distal) become float32 when they are loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from distal import markup
from distal.coords import Window
from distal.errors import InputError
from distal.files import digest, replacing
from distal.models.fetch import cache_folder
from distal.models.sources import KNOWN
from distal.tracks import TrackTable, read_targets, write_targets

if TYPE_CHECKING:
    from torch import Tensor, nn

FORMAT = "distal-1"
CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
FAMILIES = {
    "enformer": ("distal.models.enformer", "EnformerConfig", "Enformer"),
    "basenji2": ("distal.models.basenji2", "Basenji2Config", "Basenji2"),
    "borzoi": ("distal.models.borzoi", "BorzoiConfig", "Borzoi"),
}
SHIPPED = Path(__file__).parent / "shipped"
_KEYS = {"format", "name", "family", "architecture", "heads", "licence", "provenance"}


class Config(Protocol):
    """What every family's config offers: the module's numbers, its geometry and its heads."""

    @property
    def heads(self) -> Mapping[str, int]:
        """Tracks of each head."""

    @property
    def window(self) -> Window:
        """Input length, bin size and number of bins."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, for config.json."""


@dataclass(frozen=True)
class Spec:
    """A model's card as data: everything that config.json says, and where it lies."""

    name: str
    family: str
    config: Config
    licence: str
    provenance: Mapping[str, Any] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)
    """Name of the track table in `folder`, for each head that has one."""
    folder: Path | None = None

    @property
    def window(self) -> Window:
        """What the model reads and says."""
        return self.config.window

    @property
    def heads(self) -> Mapping[str, int]:
        """Tracks of each head."""
        return self.config.heads

    def __repr__(self) -> str:
        heads = ", ".join(f"{name} {tracks:,} tracks" for name, tracks in self.heads.items())
        return f"Spec({self.name}, {self.family}: {self.window}, {heads})"

    def _repr_html_(self) -> str:
        heads = {name: f"{tracks:,} tracks" for name, tracks in self.heads.items()}
        facts = {"family": self.family, "window": str(self.window), "heads": heads, "licence": self.licence}
        made = {name: value for name, value in self.provenance.items() if isinstance(value, str | int | float)}
        return markup.card(self.name, {}, markup.facts(facts | made))

    @cached_property
    def weights_sha256(self) -> str:
        """SHA-256 of model.safetensors; empty for a model that is in no folder."""
        return "" if self.folder is None else digest(self.folder / WEIGHTS)


def save(
    module: nn.Module,
    folder: str | Path,
    spec: Spec,
    tables: Mapping[str, TrackTable | None] | None = None,
    dtype: Literal["float32", "float16"] = "float32",
    card: str = "",
) -> Path:
    """Write `module` as a model folder, made if need be, and return it; files of another kind in it stay.

    `spec` names the model and holds the module's config (its `targets` and `folder` are not looked at). `tables` are
    written as ``targets_<head>.txt`` and must have the head's length. `dtype` is how the weights are stored. `card`
    becomes README.md. Each file appears whole or not at all, config.json last. Raises `InputError` where a weight does
    not fit float16 or the folder cannot be written.
    """
    folder = Path(folder)
    known = {head: table for head, table in (tables or {}).items() if table is not None}
    for head, table in known.items():
        _check_table(head, len(table), spec.heads, "the track table")
    if module.config != spec.config:
        raise ValueError(f"spec {spec.name} describes {spec.config}, the module is {module.config}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / WEIGHTS) as temporary:
            _write_weights(module, temporary, dtype)
        for head, table in known.items():
            write_targets(table, folder / f"targets_{head}.txt")
        if card:
            with replacing(folder / CARD) as temporary:
                temporary.write_text(card)
        with replacing(folder / CONFIG) as temporary:
            temporary.write_text(json.dumps(_to_json(spec, known), indent=2) + "\n")
    except OSError as error:
        raise InputError(f"the model cannot be written to {folder}: {error}") from None
    return folder


def open_folder(folder: str | Path) -> tuple[nn.Module, Spec, dict[str, TrackTable | None]]:
    """The module in evaluation mode (float32, on the CPU), its spec, and each head's track table (None where unknown).

    Raises `InputError` for a folder that holds no model, a config.json that is not understood, weights that are
    damaged or that do not fit, and track tables of another length.
    """
    folder = Path(folder)
    spec = read_spec(folder)
    return _load(spec, folder / WEIGHTS), spec, read_tables(spec)


def read_tables(spec: Spec) -> dict[str, TrackTable | None]:
    """Each head's track table from the spec's folder, None where there is none. Raises `InputError`."""
    tables: dict[str, TrackTable | None] = {}
    for head in spec.heads:
        tables[head] = None
        if spec.folder is not None and head in spec.targets:
            path = spec.folder / spec.targets[head]
            tables[head] = table = read_targets(path)
            _check_table(head, len(table), spec.heads, f"{path}")
    return tables


def read_spec(folder: str | Path) -> Spec:
    """What config.json says, checked; the weights are not opened. Raises `InputError`."""
    folder = Path(folder)
    path = folder / CONFIG
    values = read_config(folder)
    family = values["family"]
    if family not in FAMILIES:
        raise InputError(f"{path}: family {family!r} is not one of {', '.join(FAMILIES)}")
    module_name, config_name, _ = FAMILIES[family]
    try:
        config: Config = getattr(import_module(module_name), config_name).from_json(values["architecture"])
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(f"{path}: the architecture is not one of {family}: {error}") from None
    heads = {head: entry.get("tracks") for head, entry in values["heads"].items()}
    if heads != dict(config.heads):
        raise InputError(f"{path}: heads {heads} contradict the architecture's {dict(config.heads)}")
    targets = {head: entry["targets"] for head, entry in values["heads"].items() if entry.get("targets")}
    if any(Path(name).name != name for name in targets.values()):
        raise InputError(f"{path}: track tables are named as files of the same folder, not {sorted(targets.values())}")
    return Spec(values["name"], family, config, values["licence"], values["provenance"], targets, folder)


def blank(spec: Spec) -> nn.Module:
    """The module that `spec` describes, with shapes but without weights or memory (on torch's meta device)."""
    import torch

    module_name, _, class_name = FAMILIES[spec.family]
    with torch.device("meta"):
        module: nn.Module = getattr(import_module(module_name), class_name)(spec.config)
    return module


def read_config(folder: str | Path) -> dict[str, Any]:
    """config.json as it stands, its form checked but not its architecture: cheap, it needs no torch. `InputError`."""
    path = Path(folder) / CONFIG
    try:
        values = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path} line {error.lineno}: not JSON ({error.msg}); export or import the model again"
        ) from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        found = values.get("format") if isinstance(values, dict) else type(values).__name__
        raise InputError(f"{path}: format {found!r} is not {FORMAT!r}; `distal models import` makes a folder of it")
    if set(values) != _KEYS:
        missing, extra = sorted(_KEYS - set(values)), sorted(set(values) - _KEYS)
        raise InputError(f"{path}: missing {missing or 'nothing'}, not understood {extra or 'nothing'}")
    heads = values["heads"]
    if not isinstance(heads, dict) or not all(isinstance(entry, dict) for entry in heads.values()):
        raise InputError(
            f'{path}: heads is not of the form {{"human": {{"tracks": 74, "targets": "targets_human.txt"}}}}'
        )
    return values


def find(name_or_folder: str | Path) -> Path:
    """The folder of a model: one that ships with distal, then one that was fetched, then a path.

    Write ``./name`` for a folder of your own that has the name of a zoo model. Raises `InputError` with the remedy.
    """
    text = str(name_or_folder)
    here = installed()
    if text in here:
        return here[text]
    folder = Path(text).expanduser()
    if (folder / CONFIG).is_file():
        return folder
    if folder.exists():
        raise InputError(
            f"{text} is not a model folder (no {CONFIG} in it); `distal models import` makes one of weights"
        )
    if text in KNOWN:
        remedy = f"`distal models fetch {text}` downloads about {KNOWN[text].size / 1e6:,.0f} MB"
        raise InputError(f"the weights of {text} are not here; {remedy}")
    near = get_close_matches(text, [*here, *KNOWN], n=1)
    meant = f"did you mean {near[0]}?" if near else "`distal models list` shows what there is"
    raise InputError(f"there is no model and no folder {text!r}; {meant}")


def installed() -> dict[str, Path]:
    """Folders of the models that ship with distal and of those that were fetched, by name."""
    homes = (SHIPPED, cache_folder() / "models")
    return {
        folder.name: folder
        for home in reversed(homes)
        if home.is_dir()
        for folder in sorted(home.iterdir())
        if (folder / CONFIG).is_file()
    }


def _to_json(spec: Spec, tables: Mapping[str, TrackTable]) -> dict[str, Any]:
    heads = {
        head: {"tracks": tracks, "targets": f"targets_{head}.txt" if head in tables else None}
        for head, tracks in spec.heads.items()
    }
    return {
        "format": FORMAT,
        "name": spec.name,
        "family": spec.family,
        "architecture": spec.config.to_json(),
        "heads": heads,
        "licence": spec.licence,
        "provenance": dict(spec.provenance),
    }


def _check_table(head: str, rows: int, heads: Mapping[str, int], where: str) -> None:
    if heads.get(head) != rows:
        raise InputError(f"{where} of head {head!r} has {rows} rows, the model gives {heads.get(head, 'no')} tracks")


def _load(spec: Spec, path: Path) -> nn.Module:
    """The module that `spec` describes with the weights of `path`."""
    module = blank(spec)
    tensors = _read_weights(path)
    _check_tensors(path, {name: tensor.shape for name, tensor in module.state_dict().items()}, tensors)
    module.load_state_dict(tensors, strict=True, assign=True)
    left = [name for name, tensor in (*module.named_parameters(), *module.named_buffers()) if tensor.is_meta]
    if left:
        raise RuntimeError(f"{type(module).__name__} keeps tensors outside its state dict: {left}")
    return module.eval()


def _read_weights(path: Path) -> dict[str, Tensor]:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise InputError(f"{path} is missing; fetch, import or export the model again")
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path} is damaged or no safetensors file ({error}); fetch or export the model again"
        ) from None
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise InputError(f"{path}: weight {name} holds NaN or infinity; the model cannot predict with it")
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def _check_tensors(path: Path, expected: Mapping[str, Any], found: Mapping[str, Tensor]) -> None:
    complaints = {
        "missing": [name for name in expected if name not in found],
        "unknown": [name for name in found if name not in expected],
        "of another shape": [
            f"{name} {list(found[name].shape)} instead of {list(shape)}"
            for name, shape in expected.items()
            if name in found and found[name].shape != shape
        ],
    }
    parts = [f"{len(names)} tensors {kind} ({_few(names)})" for kind, names in complaints.items() if names]
    if parts:
        raise InputError(f"{path} does not fit its {CONFIG}: {'; '.join(parts)}")


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _write_weights(module: nn.Module, path: Path, dtype: str) -> None:
    import torch
    from safetensors.torch import save_file

    target = {"float32": torch.float32, "float16": torch.float16}[dtype]
    tensors = {}
    for name, tensor in module.state_dict().items():
        stored = tensor.detach().cpu().to(target) if tensor.is_floating_point() else tensor.detach().cpu()
        if not torch.isfinite(stored).all():
            raise InputError(f"weight {name} is not finite or does not fit {dtype}; store the model as float32")
        tensors[name] = stored.contiguous()
    save_file(tensors, path, metadata={"format": "pt"})
