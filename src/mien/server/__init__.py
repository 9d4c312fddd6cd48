"""A local page and REST service: photos, films and a camera, read by worker processes. Nothing of a photo is kept.

The extra `serve` brings what it needs. `mien serve` starts it; `create_app` gives the application alone.
"""

from mien.server.app import create_app
from mien.server.settings import Limits, ServerSettings

__all__ = ["Limits", "ServerSettings", "create_app"]
