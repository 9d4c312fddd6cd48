"""Sets of photos: layouts on disk, splits by subject, preparation, and the prepared set."""

from mien.errors import require

require("polars", "tables")  # by every module of this room

from mien.datasets.preparation import Preparation  # noqa: E402
from mien.datasets.prepared import PreparedSet  # noqa: E402

__all__ = ["Preparation", "PreparedSet"]
