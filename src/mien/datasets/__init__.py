"""Sets of photos: layouts on disk, splits by subject, preparation, and the prepared set."""

from mien.datasets.preparation import prepare
from mien.datasets.prepared import PreparedSet

__all__ = ["PreparedSet", "prepare"]
