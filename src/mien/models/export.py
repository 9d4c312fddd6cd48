"""A trained model as ONNX files, so that recognition runs without torch and can keep a reference's features.

    encoder.onnx   `crops` (n, 224, 224, 3) uint8 RGB -> `feature` (n, size) float32; where there is a visual branch
    head.onnx      those of `feature` (n, size), `displacement` (n, 136), `landmarks` (n, 136) that the model takes,
                   float32 -> `scores` (n, 50) float32

The network's own normalisation is in the files. Between the two, whoever runs them subtracts the subject's mean
feature where the network was trained so.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from mien.artifacts import ENCODER_FILE, HEAD_FILE
from mien.displacement import DISPLACEMENT_SIZE
from mien.errors import require
from mien.faces.alignment import CROP_SIZE
from mien.faces.cnn import INPUT_SIZE
from mien.files import replacing
from mien.models.linear import LinearModel
from mien.models.network import AnyNetwork, Network, TwoNetworks, join_scores


def export_network(network: AnyNetwork, run: Path) -> None:
    """Write encoder and head of a network, in evaluation mode, for any batch size.

    Raises:
        MissingExtraError: the packages onnx and onnxscript are not installed.
    """
    require("onnxscript", "train")
    network.eval()
    encoder, head = _Encoder(network), _Head(network)
    size = 0
    if encoder.has_branch:
        crops = torch.zeros(2, CROP_SIZE, CROP_SIZE, 3, dtype=torch.uint8)
        _export(encoder, (crops,), ["crops"], ["feature"], run / ENCODER_FILE)
        with torch.no_grad():
            size = encoder(crops).shape[1]
    inputs = {"feature": torch.zeros(2, size)} if size else {}
    if head.takes_displacement:
        inputs["displacement"] = torch.zeros(2, DISPLACEMENT_SIZE)
    _export(head, tuple(inputs.values()), list(inputs), ["scores"], run / HEAD_FILE)


def export_linear(model: LinearModel, features: str, run: Path) -> None:
    """Write a linear model as a head.

    Args:
        model: its weights.
        features: what it takes, `displacement` or `landmarks`.
        run: folder of the run.

    Raises:
        MissingExtraError: the packages onnx and onnxscript are not installed.
    """
    require("onnxscript", "train")
    layer = nn.Linear(*model.weights.shape)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(model.weights.T))
        layer.bias.copy_(torch.from_numpy(model.bias))
    _export(layer.eval(), (torch.zeros(2, len(model.weights)),), [features], ["scores"], run / HEAD_FILE)


def export_landmarks(network: nn.Module, path: Path) -> None:
    """Write a `LandmarkNetwork`: `crops` (n, 112, 112) uint8 grey -> `points` (n, 68, 2) and `spread` (n, 68), both
    float32 in sides of the crop.

    Raises:
        MissingExtraError: the packages onnx and onnxscript are not installed.
    """
    require("onnxscript", "train")
    crops = torch.zeros(2, INPUT_SIZE, INPUT_SIZE, dtype=torch.uint8)
    _export(_Points(network), (crops,), ["crops"], ["points", "spread"], path)


class _Points(nn.Module):
    """Bytes to points and their spread."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        points, spread = self.network(crops[:, None].float())
        return points, spread.exp()


class _Encoder(nn.Module):
    """Crops to the visual features of a network, of two networks side by side."""

    def __init__(self, network: AnyNetwork) -> None:
        super().__init__()
        self.networks = nn.ModuleList(_parts(network))
        self.has_branch = all(part.visual is not None for part in _parts(network))

    def forward(self, crops: Tensor) -> Tensor:
        features: list[Tensor] = [part.encode(crops) for part in self.networks]  # type: ignore[operator]
        return torch.cat(features, dim=1) if len(features) > 1 else features[0]


class _Head(nn.Module):
    """Features, already relative where they have to be, and displacement to scores."""

    def __init__(self, network: AnyNetwork) -> None:
        super().__init__()
        self.networks = nn.ModuleList(_parts(network))
        self._has_visual = all(part.visual is not None for part in _parts(network))
        self.takes_displacement = all(part.geometric is not None for part in _parts(network))

    def forward(self, *inputs: Tensor) -> Tensor:
        features: tuple[Tensor | None, ...] = (None,) * len(self.networks)
        if self._has_visual:
            features = inputs[0].chunk(len(self.networks), dim=1)
        displacement = inputs[-1] if self.takes_displacement else inputs[0][:, :0]
        outputs: dict[str, Tensor] = {}
        for part, feature in zip(self.networks, features, strict=True):
            outputs |= part.classify(feature, displacement)  # type: ignore[operator]
        return join_scores(outputs)


def _parts(network: AnyNetwork) -> tuple[Network, ...]:
    return (network.dominant, network.complementary) if isinstance(network, TwoNetworks) else (network,)


def _export(module: nn.Module, example: tuple[Tensor, ...], names: list[str], outputs: list[str], path: Path) -> None:
    batch = torch.export.Dim("batch", min=1)
    shapes = tuple({0: batch} for _ in example)
    starred = isinstance(module, _Head)  # its inputs are one tuple to the exporter
    with warnings.catch_warnings(), _quiet("torch.onnx"):
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            module.eval(),
            example,
            input_names=names,
            output_names=outputs,
            dynamic_shapes=(shapes,) if starred else shapes,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # the exporter notes there the source lines, by their paths on this machine
    with replacing(path) as temporary:
        program.save(temporary, external_data=False)


@contextlib.contextmanager
def _quiet(logger: str) -> Iterator[None]:
    before = logging.getLogger(logger).level
    logging.getLogger(logger).setLevel(logging.ERROR)
    try:
        yield
    finally:
        logging.getLogger(logger).setLevel(before)
