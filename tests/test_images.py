import io
import os
import random
import struct
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from skimage import data

from mien.errors import DataError, MienError, UnreadableError
from mien.images import (
    MAX_PIXELS,
    PHOTO_SUFFIXES,
    PhotoArray,
    PhotoFile,
    list_photos,
    open_photo,
    read_rgb,
    resize,
    scan_folder,
)
from mien.images.pixels import average_blocks, picture_to_rgb
from mien.images.types import PHOTO_TYPES

UNDO = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}  # fmt: skip
"""EXIF orientation -> how the upright photo is stored."""


@pytest.fixture
def picture() -> Image.Image:
    gradient = np.zeros((40, 60, 3), dtype=np.uint8)
    gradient[:, :30] = (200, 40, 90)
    return Image.fromarray(gradient)


@pytest.fixture(scope="module")
def face() -> Image.Image:
    return Image.fromarray(data.astronaut()[:200, 120:321])


def _encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
    content = io.BytesIO()
    picture.copy().save(content, kind, **options)  # a copy, for Pillow keeps options in the picture
    return content.getvalue()


def _fault(source: Any) -> str:
    with pytest.raises(UnreadableError) as caught:
        open_photo(source).read()
    assert "\n" not in str(caught.value)
    return caught.value.fault


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "avif"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_a_photo_turned_by_exif_comes_out_upright(
    tmp_path: Path, picture: Image.Image, turn: int, suffix: str
) -> None:
    stored = picture.transpose(UNDO[turn]) if turn in UNDO else picture
    exif = Image.Exif()
    exif[0x0112] = turn
    stored.save(tmp_path / f"turned.{suffix}", exif=exif, quality=100)
    photo = PhotoFile(tmp_path / f"turned.{suffix}")
    decoded = photo.read()
    assert photo.size == picture.size
    assert decoded.origin == (0, 0)
    apart = np.abs(decoded.image.astype(int) - np.asarray(picture)).mean()
    assert apart == 0 if suffix in ("png", "tif") else apart < 3
    with Image.open(tmp_path / f"turned.{suffix}") as opened:
        np.testing.assert_array_equal(open_photo(opened).read().image, decoded.image)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1", "LA"])
def test_every_colour_mode_becomes_rgb(tmp_path: Path, picture: Image.Image, mode: str) -> None:
    path = tmp_path / ("photo.tif" if mode == "CMYK" else "photo.png")
    picture.convert(mode).save(path)
    image = read_rgb(path)
    assert image.shape == (40, 60, 3)
    assert image.dtype == np.uint8
    assert image[:, :30].mean() > image[:, 30:].mean() + 50


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "JPEG2000", "TIFF", "BMP", "DIB", "PPM"])
def test_every_type_of_the_list_is_read_by_its_content(tmp_path: Path, face: Image.Image, kind: str) -> None:
    content = _encode(face, kind)
    for suffix in (*PHOTO_TYPES[kind], ".txt"):
        path = tmp_path / f"photo{suffix}"
        path.write_bytes(content)
        assert np.abs(read_rgb(path).astype(int) - np.asarray(face)).mean() < 8
        assert suffix in PHOTO_SUFFIXES or suffix == ".txt"


def test_the_first_picture_of_a_file_with_several_is_read(face: Image.Image) -> None:
    for kind in ("MPO", "GIF", "WEBP", "PNG", "TIFF"):
        content = _encode(face, kind, save_all=True, append_images=[Image.new("RGB", face.size)])
        assert np.abs(open_photo(content).read().image.astype(int) - np.asarray(face)).mean() < 8


def test_a_heic_photo_is_read_upright(face: Image.Image) -> None:
    heif = pytest.importorskip("pillow_heif")
    content, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    heif.from_pillow(face.transpose(UNDO[6])).save(content, exif=exif.tobytes(), quality=90)
    photo = open_photo(content)
    assert photo.size == face.size
    assert np.abs(photo.read().image.astype(int) - np.asarray(face)).mean() < 8


