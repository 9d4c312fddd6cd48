"""What folders hold, for comparison."""

from hashlib import sha256
from pathlib import Path


def digests(folder: Path) -> dict[str, str]:
    """A digest of each file of a folder by name, so that a failed comparison names files and prints no bytes."""
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}
