"""Several encoders and heads as one: the weighted mean of their log-probabilities, and what a linear model adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import require
from mien.files import replacing
from mien.labels import CLASSES
from mien.models.linear import LinearModel


@dataclass(frozen=True)
class Member:
    """A head that takes part.

    Attributes:
        path: its ONNX file.
        share: of the mean; all shares sum to 1.
        temperature: its scores are divided by this first, which makes them honest.
        features: the first of its visual features, and the one after the last, among those of the joint encoder;
            None: it takes all that there are, or none.
    """

    path: Path
    share: float
    temperature: float
    features: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a linear model of displacement says for some of the 50 classes.

    Attributes:
        classes: (k,): their indices.
        weights: (136, k), float32: scores for each pixel of displacement.
        bias: (k,), float32.
    """

    classes: NDArray[np.int64]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    @classmethod
    def of(cls, model: LinearModel, classes: NDArray[np.int64]) -> Evidence:
        """The part of a linear model that knows some classes."""
        return cls(classes, model.weights[:, classes], model.bias[classes])

    def logarithms(self, displacement: NDArray[np.float32]) -> NDArray[np.float64]:
        """How much likelier than by chance each class is, (n, 50), as logarithms; 0 for classes it does not know."""
        scores = (displacement @ self.weights + self.bias).astype(np.float64)
        scores -= scores.max(axis=1, keepdims=True)
        added = np.zeros((len(displacement), len(CLASSES)))
        normal = np.log(np.exp(scores).sum(axis=1, keepdims=True))
        added[:, self.classes] = scores - normal + np.log(len(self.classes))
        return added


def add_evidence(base: Member, evidence: Evidence, weight: float, path: Path) -> None:
    """Write a head that adds evidence, times a weight, to the log-probabilities of another head.

    Raises:
        MissingExtraError: the package onnx is not installed.
    """
    onnx, compose = require("onnx", "train"), require("onnx.compose", "train")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    head = onnx.load(base.path)
    into = np.zeros((len(evidence.classes), len(CLASSES)), dtype=np.float32)
    into[np.arange(len(evidence.classes)), evidence.classes] = weight
    arrays = {
        "inverse_temperature": np.array(1 / base.temperature, dtype=np.float32),
        "weights": evidence.weights,
        "bias": evidence.bias,
        "chance": np.array(np.log(len(evidence.classes)), dtype=np.float32),
        "into": into,
    }
    model = compose.add_prefix(head, "base/")
    nodes = [helper.make_node("Identity", [each.name], [f"base/{each.name}"]) for each in head.graph.input]
    inputs = {each.name: each for each in head.graph.input}
    if "displacement" not in inputs:
        inputs["displacement"] = helper.make_tensor_value_info(
            "displacement", onnx.TensorProto.FLOAT, ["batch", len(evidence.weights)]
        )
    nodes += [
        *model.graph.node,
        helper.make_node("Mul", ["base/scores", "inverse_temperature"], ["calibrated"]),
        helper.make_node("LogSoftmax", ["calibrated"], ["logarithms"], axis=1),
        helper.make_node("Gemm", ["displacement", "weights", "bias"], ["linear"]),
        helper.make_node("LogSoftmax", ["linear"], ["likely"], axis=1),
        helper.make_node("Add", ["likely", "chance"], ["likelier"]),
        helper.make_node("MatMul", ["likelier", "into"], ["added"]),
        helper.make_node("Add", ["logarithms", "added"], ["scores"]),
    ]
    constants = [*model.graph.initializer, *(numpy_helper.from_array(a, name) for name, a in arrays.items())]
    output = helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, ["batch", len(CLASSES)])
    graph = helper.make_graph(nodes, "adapted", list(inputs.values()), [output], constants)
    _write(graph, head, path)


def combine_encoders(paths: Sequence[Path], path: Path) -> list[tuple[int, int]]:
    """Write one encoder that gives the visual features of several, side by side.

    Returns:
        for each its first feature, and the one after its last.

    Raises:
        MissingExtraError: the package onnx is not installed.
    """
    onnx = require("onnx", "train")
    helper, compose = onnx.helper, require("onnx.compose", "train")
    encoders = [onnx.load(each) for each in paths]
    widths = [encoder.graph.output[0].type.tensor_type.shape.dim[1].dim_value for encoder in encoders]
    ends = np.cumsum(widths).tolist()
    nodes, constants = [], []
    for number, encoder in enumerate(encoders):
        model = compose.add_prefix(encoder, f"encoder{number}/")
        nodes += [helper.make_node("Identity", ["crops"], [f"encoder{number}/crops"]), *model.graph.node]
        constants += model.graph.initializer
    nodes.append(helper.make_node("Concat", [f"encoder{n}/feature" for n in range(len(paths))], ["feature"], axis=1))
    output = helper.make_tensor_value_info("feature", onnx.TensorProto.FLOAT, ["batch", ends[-1]])
    first = encoders[0]
    graph = helper.make_graph(nodes, "encoders", list(first.graph.input), [output], constants)
    _write(graph, first, path)
    return [(end - width, end) for width, end in zip(widths, ends, strict=True)]


def combine_heads(members: Sequence[Member], path: Path) -> None:
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
        for name in (each.name for each in head.graph.input):
            if name == "feature" and member.features is not None:
                bounds = dict(zip(("starts", "ends", "axes"), (*member.features, 1), strict=True))
                for bound, value in bounds.items():
                    constants.append(numpy_helper.from_array(np.array([value]), prefix + bound))
                nodes.append(helper.make_node("Slice", [name, *(prefix + b for b in bounds)], [prefix + name]))
            else:
                nodes.append(helper.make_node("Identity", [name], [prefix + name]))
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
    if width := max((member.features[1] for member in members if member.features is not None), default=0):
        inputs["feature"] = helper.make_tensor_value_info("feature", onnx.TensorProto.FLOAT, ["batch", width])
    parts = [f"member{number}/part" for number in range(len(members))]
    nodes.append(helper.make_node("Sum", parts, ["scores"]))
    output = helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, ["batch", len(CLASSES)])
    graph = helper.make_graph(nodes, "heads", list(inputs.values()), [output], constants)
    first = onnx.load(members[0].path)
    _write(graph, first, path)


def _write(graph: Any, like: Any, path: Path) -> None:
    """Write a graph as a model of the same versions as another."""
    onnx = require("onnx", "train")
    model = onnx.helper.make_model(graph, opset_imports=like.opset_import, ir_version=like.ir_version)
    onnx.checker.check_model(model)
    with replacing(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
