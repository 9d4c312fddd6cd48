"""Several heads as one: the weighted mean of their log-probabilities, and how common each class is held to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import require
from mien.files import replacing
from mien.labels import CLASSES, NEUTRAL, Emotion


@dataclass(frozen=True)
class Member:
    """A head that takes part.

    Attributes:
        path: its ONNX file.
        share: of the mean; all shares sum to 1.
        temperature: its scores are divided by this first, which makes them honest.
    """

    path: Path
    share: float
    temperature: float


def log_prior(plain: float, contempt: float) -> NDArray[np.float32]:
    """What is added to the log-probabilities of the 50 classes.

    Args:
        plain: how many times as common as the other classes of synthetic sets plain emotions (dominant =
            complementary) are held to be. In life most expressions are plain.
        contempt: the same for contempt as the dominant emotion, and its root for contempt as the complementary one.
            In synthetic sets every seventh emotion is contempt; in life mild smiles are common and contempt is rare.

    Returns:
        (50,), float32.
    """
    prior = np.zeros(len(CLASSES), dtype=np.float32)
    for index, emotion in enumerate(CLASSES):
        if emotion == NEUTRAL:
            continue
        if emotion.dominant == emotion.complementary:
            prior[index] += np.log(plain)
        if emotion.dominant is Emotion.CONTEMPT:
            prior[index] += np.log(contempt)
        elif emotion.complementary is Emotion.CONTEMPT:
            prior[index] += np.log(contempt) / 2
    return prior


def combine_heads(members: Sequence[Member], prior: NDArray[np.float32], path: Path) -> None:
    """Write one head that does what several do.

    It takes all inputs that any of them takes, by name, and gives `scores`: log-probabilities but for a constant.

    Raises:
        MissingExtraError: the package onnx is not installed.
    """
    onnx = require("onnx", "train")
    helper, numpy_helper, compose = onnx.helper, onnx.numpy_helper, require("onnx.compose", "train")
    nodes, constants = [], []
    inputs: dict[str, Any] = {}
    for number, member in enumerate(members):
        prefix = f"member{number}/"
        head = onnx.load(member.path)
        inputs |= {each.name: each for each in head.graph.input}
        nodes += [helper.make_node("Identity", [each.name], [prefix + each.name]) for each in head.graph.input]
        model = compose.add_prefix(head, prefix)
        nodes += model.graph.node
        constants += model.graph.initializer
        for name, factor in (("temperature", 1 / member.temperature), ("share", member.share)):
            constants.append(numpy_helper.from_array(np.array(factor, dtype=np.float32), prefix + name))
        nodes += [
            helper.make_node("Mul", [f"{prefix}scores", f"{prefix}temperature"], [f"{prefix}calibrated"]),
            helper.make_node("LogSoftmax", [f"{prefix}calibrated"], [f"{prefix}logarithms"], axis=1),
            helper.make_node("Mul", [f"{prefix}logarithms", f"{prefix}share"], [f"{prefix}part"]),
        ]
    constants.append(numpy_helper.from_array(prior, "prior"))
    parts = [f"member{number}/part" for number in range(len(members))]
    nodes.append(helper.make_node("Sum", [*parts, "prior"], ["scores"]))
    output = helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, ["batch", len(CLASSES)])
    graph = helper.make_graph(nodes, "heads", list(inputs.values()), [output], constants)
    first = onnx.load(members[0].path)
    whole = helper.make_model(graph, opset_imports=first.opset_import, ir_version=first.ir_version)
    onnx.checker.check_model(whole)
    with replacing(path) as temporary:
        temporary.write_bytes(whole.SerializeToString())
