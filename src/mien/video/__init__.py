"""Films and cameras: faces followed over time, each compared with what is known of the person.

>>> import mien.video
>>> for frame in mien.video.read("film.mp4"):  # doctest: +SKIP
...     print(frame.time, [face.phrase for face in frame])
"""

from mien.video.analysis import FilmSummary, PersonSummary, analyse
from mien.video.episodes import Episode
from mien.video.live import read
from mien.video.reading import Film, Frame
from mien.video.results import FilmFace, FilmFrame

__all__ = ["Episode", "Film", "FilmFace", "FilmFrame", "FilmSummary", "Frame", "PersonSummary", "analyse", "read"]
