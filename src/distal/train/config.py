"""What a training run is, read from TOML: the words of the file and their limits, nothing that happens."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from distal.errors import InputError

RECIPES = Path(__file__).parent.parent / "recipes"
Family = Literal["enformer", "basenji2", "borzoi"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSection(_Section):
    """`[model]`: which paper, and its configuration's fields (`heads` is filled in from the data)."""

    family: Family
    architecture: dict[str, Any] = Field(default_factory=dict)


class FinetuneSection(_Section):
    """`[finetune]`: start from a trained model, whose architecture it is; instead of `[model]`.

    Heads of the data with the model's names and tracks are taken over, others are new. Unless `batch_norm` says
    otherwise, its statistics stay those of the trained model.
    """

    model_config = ConfigDict(validate_by_name=True)

    base: str = Field(alias="from")
    """A model's name or folder."""
    mode: Literal["frozen", "lora", "full"] = "lora"
    """What learns beside the heads: nothing, low-rank changes of all matrices and kernels (merged at the end), all."""
    rank: int = Field(default=8, gt=0)
    """Of lora's changes."""
    alpha: float = Field(default=8.0, gt=0)
    """lora: a change counts alpha / rank."""
    architecture: dict[str, Any] = Field(default_factory=dict)
    """Fields of the model's configuration that differ from it: input_bp, bins, dropout; none that has weights."""


class SourceSection(_Section):
    """One of the data sets that a head learns from: a folder, relative to `--data`, and its share of the examples."""

    folder: str
    weight: float = Field(default=1.0, gt=0)
    """What it counts for beside the head's other sources."""


class CropSection(_Section):
    """`[crop]`: train on random crops of this size instead of the model's whole window.

    Short crops in larger batches learn faster on little data. The `bins` at the crop's centre are predicted.
    """

    input_bp: int = Field(gt=0)
    bins: int = Field(gt=0)


class LossSection(_Section):
    """`[loss]`: what is made small; the default is Enformer's and Basenji2's. See `distal.train.losses`."""

    kind: Literal["poisson", "mse", "multinomial-basenji", "multinomial-baskerville"] = "poisson"
    total_weight: float = Field(default=1.0, gt=0)
    """Multinomial: what the amount of signal counts for beside its shape."""
    rescale: bool = False
    """Multinomial: times 2 / (1 + total_weight)."""
    weight_range: float = Field(default=1.0, ge=1)
    """multinomial-baskerville: how many times more the middle of a window counts than its ends."""
    weight_exp: int = Field(default=4, gt=0)
    """multinomial-baskerville: how flat the middle is."""


class OptimizerSection(_Section):
    """`[optimizer]`: how weights move, and how fast; the defaults are Enformer's training."""

    kind: Literal["adam", "sgd"] = "adam"
    lr: float = Field(default=5e-4, gt=0)
    warmup: int = Field(default=5000, ge=0)
    """Steps of linear warm-up."""
    schedule: Literal["constant", "cosine"] = "constant"
    """What follows: the same rate, or a cosine to zero at the last step."""
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = Field(default=1e-8, gt=0)
    momentum: float = Field(default=0.99, ge=0, lt=1)
    """Of sgd."""
    clip: float = Field(default=0.2, gt=0)
    """Largest norm of the gradient."""
    clip_by: Literal["model", "tensor"] = "model"
    """Whether that is the norm of all gradients together, or each tensor's own (Keras's `clipnorm`, Basenji2)."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled from the gradient (AdamW), on matrices and kernels only; 0 is plain Adam."""

    @model_validator(mode="after")
    def _decay_is_adams(self) -> OptimizerSection:
        if self.kind == "sgd" and self.weight_decay:
            raise ValueError("weight_decay goes with adam only")
        return self


class ValidationSection(_Section):
    """`[validation]`: Pearson's r on the whole windows of the split `valid`."""

    every: int = Field(default=1000, gt=0)
    """Steps between validations; the last step is always validated."""
    rc: bool = False
    """Whether both strands are averaged."""
    patience: int = Field(default=0, ge=0)
    """Validations without a better score after which the run ends early; 0 goes on to the last step."""
    keep: Literal["best", "last"] = "best"
    """Which weights become the model: those with the best score, or the last (for runs that train on `valid` too)."""


