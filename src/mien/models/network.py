"""The network of the paper: a visual and a geometric branch, joined, and a head for the 50 classes.

Networks, `losses.Criterion` and whoever wants scores meet through the dict of `Network.outputs`:

    scores         (n, 50)   of the classes
    dominant       (n, 8)    of the dominant emotion, 0 neutral, else its number
    complementary  (n, 8)    of the complementary emotion, likewise

Which of them are there depends on `NetworkConfig.outputs`. `forward` makes (n, 50) scores of whatever is there.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from mien.artifacts import WEIGHTS_FILE
from mien.displacement import DISPLACEMENT_SIZE
from mien.errors import CheckpointError, require
from mien.files import replacing
from mien.labels import CLASS_COUNT, EMOTION_COUNT, indices_to_emotions
from mien.models.config import NetworkConfig
from mien.models.dropout import BatchDropout
from mien.models.geometric import GeometricBranch
from mien.models.visual import FEATURE_COUNT, VISUAL_BRANCHES, fill_as_published

HIDDEN_COUNT = 256
OUTPUT_SIZES = {"scores": CLASS_COUNT, "dominant": EMOTION_COUNT + 1, "complementary": EMOTION_COUNT + 1}
FACTORS = ("dominant", "complementary")
_COMPLEMENTARY, _DOMINANT = (torch.from_numpy(number) for number in indices_to_emotions(range(CLASS_COUNT)))


class Network(nn.Module):
    """Crops and displacement to scores of the 50 classes.

    Args:
        visual: the visual branch, or None.
        geometric: the geometric branch, or None.
        head: takes the features of both, side by side; gives a dict, see the module.
        relative: see `NetworkConfig.relative_visual`.
    """

    def __init__(
        self, visual: nn.Module | None, geometric: GeometricBranch | None, head: nn.Module, relative: bool = False
    ) -> None:
        super().__init__()
        self.visual = visual
        self.geometric = geometric
        self.head = head
        self.relative = relative

    def encode(self, crops: Tensor) -> Tensor | None:
        """The visual feature of each crop, (n, 256); None without a visual branch."""
        return None if self.visual is None else self.visual(crops)

    def classify(
        self, feature: Tensor | None, displacement: Tensor, subjects: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Outputs from visual features; arguments and result as for `encode` and `outputs`.

        Always in float32, at no cost in time: in bfloat16 scores tie, which cost 1.6% top-1 (docs/experiments.md).
        """
        features = []
        wide = torch.promote_types(displacement.dtype, torch.float32)
        with _without_autocast(displacement.device.type):
            if feature is not None:
                feature = feature.to(wide)
                if self.relative and subjects is not None:
                    feature = feature - subject_means(feature, subjects)
                features.append(feature)
            if self.geometric is not None:
                features.append(self.geometric(displacement.to(wide)))
            outputs: dict[str, Tensor] = self.head(torch.cat(features, dim=1))
        return {name: output.float() for name, output in outputs.items()}

    def outputs(self, crops: Tensor, displacement: Tensor, subjects: Tensor | None = None) -> dict[str, Tensor]:
        """What the criterion compares with its targets.

        Args:
            crops, displacement: as for `forward`.
            subjects: (n,), whose photo each is, by number under n; -1: nobody's that is known. Visual features become
                relative to the mean over these photos where the network is made for that. None: all unknown.

        Returns:
            name -> (n, size), float32, see the module.
        """
        return self.classify(self.encode(crops), displacement, subjects)

    def forward(self, crops: Tensor, displacement: Tensor) -> Tensor:
        """Score the classes, of each photo by itself.

        Args:
            crops: (n, 224, 224, 3), uint8, RGB, 0..255.
            displacement: (n, 136), float32, crop pixels.

        Returns:
            (n, 50), float32: the higher the likelier; scale depends on the loss.
        """
        return join_scores(self.outputs(crops, displacement))

    def set_scale(self, displacement: Tensor) -> None:
        """Let every coordinate of these training displacements, (n, 136), have equal spread."""
        if self.geometric is not None:
            self.geometric.set_scale(displacement)


class TwoNetworks(nn.Module):
    """A network for the dominant emotion and another for the complementary one, joined afterwards (section IV).

    They share nothing, so training them side by side on the sum of their losses is training them one by one.
    """

    def __init__(self, dominant: Network, complementary: Network) -> None:
        super().__init__()
        self.dominant = dominant
        self.complementary = complementary

    def outputs(self, crops: Tensor, displacement: Tensor, subjects: Tensor | None = None) -> dict[str, Tensor]:
        """As `Network.outputs`: `dominant` and `complementary`."""
        dominant = self.dominant.outputs(crops, displacement, subjects)
        return dominant | self.complementary.outputs(crops, displacement, subjects)

    def forward(self, crops: Tensor, displacement: Tensor) -> Tensor:
        """As `Network.forward`."""
        return join_scores(self.outputs(crops, displacement))

    def set_scale(self, displacement: Tensor) -> None:
        """As `Network.set_scale`."""
        self.dominant.set_scale(displacement)
        self.complementary.set_scale(displacement)


AnyNetwork = Network | TwoNetworks


