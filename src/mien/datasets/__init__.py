"""Sets of photos: layouts on disk, splits by subject, preparation, and the prepared set."""

from mien.datasets.preparation import Preparation
from mien.datasets.prepared import PreparedSet

__all__ = ["Preparation", "PreparedSet"]
