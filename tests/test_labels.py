import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import LabelError
from mien.labels import (
    CLASSES,
    CompoundEmotion,
    Emotion,
    counts_by_complementary,
    counts_by_dominant,
    indices_to_emotions,
    indices_to_texts,
    scores_to_matrix,
    texts_to_indices,
)


def test_index_text_and_class_are_one_to_one() -> None:
    assert [emotion.index for emotion in CLASSES] == list(range(50))
    assert len(set(indices_to_texts(range(50)))) == 50
    np.testing.assert_array_equal(texts_to_indices(indices_to_texts(np.arange(50))), np.arange(50))


def test_complementary_comes_first_as_in_the_paper() -> None:
    emotion = CompoundEmotion.parse("3_6")
    assert emotion.index == 20
    assert (emotion.complementary, emotion.dominant) == (Emotion.DISGUST, Emotion.SADNESS)
    assert emotion.phrase == "disgustedly sad"


def test_a_plain_emotion_and_neutral_have_one_word() -> None:
    assert CompoundEmotion.parse("5_5").phrase == "happy"
    assert CompoundEmotion.parse("N_N").phrase == "neutral"


@given(st.text(alphabet=st.characters(exclude_categories=["Ll", "Lu"])))
def test_any_other_text_is_refused(text: str) -> None:
    if text.strip() not in indices_to_texts(range(50)):
        with pytest.raises(LabelError) as caught:
            CompoundEmotion.parse(text)
        assert caught.value.label == text


def test_phrases_are_read_back_however_they_are_joined_and_capitalised() -> None:
    for emotion in CLASSES:
        for text in (
            emotion.phrase,
            emotion.phrase.upper(),
            emotion.phrase.replace(" ", "_"),
            f" 07-{emotion.phrase} ",
        ):
            assert CompoundEmotion.parse(text) == emotion


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("anger angry Anger", "1_1"), ("contempt contemptuous", "2_2"), ("disgust disgusted", "3_3"),
        ("fear fearful afraid", "4_4"), ("happy happiness joy HAPPY", "5_5"), ("sad sadness", "6_6"),
        ("surprise surprised", "7_7"), ("neutral Neutral 6.neutral", "N_N"),
    ],
)  # fmt: skip
def test_an_emotion_alone_means_its_plain_class(words: str, text: str) -> None:
    assert {str(CompoundEmotion.parse(word)) for word in words.split()} == {text}


@pytest.mark.parametrize("text", ["", "sleepy", "happily", "happy sad", "happily sad angry", "3", "8_1", "n_n_n"])
def test_words_that_name_no_class_are_refused(text: str) -> None:
    with pytest.raises(LabelError):
        CompoundEmotion.parse(text)


@pytest.mark.parametrize("index", [-1, 50])
def test_an_index_outside_is_refused(index: int) -> None:
    with pytest.raises(LabelError):
        CompoundEmotion.from_index(index)


def test_matrix_has_complementary_rows_and_dominant_columns() -> None:
    scores = np.zeros((3, 50))
    scores[:, 20] = 1
    matrix, neutral = scores_to_matrix(scores)
    assert matrix.shape == (3, 7, 7)
    assert np.all(matrix[:, Emotion.DISGUST - 1, Emotion.SADNESS - 1] == 1)
    assert matrix.sum() == 3
    assert not neutral.any()


def test_an_index_splits_into_the_numbers_of_its_emotions() -> None:
    complementary, dominant = indices_to_emotions(range(50))
    for emotion, first, second in zip(CLASSES, complementary, dominant, strict=True):
        assert (first, second) == (emotion.complementary or 0, emotion.dominant or 0)


def test_a_plain_class_has_the_same_emotion_twice() -> None:
    assert [str(CompoundEmotion.plain(emotion)) for emotion in Emotion] == [f"{n}_{n}" for n in range(1, 8)]


def test_counts_by_emotion_agree_with_counting_one_by_one() -> None:
    counts = np.random.default_rng(0).integers(9, size=(50, 50))
    complementary, dominant = np.zeros((8, 8)), np.zeros((8, 8))
    for true in CLASSES:
        for predicted in CLASSES:
            count = counts[true.index, predicted.index]
            dominant[(true.dominant or 8) - 1, (predicted.dominant or 8) - 1] += count
            complementary[(true.complementary or 8) - 1, (predicted.complementary or 8) - 1] += count
    np.testing.assert_array_equal(counts_by_dominant(counts), dominant)
    np.testing.assert_array_equal(counts_by_complementary(counts), complementary)