def join_scores(outputs: dict[str, Tensor]) -> Tensor:
    """(n, 50) scores from the outputs of a network.

    Where the classes have scores of their own, those; else score(C, D) = complementary[C] + dominant[D], and for
    neutral the sum of both neutral scores. Pairs of neutral with an emotion are no classes and drop out. For
    scores trained with cross-entropy the sum ranks classes by the product of the two probabilities.
    """
    if "scores" in outputs:
        return outputs["scores"]
    dominant, complementary = outputs["dominant"], outputs["complementary"]
    return complementary[:, _COMPLEMENTARY.to(dominant.device)] + dominant[:, _DOMINANT.to(dominant.device)]


def subject_means(features: Tensor, subjects: Tensor) -> Tensor:
    """For each photo its subject's mean feature, as `mien.displacement.mean_feature` makes it.

    Args:
        features: (n, size).
        subjects: (n,) numbers under n; rows of -1 are left out and get zeros.

    Returns:
        (n, size), dtype of `features`; gradients pass.
    """
    known = (subjects >= 0).to(features.dtype)[:, None]
    place = subjects.clamp_min(0)
    sums = torch.zeros_like(features).index_add(0, place, features * known)
    counts = torch.zeros_like(known).index_add(0, place, known)
    return known * (sums / (1 + counts))[place]


def _without_autocast(device: str) -> AbstractContextManager[None]:
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


def build_network(config: NetworkConfig) -> AnyNetwork:
    """A network with fresh weights, drawn from torch's global generator.

    Raises:
        ValueError: neither branch is wanted.
    """
    match config.outputs:
        case "joint":
            return _build_one(config, ("scores",))
        case "two-heads":
            return _build_one(config, FACTORS)
        case "joint-and-factors":
            return _build_one(config, ("scores", *FACTORS))
        case "two-networks":
            return TwoNetworks(*(_build_one(config, (name,)) for name in FACTORS))


def save_network(run: Path, state: dict[str, Tensor]) -> None:
    """Write a network's weights as torch has them."""
    torch_files = require("safetensors.torch", "train")
    with replacing(run / WEIGHTS_FILE) as temporary:
        temporary.write_bytes(torch_files.save({name: tensor.contiguous() for name, tensor in state.items()}))


def load_network(run: Path, config: NetworkConfig) -> AnyNetwork:
    """Build a network, with the weights of a run, in evaluation mode.

    Raises:
        CheckpointError: damaged weights, or weights of another network.
        MissingExtraError: torch is not installed.
    """
    torch_files = require("safetensors.torch", "train")
    network = build_network(config)
    path = run / WEIGHTS_FILE
    try:
        network.load_state_dict(torch_files.load_file(path))
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: damaged ({error}); train the run again") from error
    except RuntimeError as error:
        raise CheckpointError(f"{path}: weights of another network; train the run again") from error
    return network.eval()


def _build_one(config: NetworkConfig, outputs: tuple[str, ...]) -> Network:
    visual = None if config.visual == "none" else VISUAL_BRANCHES[config.visual]()
    geometric = GeometricBranch() if config.geometric else None
    if visual is None and geometric is None:
        raise ValueError("a network needs at least one branch")
    features = (FEATURE_COUNT if visual else 0) + (DISPLACEMENT_SIZE if geometric else 0)
    head = fc7_head(features, config.dropout, outputs) if config.head == "fc7" else direct_head(features, outputs)
    if config.head_init == "published":
        head.fill_as_published()
    return Network(visual, geometric, head, config.relative_visual)


class Head(nn.Module):
    """Features of both branches to outputs: layers shared by all of these, then a linear layer for each.

    Args:
        hidden: (n, features) to (n, hidden features).
        outputs: name -> linear layer.
    """

    def __init__(self, hidden: nn.Sequential, outputs: dict[str, nn.Linear]) -> None:
        super().__init__()
        self.hidden = hidden
        self.output_layers = nn.ModuleDict(outputs)

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """(n, features) to name -> (n, size)."""
        hidden = self.hidden(features)
        return {name: layer(hidden) for name, layer in self.output_layers.items()}

    def fill_as_published(self) -> None:
        """Hidden layers from N(0, 0.005), the last from N(0, 0.01), biases 0.1."""
        for layer in self.hidden:
            if isinstance(layer, nn.Linear):
                fill_as_published(layer, std=0.005)
        for layer in self.output_layers.values():
            assert isinstance(layer, nn.Linear)
            fill_as_published(layer, std=0.01)


def fc7_head(features: int, dropout: float, outputs: tuple[str, ...] = ("scores",)) -> Head:
    """The published head: features -> 256, PReLU, dropout, 256 -> 50."""
    dropped = BatchDropout(dropout, HIDDEN_COUNT)
    hidden = nn.Sequential(nn.Linear(features, HIDDEN_COUNT), nn.PReLU(HIDDEN_COUNT), dropped)
    return Head(hidden, {name: nn.Linear(HIDDEN_COUNT, OUTPUT_SIZES[name]) for name in outputs})


def direct_head(features: int, outputs: tuple[str, ...] = ("scores",)) -> Head:
    """The head of the paper's text: one layer, features -> 50."""
    return Head(nn.Sequential(), {name: nn.Linear(features, OUTPUT_SIZES[name]) for name in outputs})