class Config(_Section):
    """A whole training run. A run with an equal config on the same machine gives the same weights, bit for bit.

    On how many devices it runs is torchrun's to say: a batch is shared by all processes, its gradient is the same.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    model: ModelSection | None = None
    finetune: FinetuneSection | None = None
    data: dict[str, Annotated[tuple[SourceSection, ...], Field(min_length=1)]] = Field(min_length=1)
    """Head -> data set folder, or a list of sources to be mixed, of which the first is the one that validates.
    Heads take turns, in this order."""
    out: str = ""
    """Folder of log, checkpoint and model, relative to where distal runs; ``runs/<name>`` unless given."""
    splits: list[str] = ["train"]
    """Splits of the data that are trained on."""
    steps: int = Field(gt=0)
    batch: int = Field(default=4, gt=0)
    """Examples of a step, over all processes and parts."""
    accumulate: int = Field(default=1, gt=0)
    """Parts that a process does its share of a batch in, one after the other, where memory is short. Gradients add up
    to those of the whole; batch norm sees one part at a time."""
    batch_norm: Literal["batch", "frozen"] = "batch"
    """Statistics of the batch (of all processes; keep batch x crop bins at a few hundred, for the end of the tower has
    few), or the running ones of the weights that training starts from, for batches that are too small."""
    workers: int = Field(default=2, ge=0)
    """Threads that make batches ahead; 0 makes each when its step begins. Batches don't depend on it."""
    parallel: Literal["ddp", "fsdp"] = "ddp"
    """Under torchrun: every process holds the whole model, or a part of each weight (FSDP2), for less memory."""
    seed: int = Field(default=0, ge=0)
    device: str = "cpu"
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16 lowers matrix products only; weights, normalisation and loss stay float32. For GPUs, and CPUs with bf16
    instructions: on others it is many times slower than fp32."""
    activation_checkpointing: bool = False
    """Repeat cheap work in the backward pass instead of keeping its results: the same gradients from half the memory
    or less. For full-size models, with which it is no slower on CPUs."""
    ema: float = Field(default=0.0, ge=0, lt=1)
    """Decay of a running mean of the weights, which is what is validated and kept; 0 keeps the weights themselves."""
    checkpoint_every: int = Field(default=500, gt=0)
    tensorboard: bool = False
    """Also write the log for TensorBoard, in the run's folder (the extra `tensorboard`)."""
    weights: Literal["float32", "float16"] = "float32"
    """How the finished model's weights are stored."""
    licence: str = ""
    """Under which the finished model may be used; written to its folder."""
    crop: CropSection | None = None
    loss: LossSection = Field(default_factory=LossSection)
    optimizer: OptimizerSection = Field(default_factory=OptimizerSection)
    validation: ValidationSection = Field(default_factory=ValidationSection)

    @field_validator("data", mode="before")
    @classmethod
    def _a_folder_is_a_list_of_one(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {head: [{"folder": source}] if isinstance(source, str) else source for head, source in data.items()}

    @model_validator(mode="before")
    @classmethod
    def _finetuning_keeps_statistics(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("finetune") is not None:
            return {"batch_norm": "frozen", **values}
        return values

    @model_validator(mode="after")
    def _begins_somewhere(self) -> Config:
        if (self.model is None) == (self.finetune is None):
            raise ValueError("a run needs [model] or [finetune], not both")
        return self

    @model_validator(mode="after")
    def _adapters_stay_whole(self) -> Config:
        if self.parallel == "fsdp" and self.finetune is not None and self.finetune.mode == "lora":
            raise ValueError('lora leaves gradients and moments only of what is small: use parallel = "ddp"')
        return self

    @model_validator(mode="after")
    def _judged_on_unseen_windows(self) -> Config:
        if "valid" in self.splits and self.validation.keep == "best":
            raise ValueError('a run that trains on `valid` cannot choose by it: set validation.keep = "last"')
        if self.validation.patience and self.validation.keep == "last":
            raise ValueError('validation.patience waits for the best weights: set validation.keep = "best"')
        return self

    @property
    def folder(self) -> Path:
        """Where the run writes."""
        return Path(self.out or f"runs/{self.name}")


def find(name_or_path: str | Path) -> Path:
    """A TOML file, or the recipe of that name which ships with distal. Raises `InputError` when there is neither."""
    path = Path(name_or_path)
    recipes = {recipe.stem: recipe for recipe in sorted(RECIPES.glob("*.toml"))}
    if path.is_file():
        return path
    if str(name_or_path) not in recipes:
        raise InputError(f"there is no training config {path}; give a TOML file or a recipe: {', '.join(recipes)}")
    return recipes[str(name_or_path)]


def read(path: str | Path) -> Config:
    """Read a training TOML. Raises `InputError` naming the file and every key that is wrong."""
    path = Path(path)
    try:
        values = tomllib.loads(path.read_text())
    except OSError as error:
        raise InputError(f"training config {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}") from None
    return _checked(values, str(path))


def changed(config: Config, **changes: Any) -> Config:
    """The config with some values replaced, checked like a file. Raises `InputError` naming the key that is wrong."""
    return _checked({**config.model_dump(), **changes}, config.name)


def _checked(values: dict[str, Any], where: str) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc'])) or 'config'}: {item['msg']}" for item in error.errors())
        raise InputError(f"{where}: {wrong}") from None
