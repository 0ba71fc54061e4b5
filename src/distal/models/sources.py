"""The published weights that distal knows: where they are, their checksums and licences; downloads and reads nothing.

A checksum that nobody has published is None, not a guess: `fetch` then stores the one it computed and says so. Sizes
are approximate. `note` says what could not be checked here: none of the large files was downloaded when this list was
written, so their URLs come from their publishers' scripts and model cards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_BASENJI = (
    "https://raw.githubusercontent.com/calico/basenji/74b867105a235a3e0eb663022cee2fbf430deaf0/manuscripts/cross2020/"
)
_BASKERVILLE = (
    "https://raw.githubusercontent.com/calico/baskerville/544073b87245d9f43ba63442c75bdbf32a9f8720/tests/data/"
)
_SONNET = "gs://dm-enformer/models/enformer/sonnet_weights/"
_HUGGING_FACE = "hf://EleutherAI/enformer-official-rough/"


@dataclass(frozen=True)
class Download:
    """One file: where it is, about how large (bytes), and the checksums that somebody published or we computed."""

    name: str
    url: str
    size: int
    sha256: str | None = None
    md5: str | None = None
    contents: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the files inside, where this is an archive."""


@dataclass(frozen=True)
class Source:
    """One published model: its files, what it reads and says, its licence, and what is not certain about it."""

    name: str
    family: str
    origin: str
    licence: str
    heads: Mapping[str, int]
    input_bp: int
    files: tuple[Download, ...]
    weights: str
    """What `distal.models.weights.convert` is given: a name in the folder of `files` (a TF checkpoint's prefix)."""
    targets: Mapping[str, str]
    """Track table of each head that has one, as a name in `files`."""
    note: str = ""
    importable: bool = True

    @property
    def size(self) -> int:
        """Bytes to download, about."""
        return sum(file.size for file in self.files)


TARGETS_HUMAN = Download(
    "targets_human.txt",
    _BASENJI + "targets_human.txt",
    800_919,
    sha256="d90233175a9fec389e5ac04cc4aac8cfc08c4aa86217e2e5c10221de78023580",
    md5="61c7fe3aa9da2f309124830ddb282ce3",
)
TARGETS_MOUSE = Download(
    "targets_mouse.txt",
    _BASENJI + "targets_mouse.txt",
    250_458,
    sha256="f76c869a38bfc79690d7a43e86f155db9b8ac8085ff5a717f99358b3253cd230",
    md5="a72baede58fd5621703326267ffd9f79",
)
_BOTH_TARGETS = {"human": "targets_human.txt", "mouse": "targets_mouse.txt"}
_BOTH_HEADS = {"human": 5313, "mouse": 1643}

