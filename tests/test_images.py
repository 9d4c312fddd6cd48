import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.errors import DataError, UnreadableError
from mien.images import PhotoFile, list_photos, read_rgb, resize


@pytest.fixture
def picture() -> Image.Image:
    gradient = np.zeros((40, 60, 3), dtype=np.uint8)
    gradient[:, :30] = (200, 40, 90)
    return Image.fromarray(gradient)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_a_photo_turned_by_exif_comes_out_upright(
    tmp_path: Path, picture: Image.Image, turn: int, suffix: str
) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    stored = picture.transpose(undo[turn]) if turn in undo else picture
    exif = Image.Exif()
    exif[0x0112] = turn
    stored.save(tmp_path / f"turned.{suffix}", exif=exif, quality=100)
    photo = PhotoFile(tmp_path / f"turned.{suffix}")
    decoded = photo.read()
    assert photo.size == picture.size
    assert decoded.origin == (0, 0)
    apart = np.abs(decoded.image.astype(int) - np.asarray(picture)).mean()
    assert apart == 0 if suffix in ("png", "tif") else apart < 3


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1", "LA"])
def test_every_colour_mode_becomes_rgb(tmp_path: Path, picture: Image.Image, mode: str) -> None:
    path = tmp_path / ("photo.tif" if mode == "CMYK" else "photo.png")
    picture.convert(mode).save(path)
    image = read_rgb(path)
    assert image.shape == (40, 60, 3)
    assert image.dtype == np.uint8
    assert image[:, :30].mean() > image[:, 30:].mean() + 50


def test_sixteen_bit_grey_keeps_its_range(tmp_path: Path) -> None:
    deep = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    image = read_rgb(tmp_path / "deep.png")
    assert image[0, 0, 0] == 0
    assert image[-1, -1, 0] == 255
    assert abs(int(image[32, 0, 0]) - 128) <= 1


def test_transparent_pixels_are_white(tmp_path: Path) -> None:
    Image.new("RGBA", (50, 50), (10, 20, 30, 0)).save(tmp_path / "clear.png")
    assert read_rgb(tmp_path / "clear.png").min() == 255


def _damaged(folder: Path, kind: str) -> Path:
    path = folder / f"{kind.replace(' ', '-')}.jpg"
    photo = Image.effect_noise((400, 300), 60)
    if kind == "empty":
        path.touch()
    elif kind == "not an image":
        path.write_text("just words")
    elif kind == "truncated":
        photo.save(path)
        path.write_bytes(path.read_bytes()[:5000])
    elif kind == "too small":
        Image.new("RGB", (1, 20000)).save(path.with_suffix(".png"))
        return path.with_suffix(".png")
    elif kind == "folder":
        path.mkdir()
    elif kind == "12001 x 10000 pixels is over the limit of 120":
        Image.new("1", (12001, 10000)).save(folder / "large.png")
        return folder / "large.png"
    elif kind == "the picture is over the limit of 120":
        Image.new("1", (20000, 15000)).save(folder / "huge.png")
        return folder / "huge.png"
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "empty", "not an image", "truncated", "too small", "folder", "cannot be read",
        "12001 x 10000 pixels is over the limit of 120", "the picture is over the limit of 120",
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_by_name_with_its_reason(tmp_path: Path, kind: str) -> None:
    path = _damaged(tmp_path, kind)
    with pytest.raises(UnreadableError, match=kind) as caught:
        read_rgb(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_photos_are_listed_sorted_and_hidden_ones_left_out(tmp_path: Path) -> None:
    for name in ("b/2.JPG", "a/1.png", ".hidden/3.jpg", "a/.4.jpg", "a/notes.txt"):
        _touch(tmp_path / name)
    assert [p.relative_to(tmp_path).as_posix() for p in list_photos(tmp_path)] == ["a/1.png", "b/2.JPG"]


def test_a_folder_that_may_not_be_read_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _touch(tmp_path / "photos" / "ann" / "1.jpg")
    _touch(tmp_path / "photos" / "bob" / "2.jpg")
    (tmp_path / "photos" / "bob").chmod(0)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    user = os.geteuid()
    if user == 0:  # who may read everything
        os.seteuid(65534)
    try:
        with pytest.raises(DataError, match=r"photos/bob: cannot be read \(Permission denied\); change its perm"):
            list_photos("photos")
    finally:
        os.seteuid(user)


def test_pictures_in_a_prepared_set_are_no_photos(tmp_path: Path) -> None:
    for name in ("ann/1.jpg", "set/contact-sheet.png", "set/set.json", "set/samples.parquet", "begun/2.png"):
        _touch(tmp_path / name)
    _touch(tmp_path / "begun" / "shards" / "plan.json")
    assert [p.relative_to(tmp_path).as_posix() for p in list_photos(tmp_path)] == ["ann/1.jpg"]


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no photos"):
        list_photos(tmp_path)


def test_resizing_keeps_the_mean_and_one_is_the_same_array() -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    assert resize(image, 1) is image
    assert resize(image, 0.5).shape == (15, 20, 3)
    assert resize(image, 2).shape == (60, 80, 3)
    assert abs(resize(image, 0.5).mean() - image.mean()) < 1
