import numpy as np
import pytest

from mien.labels import CLASSES, EMOTION_COUNT, NEUTRAL, CompoundEmotion, Emotion
from mien.synth.assets import HeadAssets
from mien.synth.expressions import draw_expression, joined
from mien.synth.style import HABITS, VARIANTS, Style, draw_style


@pytest.fixture(scope="module")
def names(assets: HeadAssets) -> tuple[str, ...]:
    return tuple(str(name) for name in assets.action_names)


@pytest.fixture(scope="module")
def even(names: tuple[str, ...]) -> Style:
    """The style in the middle of all: every gain 1, nothing left when neutral, no preferences."""
    return Style(
        names=names,
        gain=np.ones(len(names), dtype=np.float32),
        resting=np.zeros(len(names), dtype=np.float32),
        habits=np.zeros((EMOTION_COUNT, HABITS), dtype=np.float32),
        preferences=np.zeros((EMOTION_COUNT, VARIANTS), dtype=np.float32),
        leftward=0.5,
    )


def _mean_actions(text: str, style: Style, draws: int = 100) -> dict[str, float]:
    emotion = CompoundEmotion.parse(text)
    drawn = [draw_expression(emotion, style, np.random.default_rng(i)).actions for i in range(draws)]
    return dict(zip(style.names, np.mean(drawn, axis=0), strict=True))


def _actions(names: tuple[str, ...], **strengths: float) -> np.ndarray:  # type: ignore[type-arg]
    """An action without a side stands for both."""
    values = np.zeros(len(names))
    for action, strength in strengths.items():
        for i, name in enumerate(names):
            if name in (action, f"{action}Left", f"{action}Right"):
                values[i] = strength
    return values


@pytest.mark.parametrize("emotion", CLASSES, ids=str)
def test_every_class_has_actions_within_bounds_and_follows_its_seed(emotion: CompoundEmotion, even: Style) -> None:
    once, again = (draw_expression(emotion, even, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(once.actions, again.actions)
    assert once.actions.min() >= 0
    assert once.actions.max() <= 1.6
    assert once.neutral == (emotion == NEUTRAL)
    if emotion != NEUTRAL:
        assert once.actions.max() > 0.2


def test_each_emotion_moves_what_facs_says(even: Style) -> None:
    main = {
        Emotion.ANGER: "browDownLeft", Emotion.DISGUST: "noseSneerLeft", Emotion.FEAR: "eyeWideLeft",
        Emotion.HAPPINESS: "mouthSmileLeft", Emotion.SADNESS: "mouthFrownLeft", Emotion.SURPRISE: "browOuterUpLeft",
    }  # fmt: skip
    for emotion, action in main.items():
        shown = _mean_actions(f"{int(emotion)}_{int(emotion)}", even)
        assert shown[action] > 3 * _mean_actions("N_N", even)[action] + 0.1


def test_contempt_is_mostly_on_one_side(even: Style, names: tuple[str, ...]) -> None:
    emotion = CompoundEmotion.parse("2_2")
    places = [names.index(f"mouthDimple{side}") for side in ("Left", "Right")]
    drawn = [draw_expression(emotion, even, np.random.default_rng(seed)).actions for seed in range(60)]
    sides = np.sort(np.stack(drawn)[:, places], axis=1)
    assert (sides[:, 1] > 4 * sides[:, 0]).mean() > 0.6


def test_people_differ_in_what_they_do_and_stay_the_same(names: tuple[str, ...]) -> None:
    emotion = CompoundEmotion.parse("4_4")
    by_person = []
    for person in range(20):
        style = draw_style(names, np.random.default_rng(person))
        photos = [draw_expression(emotion, style, np.random.default_rng([person, i])).actions for i in range(30)]
        by_person.append(np.stack(photos))
    within = np.mean([photos.var(axis=0).sum() for photos in by_person])
    between = np.var([photos.mean(axis=0) for photos in by_person], axis=0).sum()
    assert between > 0.4 * within


def test_the_dominant_emotion_shows_more_than_the_complementary(even: Style) -> None:
    happily_sad, sadly_happy = _mean_actions("5_6", even), _mean_actions("6_5", even)
    assert sadly_happy["mouthSmileLeft"] > happily_sad["mouthSmileLeft"]
    assert happily_sad["browInnerUp"] > sadly_happy["browInnerUp"]


def test_the_weaker_of_two_antagonists_gives_way(names: tuple[str, ...]) -> None:
    both = joined(_actions(names, mouthSmile=0.8), _actions(names, mouthFrown=0.6, browDown=0.5), names)
    np.testing.assert_allclose(both, _actions(names, mouthSmile=0.8, mouthFrown=0.04, browDown=0.5), atol=1e-9)


def test_what_one_emotion_does_at_once_stays_in_a_compound(names: tuple[str, ...]) -> None:
    fear = _actions(names, browDown=0.4, browOuterUp=0.5, eyeWide=0.5, eyeSquint=0.2)
    smile = _actions(names, mouthSmile=0.6)
    np.testing.assert_allclose(joined(fear, smile, names), fear + smile)
    np.testing.assert_allclose(joined(smile, fear, names), fear + smile)


def test_sides_do_not_work_against_each_other(names: tuple[str, ...]) -> None:
    both = joined(_actions(names, mouthSmileLeft=0.3), _actions(names, mouthFrown=0.2), names)
    assert both[names.index("mouthFrownRight")] == 0.2
    assert both[names.index("mouthFrownLeft")] < 0.1


def test_an_action_without_a_side_works_against_both_sides(names: tuple[str, ...]) -> None:
    both = joined(_actions(names, mouthPucker=0.5), _actions(names, mouthSmile=0.3), names)
    assert both[names.index("mouthSmileLeft")] == both[names.index("mouthSmileRight")] == 0.0


def test_anger_lowers_the_head_and_contempt_raises_it(even: Style) -> None:
    for text, sign in (("1_1", 1), ("2_2", -1), ("N_N", 0)):
        nod = draw_expression(CompoundEmotion.parse(text), even, np.random.default_rng(0)).nod
        assert np.sign(nod) == sign
