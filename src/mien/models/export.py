"""A trained network as one ONNX file, so that recognition runs without torch."""

from __future__ import annotations

import contextlib
import logging
import warnings
from pathlib import Path

import torch

from mien.displacement import DISPLACEMENT_SIZE
from mien.errors import require
from mien.faces.alignment import CROP_SIZE
from mien.files import replacing
from mien.models.network import AnyNetwork

INPUT_NAMES = ("crops", "displacement")
OUTPUT_NAME = "scores"


def export_onnx(network: AnyNetwork, path: Path) -> None:
    """Write the network, in evaluation mode, for any batch size.

    Inputs are `crops` (n, 224, 224, 3) uint8 RGB and `displacement` (n, 136) float32; the output is `scores`
    (n, 50) float32. The network's own normalisation is in the file. Both inputs are always there, also where
    one of them has no branch.

    Raises:
        MissingExtraError: the packages onnx and onnxscript are not installed.
    """
    require("onnxscript", "train")
    example = (
        torch.zeros(2, CROP_SIZE, CROP_SIZE, 3, dtype=torch.uint8),
        torch.zeros(2, DISPLACEMENT_SIZE),
    )
    batch = torch.export.Dim("batch", min=1)
    with warnings.catch_warnings(), _quiet("torch.onnx"):
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(
            network.eval(),
            example,
            input_names=list(INPUT_NAMES),
            output_names=[OUTPUT_NAME],
            dynamic_shapes=({0: batch}, {0: batch}),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # the exporter notes there the source lines, by their paths on this machine
    with replacing(path) as temporary:
        program.save(temporary, external_data=False)


@contextlib.contextmanager
def _quiet(logger: str):  # type: ignore[no-untyped-def]
    before = logging.getLogger(logger).level
    logging.getLogger(logger).setLevel(logging.ERROR)
    try:
        yield
    finally:
        logging.getLogger(logger).setLevel(before)