def test_a_heic_photo_without_its_package_is_refused_as_such(tmp_path: Path) -> None:
    (tmp_path / "pillow_heif.py").write_text("raise ImportError")  # as if it were not installed
    (tmp_path / "a.heic").write_bytes(b"\x00\x00\x00\x18ftypheic" + bytes(60))
    code = (
        "from mien.images import open_photo\nfrom mien.errors import UnreadableError\n"
        "try: open_photo('a.heic')\nexcept UnreadableError as error: print(error.fault)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    assert answer.stdout == "needs heic\n"


def _sources(content: bytes, path: Path) -> dict[str, Any]:
    path.write_bytes(content)
    at_its_end = io.BytesIO(content)
    at_its_end.seek(0, os.SEEK_END)
    pixels = read_rgb(path)
    return {
        "text": str(path), "path": path, "bytes": content, "bytearray": bytearray(content), "file": at_its_end,
        "open": path.open("rb"), "array": pixels, "strided": np.repeat(pixels, 2, axis=1)[:, ::2],
        "pillow": Image.open(path),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_all_sources_of_a_photo_give_the_same_pixels(tmp_path: Path, face: Image.Image, kind: str) -> None:
    expected = None
    for name, source in _sources(_encode(face, kind), tmp_path / "photo").items():
        photo = open_photo(source)
        expected = photo.read().image if expected is None else expected
        assert photo.size == face.size, name
        assert photo.name == (str(tmp_path / "photo") if name in ("text", "path", "open") else "photo")
        assert photo.read(4).reduction == 1
        np.testing.assert_array_equal(photo.read(2).image, expected, err_msg=name)
        if hasattr(source, "close"):
            source.close()


def test_grey_arrays_are_photos() -> None:
    grey = np.arange(40 * 50, dtype=np.uint8).reshape(40, 50)
    for pixels in (grey, grey[..., None]):
        np.testing.assert_array_equal(open_photo(pixels).read().image, np.stack([grey] * 3, axis=2))


@pytest.mark.parametrize(
    "source",
    [
        None, 7, [1, 2], ["photo.jpg"], object(), io.StringIO("photo"), np.zeros((40, 40, 3)),
        np.zeros((40, 40, 4), np.uint8), np.zeros((40, 40, 3), bool), np.zeros(40, np.uint8),
        np.zeros((1, 40, 40, 3), np.uint8), np.uint8(3),
    ],
)  # fmt: skip
def test_what_is_no_photo_is_refused_as_such(source: Any) -> None:
    assert _fault(source) == "not a photo"


def test_a_file_that_was_closed_is_refused() -> None:
    closed = io.BytesIO(b"photo")
    closed.close()
    assert _fault(closed) == "missing"


@given(st.sampled_from([1, *UNDO]), st.sampled_from([2, 4, 8]), st.integers(32, 90), st.integers(32, 90))
def test_reducing_a_stored_picture_is_reducing_the_upright_one(turn: int, side: int, width: int, height: int) -> None:
    noise = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    stored = Image.fromarray(noise)
    upright = picture_to_rgb(stored, turn)
    np.testing.assert_array_equal(picture_to_rgb(stored, turn, side), average_blocks(upright, side))
    np.testing.assert_array_equal(Image.fromarray(upright).transpose(UNDO[turn]) if turn in UNDO else upright, noise)


@pytest.mark.slow
def test_a_large_file_reduces_exactly_as_the_array_of_its_pixels(tmp_path: Path, face: Image.Image) -> None:
    face.resize((5501, 5507)).save(tmp_path / "large.png", compress_level=1)
    photo = open_photo(tmp_path / "large.png")
    reduced = photo.read(4)
    assert reduced.reduction == 4
    pixels = photo.read().image
    np.testing.assert_array_equal(open_photo(pixels).read(4).image, reduced.image)
    np.testing.assert_array_equal(pixels, np.asarray(face.resize((5501, 5507))))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measured where Linux tells it")
@pytest.mark.parametrize(
    "mode", ["RGB", pytest.param("RGBA", marks=pytest.mark.slow), pytest.param("L", marks=pytest.mark.slow)]
)
def test_a_picture_of_120_megapixels_takes_less_than_600_megabytes(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (12000, 10000), (90,) * len(mode) if len(mode) > 1 else 90).save(tmp_path / "a.png")
    code = (  # not getrusage, in which what started the process counts
        "from pathlib import Path\nfrom mien.images import read_rgb\nimage = read_rgb('a.png')\n"
        "peak = next(line for line in Path('/proc/self/status').open() if line.startswith('VmHWM'))\n"
        "print(image.shape, peak.split()[1])"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    shape, _, kilobytes = answer.stdout.rpartition(" ")
    assert shape == "(10000, 12000, 3)"
    assert int(kilobytes) < 600_000


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_deep_grey_keeps_its_range(tmp_path: Path, bits: int, suffix: str) -> None:
    deep = np.linspace(0, 2**bits - 1, 64 * 64).astype(np.uint16).reshape(64, 64)
    Image.fromarray(deep).save(tmp_path / f"deep.{suffix}")
    image = read_rgb(tmp_path / f"deep.{suffix}")
    assert image[0, 0, 0] == 0
    assert image[-1, -1, 0] == 255
    assert abs(int(image[32, 0, 0]) - 128) <= 1


def test_the_range_that_a_tiff_names_counts_more_than_its_highest_value(tmp_path: Path) -> None:
    deep = np.full((64, 64), 1023, dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.tif", tiffinfo={281: 4095})
    assert abs(int(read_rgb(tmp_path / "deep.tif")[0, 0, 0]) - 64) <= 1


def test_what_is_no_number_is_black(tmp_path: Path) -> None:
    deep = np.full((64, 64), 0.5, dtype=np.float32)
    deep[0] = [np.nan, np.inf, -np.inf, 1] * 16
    Image.fromarray(deep).save(tmp_path / "deep.tif")
    assert set(read_rgb(tmp_path / "deep.tif")[1:].reshape(-1)) == {128}


def test_transparent_pixels_are_white(tmp_path: Path) -> None:
    Image.new("RGBA", (50, 50), (10, 20, 30, 0)).save(tmp_path / "clear.png")
    assert read_rgb(tmp_path / "clear.png").min() == 255


def test_a_bmp_whose_fourth_bytes_are_all_zero_is_opaque() -> None:
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = struct.pack("<IiiHHIIiiII", 108, 50, 40, 1, 32, 3, 50 * 40 * 4, 2835, 2835, 0, 0) + masks + bytes(52)
    for alpha, expected in ((0, [10, 20, 30]), (255, [10, 20, 30])):
        pixels = bytes([30, 20, 10, alpha]) * (50 * 40)
        content = struct.pack("<2sIHHI", b"BM", 122 + len(pixels), 0, 0, 122) + header + pixels
        with Image.open(io.BytesIO(content)) as opened:
            assert opened.mode == "RGBA"
        assert open_photo(content).read().image[0, 0].tolist() == expected


@pytest.mark.parametrize("packed", [True, False])
def test_long_texts_in_a_png_do_no_harm(face: Image.Image, packed: bool) -> None:
    texts = PngInfo()
    texts.add_text("prompt", "words " * 500_000, zip=packed)
    for _ in range(0 if packed else 30):
        texts.add_text("more", "words " * 500_000)
    content = _encode(face, "PNG", pnginfo=texts)
    np.testing.assert_array_equal(open_photo(content).read().image, np.asarray(face))


JPEGS: list[dict[str, Any]] = [
    {}, {"progressive": True}, {"restart_marker_blocks": 7}, {"progressive": True, "restart_marker_rows": 1},
    {"subsampling": 0, "optimize": True}, {"quality": 30},
]  # fmt: skip


@pytest.mark.parametrize("options", JPEGS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_is_read_without_its_end_marker_and_refused_without_its_pixels(
    face: Image.Image, mode: str, options: dict[str, Any]
) -> None:
    content = _encode(face.convert(mode), "JPEG", **options)
    whole = open_photo(content).read()
    assert not whole.repaired
    for end in (b"", b"\xff", bytes(300)):
        np.testing.assert_array_equal(open_photo(content[:-2] + end).read().image, whole.image)
    markers = [at for at in range(2, len(content) - 1) if content[at] == 0xFF and 0xD0 <= content[at + 1] < 0xDB]
    anywhere = random.Random(0).sample(range(2, len(content) - 60), 8)
    for cut in (len(content) - 40, len(content) // 2, *anywhere, *markers[:4]):
        with suppress(UnreadableError):
            np.testing.assert_array_equal(open_photo(content[:cut]).read().image, whole.image)
    assert _fault(content[: len(content) // 2]) == "damaged"


def test_a_photo_without_its_end_marker_says_so(face: Image.Image) -> None:
    content = _encode(face, "JPEG", quality=90)
    assert not open_photo(content).read().repaired
    assert open_photo(content[:-2]).read().repaired


def test_broken_exif_is_passed_over(face: Image.Image) -> None:
    for broken in (
        b"Exif\x00\x00",
        b"Exif\x00\x00II*\x00\xff\xff\xff\xff",
        b"Exif\x00\x00MM\x00*" + bytes(range(60)),
    ):
        content = _encode(face, "JPEG", exif=broken, quality=95)
        assert np.abs(open_photo(content).read().image.astype(int) - np.asarray(face)).mean() < 4


def _damaged(folder: Path, kind: str) -> Path:
    path = folder / f"{kind.replace(' ', '-')}.jpg"
    photo = Image.effect_noise((400, 300), 60)
    if kind == "empty":
        path.touch()
    elif kind == "unknown type":
        path.write_text("just words")
    elif kind == "damaged":
        photo.save(path)
        path.write_bytes(path.read_bytes()[:5000])
    elif kind == "too small":
        Image.new("RGB", (1, 20000)).save(path, "PNG")
    elif kind == "not a file":
        path.mkdir()
    elif kind == "too large":
        Image.new("1", (12001, 10000)).save(path, "PNG")
    return path


@pytest.mark.parametrize(
    "kind", ["empty", "unknown type", "damaged", "too small", "not a file", "missing", "too large"]
)
def test_a_bad_file_is_refused_by_name_with_its_reason(tmp_path: Path, kind: str) -> None:
    path = _damaged(tmp_path, kind)
    with pytest.raises(UnreadableError) as caught:
        read_rgb(path)
    assert caught.value.fault == kind
    assert caught.value.photo == str(path)
    assert str(caught.value) == f"{path}: {caught.value.reason}"
    assert "\n" not in str(caught.value)


def test_more_pixels_than_pillow_takes_are_refused_as_too_large(tmp_path: Path) -> None:
    Image.new("1", (20000, 15000)).save(tmp_path / "huge.png")
    assert _fault(tmp_path / "huge.png") == "too large"
    assert MAX_PIXELS < 20000 * 15000


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "GIF", "JPEG2000", "TIFF", "BMP", "PPM"])
def test_a_file_cut_off_in_its_middle_is_refused(face: Image.Image, kind: str) -> None:
    content = _encode(face, kind)
    for share in (0.2, 0.5, 0.8):
        assert _fault(content[: int(share * len(content))]) in ("damaged", "unknown type")


def test_reading_in_threads_leaves_the_filters_of_warnings_as_they_were(face: Image.Image) -> None:
    contents = [_encode(face, kind) for kind in ("PNG", "JPEG", "WEBP")] * 8
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        images = list(pool.map(lambda content: open_photo(content).read().image, contents))
    assert list(warnings.filters) == before
    for i, image in enumerate(images):
        np.testing.assert_array_equal(image, images[i % 3])


ENCODERS: list[tuple[str, list[str], dict[str, Any]]] = [
    ("JPEG", ["RGB", "L", "CMYK"], {}), ("JPEG", ["RGB"], {"progressive": True}), ("MPO", ["RGB"], {}),
    ("PNG", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"], {}), ("WEBP", ["RGB", "RGBA"], {}),
    ("WEBP", ["RGB"], {"lossless": True}), ("AVIF", ["RGB"], {"speed": 10}), ("GIF", ["P", "L"], {}),
    ("JPEG2000", ["RGB", "L", "RGBA"], {}), ("TIFF", ["RGB", "L", "I;16", "F", "CMYK", "1", "P"], {}),
    ("TIFF", ["RGB"], {"compression": "tiff_lzw"}), ("TIFF", ["RGB"], {"compression": "jpeg"}),
    ("BMP", ["RGB", "L", "1", "P", "RGBA"], {}), ("PPM", ["RGB", "L", "1", "I;16"], {}),
]  # fmt: skip


def _deep_or_not(pixels: np.ndarray, mode: str) -> Image.Image:
    if mode in ("I;16", "F"):
        deep = pixels[..., 0].astype(np.uint16 if mode == "I;16" else np.float32) * 17
        return Image.fromarray(deep)
    return Image.fromarray(pixels).convert(mode)


@st.composite
def _files(draw: st.DrawFn) -> bytes:
    """What an encoder writes, with any size and EXIF, maybe cut off or with a few bytes changed."""
    kind, modes, options = draw(st.sampled_from(ENCODERS))
    width, height = draw(st.tuples(st.integers(1, 90), st.integers(1, 90)))
    pixels = np.random.default_rng(draw(st.integers(0, 9))).integers(0, 256, (height, width, 3), dtype=np.uint8)
    if kind in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF") and draw(st.booleans()):
        exif = Image.Exif()
        values = st.one_of(st.integers(0, 65535), st.text(max_size=5), st.binary(max_size=5))
        for tag in draw(st.lists(st.sampled_from([0x0112, 0x010F, 0x011A, 0x9286, 0xA002]), max_size=3)):
            exif[tag] = draw(st.integers(0, 9) if tag == 0x0112 else values)
        try:
            options = options | {"exif": exif.tobytes()}
        except Exception:  # Pillow writes not every value
            options = dict(options)
    try:
        content = bytearray(_encode(_deep_or_not(pixels, draw(st.sampled_from(modes))), kind, **options))
    except (OSError, ValueError, TypeError, RuntimeError):
        return draw(st.binary(max_size=200))
    for at in draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[at] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))])


def _answers_or_refuses(content: bytes) -> None:
    try:
        photo = open_photo(content)
        image = photo.read().image
    except MienError:
        return
    assert image.shape == (photo.size[1], photo.size[0], 3)
    assert image.dtype == np.uint8


def _jpeg_with_broken_exif() -> bytes:
    """A JPEG that is cut off, with an EXIF block that ends before its entries do."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(buffer, "JPEG", exif=b"Exif\x00\x00MM\x00*\x01\x00\x00\x08" + bytes(6))
    return buffer.getvalue()[:-40]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(_files())
@example(b"\x89PNG\r\n\x1a\n" + zlib.compress(b"words"))
@example(_jpeg_with_broken_exif())
def test_any_file_is_read_or_refused(content: bytes) -> None:
    _answers_or_refuses(content)


@pytest.mark.slow
@settings(max_examples=5000, deadline=None, derandomize=True)  # the same files for everyone
@given(_files())
def test_any_of_many_files_is_read_or_refused(content: bytes) -> None:
    _answers_or_refuses(content)


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def _listed(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in list_photos(folder)]


def test_photos_are_listed_sorted_and_hidden_ones_left_out(tmp_path: Path) -> None:
    for name in ("b/2.JPG", "a/1.png", ".hidden/3.jpg", "a/.4.jpg", "a/notes.txt"):
        _touch(tmp_path / name)
    assert _listed(tmp_path) == ["a/1.png", "b/2.JPG"]


def test_what_a_folder_holds_besides_is_counted(tmp_path: Path) -> None:
    for name in ("1.heic", "2.txt", "a/3.TXT", "a/4.mov", "README", ".DS_Store"):
        _touch(tmp_path / name)
    content = scan_folder(tmp_path)
    assert [path.name for path in content.photos] == ["1.heic"]
    assert content.others == {"": 1, ".mov": 1, ".txt": 2}


def test_linked_folders_are_followed_once_and_never_in_a_circle(tmp_path: Path) -> None:
    for name in ("elsewhere/ann/1.jpg", "photos/bob/2.jpg"):
        _touch(tmp_path / name)
    photos = tmp_path / "photos"
    (photos / "ann").symlink_to("../elsewhere/ann")
    (photos / "zoe").symlink_to("../elsewhere/ann")
    (photos / "bob" / "again").symlink_to("../bob")
    (photos / "a-first").symlink_to("bob")
    (photos / "up").symlink_to("..")
    (tmp_path / "elsewhere" / "ann" / "back").symlink_to(photos)
    assert _listed(photos) == ["ann/1.jpg", "bob/2.jpg"]


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
        with pytest.raises(DataError) as caught:
            list_photos("photos")
    finally:
        os.seteuid(user)
    assert caught.value.path == Path("photos/bob")


def test_pictures_in_a_prepared_set_are_no_photos(tmp_path: Path) -> None:
    for name in ("ann/1.jpg", "set/contact-sheet.png", "set/set.json", "set/samples.parquet", "begun/2.png"):
        _touch(tmp_path / name)
    _touch(tmp_path / "begun" / "shards" / "plan.json")
    assert _listed(tmp_path) == ["ann/1.jpg"]


@pytest.mark.parametrize("name", ["empty", "nowhere"])
def test_a_folder_without_photos_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError) as caught:
        list_photos(tmp_path / name)
    assert caught.value.path == tmp_path / name


def test_resizing_keeps_the_mean_and_one_is_the_same_array() -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    assert resize(image, 1) is image
    assert resize(image, 0.5).shape == (15, 20, 3)
    assert resize(image, 2).shape == (60, 80, 3)
    assert abs(resize(image, 0.5).mean() - image.mean()) < 1


def test_small_arrays_are_read_as_they_are() -> None:
    image = np.zeros((40, 50, 3), dtype=np.uint8)
    assert PhotoArray(image).read(8).image is image


@pytest.mark.parametrize("mode", ["RGBa", "La"])
def test_transparent_pictures_are_white_where_nothing_is_whatever_their_mode(mode: str) -> None:
    clear = Image.new("RGBA" if mode == "RGBa" else "LA", (64, 64), 0).convert(mode)
    assert (read_rgb(clear) == 255).all()


def test_the_colours_of_lab_are_no_transparency() -> None:
    grey = Image.new("LAB", (64, 64), (128, 128, 128))
    assert abs(read_rgb(grey).astype(float).mean() - 119) < 5
