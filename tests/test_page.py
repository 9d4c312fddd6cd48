"""The page in a real browser: Debian's Chromium, driven by Playwright, with its policies in force."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra dev")
pytest.importorskip("fastapi", reason="needs the extra serve")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("needs Chromium; run: make chromium", allow_module_level=True)

from server_process import SAMPLES, ServerProcess, sample  # noqa: E402

pytestmark = pytest.mark.slow  # a browser
expect = playwright.expect
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
PERCENT = re.compile(r"\d%")
LONG = 60_000
"""Milliseconds, on a machine that does much else."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all pages."""
    with ServerProcess(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium, whose camera shows two sample faces, a second each."""
    film = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    film.write_bytes(b"".join(_camera_picture(name) * 30 for name in ("asha-neutral", "asha-surprised")))
    words = [
        "--no-sandbox",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    ]
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=CHROMIUM, args=words)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Any, server: ServerProcess) -> Iterator[Any]:
    """The page, opened; whatever it complains about fails the test."""
    yield from _opened(browser, server, viewport={"width": 1280, "height": 900})


@pytest.fixture
def phone(browser: Any, server: ServerProcess) -> Iterator[Any]:
    """The page on a phone."""
    yield from _opened(browser, server, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)


def _opened(browser: Any, server: ServerProcess, **how: Any) -> Iterator[Any]:
    context = browser.new_context(permissions=["camera"], **how)
    opened, complaints = context.new_page(), []
    opened.set_default_timeout(LONG)
    opened.on("console", lambda said: _note_console(said, complaints))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda asked: _note_foreign(asked, server, complaints))
    opened.goto(server.address)
    expect(opened.locator("html[data-ready]")).to_be_attached(timeout=LONG)
    yield opened
    context.close()
    assert not complaints


def _note_console(said: Any, complaints: list[str]) -> None:
    is_problem = "/v1/" in said.location["url"] and "status of 4" in said.text  # an answer that the page handles
    if said.type == "error" and not is_problem:
        complaints.append(said.text)


def _note_foreign(asked: Any, server: ServerProcess, complaints: list[str]) -> None:
    if not asked.url.startswith((server.address, "blob:", "data:")):
        complaints.append(f"asks for {asked.url}")


def _camera_picture(name: str) -> bytes:
    import io

    face = Image.open(io.BytesIO(sample(name))).resize((480, 480))
    picture, file = Image.new("RGB", (640, 480), "gray"), io.BytesIO()
    picture.paste(face, (80, 0))
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()


def _choose(page: Any, *names: str) -> None:
    page.locator("#photo-input").set_input_files([str(SAMPLES / f"{name}.jpg") for name in names])
    expect(_read(page)).to_have_count(len(names), timeout=LONG)


def _read(page: Any) -> Any:
    return page.locator(".card-phrase").filter(has_text=PERCENT)


def _phrase(page: Any) -> Any:
    return page.locator("#photo-answer .phrase")


def test_a_dropped_photo_is_read_and_drawn(page: Any) -> None:
    content = list(sample("asha-surprised"))
    drop = page.evaluate_handle(
        """content => {
            const drop = new DataTransfer();
            drop.items.add(new File([new Uint8Array(content)], "dropped.jpg", { type: "image/jpeg" }));
            return drop;
        }""",
        content,
    )
    page.dispatch_event("#photo-drop", "drop", {"dataTransfer": drop})
    expect(_phrase(page)).to_have_text("surprised", timeout=LONG)
    assert page.locator("#photo-answer .points circle").count() == 68
    assert page.locator("#photo-answer .arrows line").count() > 5
    assert page.locator("#photo-answer .top5 li").count() == 5
    assert page.locator("#photo-answer td.best").get_attribute("aria-label").startswith("surprised: ")


def test_the_answer_changes_when_a_neutral_face_is_chosen(page: Any) -> None:
    _choose(page, "ben-surprised", "ben-happy")
    expect(_phrase(page)).not_to_have_text("neutral")
    before = _phrase(page).text_content()
    page.get_by_role("button", name="This is me, neutral").click()
    expect(_phrase(page)).to_have_text("neutral", timeout=LONG)
    expect(page.locator("#photo-answer .before")).to_contain_text(before)
    expect(page.locator("#photo-answer .reference")).to_contain_text("neutral face: 1 photo")
    expect(page.locator("#compare")).to_have_value("session")
    expect(page.get_by_role("button", name="This is the neutral face")).to_be_disabled()


def test_photos_stand_side_by_side_and_can_be_compared_as_one_person(page: Any) -> None:
    _choose(page, "asha-neutral", "asha-surprised", "asha-happily-surprised")
    page.locator("#compare").select_option("together")
    expect(page.locator("#photo-answer .reference")).to_contain_text("3 photos", timeout=LONG)
    page.locator(".card").nth(1).click()
    expect(_phrase(page)).to_have_text("surprised")


def test_everything_is_reached_by_keys_alone(page: Any) -> None:
    page.get_by_role("button", name="asha surprised").focus()
    page.keyboard.press("Enter")
    expect(_phrase(page)).to_have_text("surprised", timeout=LONG)
    _tab_to(page, "grid cell", lambda: page.evaluate("document.activeElement.getAttribute('role')") == "gridcell")
    caption = page.locator("#photo-answer .grid-caption")
    expect(caption).to_contain_text("surprise alone")
    page.keyboard.press("ArrowLeft")
    expect(caption).to_contain_text("surprisedly sad")
    page.keyboard.press("ArrowUp")
    expect(caption).to_contain_text("sad:")
    for _ in range(8):
        page.keyboard.press("ArrowDown")
    expect(caption).to_contain_text("No emotion")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")
    expect(caption).to_contain_text("is dominant")


def _tab_to(page: Any, what: str, reached: Any) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if reached():
            return
    raise AssertionError(f"no {what} is reached by tabs")


def test_the_grid_answers_to_the_pointer(page: Any) -> None:
    _choose(page, "asha-surprised")
    page.locator("#photo-answer td[data-label='3_6']").hover()
    expect(page.locator("#photo-answer .grid-caption")).to_contain_text("disgustedly sad")
    expect(page.locator("#photo-answer .grid-caption")).to_contain_text("sadness is dominant")


def test_a_photo_without_a_face_says_what_to_do_and_the_next_one_is_read(page: Any, tmp_path: Path) -> None:
    blank = tmp_path / "blank.png"
    Image.fromarray(np.full((300, 300, 3), 127, np.uint8)).save(blank)
    page.locator("#photo-input").set_input_files(str(blank))
    expect(page.locator("#photo-answer .problem")).to_contain_text("No face can be read", timeout=LONG)
    page.locator("#photo-input").set_input_files(str(SAMPLES / "asha-surprised.jpg"))
    expect(_phrase(page)).to_have_text("surprised", timeout=LONG)


def test_answers_are_saved_as_csv_json_and_a_picture(page: Any) -> None:
    _choose(page, "asha-surprised", "ben-happy")
    files = {}
    for kind in ("csv", "json", "png"):
        with page.expect_download() as coming:
            page.locator(f"[data-download={kind}]").click()
        files[kind] = Path(coming.value.path())
    rows = files["csv"].read_text("utf-8-sig").splitlines()
    assert len(rows) == 3
    assert "p_N_N" in rows[0]
    assert [entry["name"] for entry in json.loads(files["json"].read_text())] == [
        "asha-surprised.jpg",
        "ben-happy.jpg",
    ]
    with Image.open(files["png"]) as picture:
        assert picture.size == (1240, 800)
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 1000


def test_the_camera_is_read_live_and_its_frames_are_not_kept(page: Any, server: ServerProcess) -> None:
    page.goto(f"{server.address}/#camera")
    page.locator("#camera-start").click()
    expect(page.locator("#camera-rate")).to_have_attribute("data-rate", re.compile(r"\d"), timeout=LONG)
    expect(page.locator("#camera-answer .phrase")).not_to_be_empty()
    page.locator("#camera-neutral").click()
    expect(page.locator("#camera-answer .reference")).to_contain_text("neutral face: 1 photo", timeout=LONG)
    page.locator("#camera-start").click()
    expect(page.locator("#camera-work")).to_be_hidden()
    assert not server.left_behind()


def test_a_film_is_read_and_scrubbed(page: Any, server: ServerProcess, tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "film.webm"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libvpx", rate=10)
        stream.width = stream.height = 320
        for name in ("asha-neutral", "asha-surprised"):
            pixels = np.asarray(Image.open(SAMPLES / f"{name}.jpg").resize((320, 320)))
            for _ in range(12):
                out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        out.mux(stream.encode())
    page.goto(f"{server.address}/#film")
    page.locator("#film-input").set_input_files(str(path))
    expect(page.locator("#film-work")).to_be_visible(timeout=LONG)
    slider = page.locator("#film-slider")
    slider.fill("2")
    expect(page.locator("#film-answer .phrase")).to_have_text("surprised")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("person 1 surprised"))
    expect(page.locator("#film-stage .points circle")).to_have_count(68)
    assert page.locator(".episode").count() >= 1


def test_somebody_is_kept_compared_with_and_deleted(page: Any, server: ServerProcess) -> None:
    page.goto(f"{server.address}/#people")
    page.locator("#person-name").fill("Ben")
    page.locator("#person-photos").set_input_files(str(SAMPLES / "ben-neutral.jpg"))
    page.locator("#person-neutral").check()
    page.locator("#people-form button").click()
    expect(page.locator("#people-list")).to_contain_text("Ben", timeout=LONG)
    page.goto(f"{server.address}/#photos")
    _choose(page, "ben-neutral")
    page.locator("#compare").select_option("person:Ben")
    expect(_phrase(page)).to_have_text("neutral", timeout=LONG)
    page.goto(f"{server.address}/#people")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete Ben").click()
    expect(page.locator("#people-list")).not_to_contain_text("Ben", timeout=LONG)


def test_a_phone_shows_all_of_it_without_scrolling_sideways(phone: Any, server: ServerProcess) -> None:
    _choose(phone, "asha-surprised", "asha-neutral")
    for view in ("photos", "film", "camera", "people"):
        phone.goto(f"{server.address}/#{view}")
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390, view
    phone.goto(f"{server.address}/#photos")
    for button in phone.locator("button:visible").all():
        box = button.bounding_box()
        assert min(box["width"], box["height"]) >= 32  # large enough for a finger


def test_light_and_dark_follow_the_system_and_the_button(page: Any) -> None:
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "light")
    page.emulate_media(color_scheme="dark")
    expect(root).to_have_attribute("data-theme", "dark")
    page.locator("#theme").click()
    expect(root).to_have_attribute("data-theme", "light")
    page.reload()
    expect(root).to_have_attribute("data-theme", "light")


def test_a_token_is_asked_for_on_the_page(browser: Any, tmp_path: Path) -> None:
    with ServerProcess(tmp_path, "--workers", "1", MIEN_TOKEN="a-long-enough-token") as guarded:
        context = browser.new_context()
        asked = context.new_page()
        asked.goto(guarded.address)
        asked.locator("#token").fill("another token")
        asked.locator("#sign-in button").click()
        expect(asked.locator("#sign-in-problem")).not_to_be_empty()
        asked.locator("#token").fill("a-long-enough-token")
        asked.locator("#sign-in button").click()
        expect(asked.locator("html[data-ready]")).to_be_attached(timeout=LONG)
        assert not asked.evaluate("document.cookie")  # no script can read it
        context.close()
        context = browser.new_context()
        opened = context.new_page()
        opened.goto(guarded.first_address)
        expect(opened.locator("html[data-ready]")).to_be_attached(timeout=LONG)
        assert "token" not in opened.url
        context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Any, server: ServerProcess, theme: str) -> None:
    if not AXE.is_file():
        pytest.skip("needs axe-core; run: make axe")
    # Its script is no part of the page, so the page's policy is left out of force for it alone.
    context = browser.new_context(bypass_csp=True, color_scheme=theme, reduced_motion="reduce")
    page = context.new_page()
    page.goto(server.address)
    expect(page.locator("html[data-ready]")).to_be_attached(timeout=LONG)
    _choose(page, "asha-surprised", "ben-happy")
    page.add_script_tag(path=str(AXE))
    for view in ("photos", "film", "camera", "people"):
        page.evaluate("view => { location.hash = view; }", view)
        expect(page.locator(f"#view-{view}")).to_be_visible()
        found = page.evaluate("axe.run({ resultTypes: ['violations'] })")["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert not serious, [(one["id"], [node["target"] for node in one["nodes"]]) for one in serious]
    context.close()
