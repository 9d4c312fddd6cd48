import numpy as np
import pytest

from mien.labels import CLASSES, NEUTRAL, CompoundEmotion, Emotion
from mien.synth.assets import HeadAssets
from mien.synth.expressions import _joined, draw_expression


@pytest.fixture(scope="module")
def names(assets: HeadAssets) -> list[str]:
    return [str(name) for name in assets.action_names]


def _mean_actions(text: str, names: list[str], draws: int = 60) -> dict[str, float]:
    emotion = CompoundEmotion.parse(text)
    ones, zeros = np.ones(len(names)), np.zeros(len(names))
    drawn = [draw_expression(emotion, names, ones, zeros, np.random.default_rng(i)).actions for i in range(draws)]
    return dict(zip(names, np.mean(drawn, axis=0), strict=True))


@pytest.mark.parametrize("emotion", CLASSES, ids=str)
def test_every_class_has_actions_within_bounds_and_follows_its_chance(
    emotion: CompoundEmotion, names: list[str]
) -> None:
    ones, zeros = np.ones(len(names)), np.zeros(len(names))
    once, again = (draw_expression(emotion, names, ones, zeros, np.random.default_rng(7)).actions for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert once.min() >= 0
    assert once.max() <= 1.6
    if emotion != NEUTRAL:
        assert once.max() > 0.2


def test_each_emotion_moves_what_facs_says(names: list[str]) -> None:
    main = {
        Emotion.ANGER: "browDownLeft", Emotion.DISGUST: "noseSneerLeft", Emotion.FEAR: "eyeWideLeft",
        Emotion.HAPPINESS: "mouthSmileLeft", Emotion.SADNESS: "mouthFrownLeft", Emotion.SURPRISE: "browOuterUpLeft",
    }  # fmt: skip
    for emotion, action in main.items():
        shown = _mean_actions(f"{int(emotion)}_{int(emotion)}", names)
        assert shown[action] > 3 * _mean_actions("N_N", names)[action] + 0.1


def test_contempt_is_on_one_side_only(names: list[str]) -> None:
    emotion, ones, zeros = CompoundEmotion.parse("2_2"), np.ones(len(names)), np.zeros(len(names))
    places = [names.index(f"mouthDimple{side}") for side in ("Left", "Right")]
    drawn = [draw_expression(emotion, names, ones, zeros, np.random.default_rng(seed)).actions for seed in range(20)]
    sides = np.sort(np.stack(drawn)[:, places], axis=1).mean(axis=0)
    assert sides[1] > 4 * sides[0]


def test_the_dominant_emotion_shows_more_than_the_complementary(names: list[str]) -> None:
    happily_sad, sadly_happy = _mean_actions("5_6", names), _mean_actions("6_5", names)
    assert sadly_happy["mouthSmileLeft"] > happily_sad["mouthSmileLeft"]
    assert happily_sad["browInnerUp"] > sadly_happy["browInnerUp"]


def test_the_weaker_of_two_antagonists_gives_way() -> None:
    joined = _joined({"mouthSmile": 0.8}, {"mouthFrown": 0.6, "browDown": 0.5})
    assert joined["mouthSmile"] == 0.8
    assert joined["mouthFrown"] < 0.1
    assert joined["browDown"] == 0.5


def test_sides_do_not_work_against_each_other() -> None:
    joined = _joined({"mouthSmileLeft": 0.3}, {"mouthFrownRight": 0.2, "mouthFrownLeft": 0.2})
    assert joined["mouthFrownRight"] == 0.2
    assert joined["mouthFrownLeft"] < 0.1


def test_anger_lowers_the_head_and_contempt_raises_it(names: list[str]) -> None:
    ones, zeros = np.ones(len(names)), np.zeros(len(names))
    for text, sign in (("1_1", 1), ("2_2", -1), ("N_N", 0)):
        emotion = CompoundEmotion.parse(text)
        nod = draw_expression(emotion, names, ones, zeros, np.random.default_rng(0)).nod
        assert np.sign(nod) == sign