_SOURCES = (
    Source(
        name="enformer",
        family="enformer",
        origin="DeepMind's Sonnet checkpoint (Avsec et al. 2021)",
        licence="Apache-2.0 (code); no licence is stated for the weights' bucket",
        heads=_BOTH_HEADS,
        input_bp=196_608,
        files=(
            Download("enformer-fine-tuned-human-1.index", _SONNET + "enformer-fine-tuned-human-1.index", 5_700),
            Download(
                "enformer-fine-tuned-human-1.data-00000-of-00001",
                _SONNET + "enformer-fine-tuned-human-1.data-00000-of-00001",
                1_005_000_000,
            ),
            TARGETS_HUMAN,
            TARGETS_MOUSE,
        ),
        weights="enformer-fine-tuned-human-1",
        targets=_BOTH_TARGETS,
        note="Fine-tuned on human last: the mouse head belongs to an earlier trunk. No checksum is published.",
    ),
    Source(
        name="enformer-tfhub",
        family="enformer",
        origin="DeepMind's TF-Hub saved model deepmind/enformer/1 (the same weights, 393,216 bp in, cropped inside)",
        licence="Apache-2.0",
        heads=_BOTH_HEADS,
        input_bp=393_216,
        files=(
            Download(
                "enformer_1.tar.gz",
                "https://tfhub.dev/deepmind/enformer/1?tf-hub-format=compressed",
                950_000_000,
                contents={
                    "saved_model.pb": "c8f0af88f3626e7823f2b8fb2b8b7b07d6f337ae0aadc5f70c5671d263c695d6",
                    "variables/variables.index": "7a30693fac902bd23140e962368a80577ed4a05e62c7602b25a820be32d53f91",
                    "variables/variables.data-00000-of-00001": (
                        "6a64f5fdb08b79efc5f18a1d18a804486390d5649046c8b63ac7bb6794cfc461"
                    ),
                },
            ),
        ),
        weights="variables/variables",
        targets={},
        note="The variable names inside are not verified, so it is not imported; `enformer` holds the same weights.",
        importable=False,
    ),
    Source(
        name="enformer-hf",
        family="enformer",
        origin="EleutherAI/enformer-official-rough: the same weights as a PyTorch state dict",
        licence="CC-BY-4.0",
        heads=_BOTH_HEADS,
        input_bp=196_608,
        files=(
            Download("config.json", _HUGGING_FACE + "config.json", 1_000),
            Download("pytorch_model.bin", _HUGGING_FACE + "pytorch_model.bin", 1_005_000_000),
            TARGETS_HUMAN,
            TARGETS_MOUSE,
        ),
        weights="pytorch_model.bin",
        targets=_BOTH_TARGETS,
        note="Needs no gamma table. EleutherAI's other models are retrained, not DeepMind's. No checksum is known.",
    ),
    Source(
        name="basenji2",
        family="basenji2",
        origin="Calico's Keras file model_human.h5 (Kelley 2020): trained on human and mouse, fine-tuned on human",
        licence="Apache-2.0 (code); no licence is stated for the weights' bucket",
        heads={"human": 5313},
        input_bp=131_072,
        files=(
            Download(
                "model_human.h5",
                "gs://basenji_barnyard2/model_human.h5",
                120_500_000,
                sha256="3f74da002918d3e695bbf9e6f8a685e860196679372ba0964bd1faa26a82eed1",
            ),
            TARGETS_HUMAN,
        ),
        weights="model_human.h5",
        targets={"human": "targets_human.txt"},
        note="Trained with x·sigmoid(1.702x). The checksum is a third party's. The file's graph probably has no crop.",
    ),
    Source(
        name="basenji2-mouse",
        family="basenji2",
        origin="Calico's Keras file model_mouse.h5 (Kelley 2020): trained on human and mouse, fine-tuned on mouse",
        licence="Apache-2.0 (code); no licence is stated for the weights' bucket",
        heads={"mouse": 1643},
        input_bp=131_072,
        files=(Download("model_mouse.h5", "gs://basenji_barnyard2/model_mouse.h5", 97_900_000), TARGETS_MOUSE),
        weights="model_mouse.h5",
        targets={"mouse": "targets_mouse.txt"},
        note="Trained with x·sigmoid(1.702x). No checksum is published.",
    ),
    Source(
        name="basenji2-torch",
        family="basenji2",
        origin="basenji2-pytorch's port of model_human.h5, Zenodo record 14969593",
        licence="see the Zenodo record",
        heads={"human": 5313},
        input_bp=131_072,
        files=(
            Download(
                "basenji2.pth",
                "https://zenodo.org/records/14969593/files/basenji2.pth?download=1",
                120_500_000,
                md5="1f46acc933e05515faf4d7eec0e27d42",
            ),
        ),
        weights="basenji2.pth",
        targets={},
        note="Its code applies the erf GELU, which the weights were not trained with; `basenji2` is the original file.",
        importable=False,
    ),
    Source(
        name="borzoi-mini",
        family="borzoi",
        origin="Calico's small trained model in baskerville's tests (131,072 bp, 32-bp bins, 74 human tracks)",
        licence="Apache-2.0",
        heads={"human": 74},
        input_bp=131_072,
        files=(
            Download(
                "model.h5",
                _BASKERVILLE + "eval/model.h5",
                2_768_064,
                sha256="886f2d34f0a36beb3fb0801b0be7b0fbca1e4df5525d8b3601314eb78c2df460",
            ),
            Download(
                "params.json",
                _BASKERVILLE + "eval/params.json",
                1_763,
                sha256="21ac05b3018975903dd6237a2159feceb5a747bb22f56739665b696dd3859a1d",
            ),
            Download(
                "targets_human.txt",
                _BASKERVILLE + "tiny/hg38/targets.txt",
                11_464,
                sha256="e0bb08db8b64d6beb38c004c450a4b4fbb37ee8de44cd92aceb9038d74ab73e5",
            ),
        ),
        weights="model.h5",
        targets={"human": "targets_human.txt"},
        note="A test fixture that was really trained: good for trying distal, not for science.",
    ),
)
KNOWN: Mapping[str, Source] = {source.name: source for source in _SOURCES}
"""Every published source, by the name that `distal models fetch` takes."""
