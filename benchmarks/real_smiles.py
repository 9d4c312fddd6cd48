"""How a run reads real people: photos at rest and smiling without a reference, smiling also with the photo at rest.

    python benchmarks/real_smiles.py FOLDER [RUN]

FOLDER holds a folder a person with `neutral.jpg` and `smiling.jpg`, as the Face Research Lab London Set can be laid
out. RUN is a trained run; the weights that come with mien if left out.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from mien import Recognizer
from mien.labels import Emotion


def main(folder: Path, run: Path | None) -> None:
    recognizer = Recognizer.load(run)
    people = sorted(path.parent for path in folder.glob("*/neutral.jpg"))
    faces = {
        kind: [recognizer.find_face(person / f"{kind}.jpg", largest=True) for person in people]
        for kind in ("neutral", "smiling")
    }
    if not people:
        sys.exit(f"{folder}: no */neutral.jpg in it; name the folder that holds the people's folders")
    rests = [recognizer.reference_at_rest([person / "neutral.jpg"]) for person in people]
    for kind, of_kind in faces.items():
        alone = recognizer.recognize_faces(of_kind)
        compared = [recognizer.recognize_faces([face], rest)[0] for face, rest in zip(of_kind, rests, strict=True)]
        # a photo at rest is no reference of itself: it would not have moved, whatever it shows
        by_reference = [("estimated", alone)] + [("neutral photo", compared)] * (kind == "smiling")
        for name, answers in by_reference:
            dominant = Counter(a.emotion.dominant.noun if a.emotion.dominant else "neutral" for a in answers)
            happy = sum(Emotion.HAPPINESS in (a.emotion.dominant, a.emotion.complementary) for a in answers)
            counts = ", ".join(f"{count} {noun}" for noun, count in dominant.most_common())
            print(f"{kind:8} reference {name:14} of {len(answers)}: {counts}; happiness takes part in {happy}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
