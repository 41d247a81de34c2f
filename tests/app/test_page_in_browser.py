"""The page in a real browser: what a visitor drops, sees, moves and takes home."""

import contextlib
import importlib.util
import json
import shutil
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
from PIL import Image
from support.ports import free_port

from wildsr.cli import main

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1360,1180",
)
WAIT = 90  # seconds, at most, for anything on the page: other programs may have the cores

absent = [name for name in ("gradio", "selenium") if importlib.util.find_spec(name) is None]
absent += [] if CHROMIUM and DRIVER else ["chromium and its driver"]
pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(bool(absent), reason=f"not installed: {', '.join(absent)}"),
]


@contextlib.contextmanager
def served(*arguments):
    """The address of a page that is served until the block ends."""
    port = free_port()
    program = "import sys; from wildsr.cli.main import start; sys.exit(start('app', sys.argv[1:]))"
    call = [sys.executable, "-c", program, *arguments, f"port={port}", "device=cpu", "upload=1"]
    process = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + WAIT
        while True:
            try:
                urllib.request.urlopen(address, timeout=WAIT).close()
                break
            except OSError:
                assert process.poll() is None, process.stdout.read()
                assert time.monotonic() < deadline, "the page did not come up"
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        said = process.communicate(timeout=WAIT)[0]
    assert "Traceback" not in said, said


@pytest.fixture(scope="module")
def page(finished, photos):
    """The address of a served page, with a limit of 0.02 megapixels."""
    with served(f"run={finished}", f"weights={finished / 'weights'}", "limit=0.02") as address:
        yield address


class Visitor:
    """A browser on the page."""

    def __init__(self, address, folder):
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        self.downloads = folder / "downloads"
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
            options.add_argument(flag)
        options.add_experimental_option(
            "prefs", {"download.default_directory": str(self.downloads)}
        )
        options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
        self.browser = webdriver.Chrome(options=options, service=Service(DRIVER))
        self.browser.get(address)
        self.until(lambda: self.all("#photo input[type=file]"))

    def all(self, selector):
        from selenium.webdriver.common.by import By

        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def until(self, condition):
        from selenium.common.exceptions import StaleElementReferenceException

        deadline, found = time.monotonic() + WAIT, None
        while not found:
            with contextlib.suppress(StaleElementReferenceException):  # drawn anew meanwhile
                found = condition()
            if not found:
                assert time.monotonic() < deadline, self.browser.page_source[-500:]
                time.sleep(0.1)
        return found

    def text(self, selector):
        return " ".join(element.text for element in self.all(selector))

    def drop(self, path):
        self.until(lambda: self.all("#photo input[type=file]"))[0].send_keys(str(path))

    def says(self, selector, part):
        return self.until(lambda: (said := self.text(selector)) and part in said and said)

    def press(self):
        self.until(lambda: self.all("#upscale"))[0].click()

    def upscale(self):
        self.press()
        return self.says("#status", " by ")

    def images(self):
        """(complete, width, height) of both sides of the slider."""
        code = "return [...document.querySelectorAll('#look img')].map(i => [i.naturalWidth, "
        return self.browser.execute_script(code + "i.naturalHeight, i.src])")

    def requests(self):
        for entry in self.browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                yield message["params"]["request"]["url"]

    def fetched(self):
        """The file that the download button gave."""
        self.until(lambda: self.all("#download:not([disabled])"))[0].click()

        def complete():
            files = [*self.downloads.glob("*")] if self.downloads.exists() else []
            return [f for f in files if f.suffix != ".crdownload" and not f.name.startswith(".")]

        return self.until(complete)[0]


@pytest.fixture
def visitor(page, tmp_path):
    made = Visitor(page, tmp_path)
    yield made
    made.browser.quit()


@pytest.fixture
def rose(tmp_path):
    """A JPEG of 60 x 40 with EXIF and a colour profile."""
    from PIL import ImageCms

    pixels = np.random.default_rng(0).integers(0, 256, (10, 15, 3), np.uint8)
    photo = Image.fromarray(pixels).resize((60, 40), Image.Resampling.BICUBIC)
    exif = photo.getexif()
    exif[0x010F] = "A camera of ours"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo.save(tmp_path / "rose.jpg", quality=95, exif=exif, icc_profile=profile)
    return tmp_path / "rose.jpg"


def test_from_the_drop_to_the_download(visitor, page, rose):
    from selenium.webdriver.common.action_chains import ActionChains

    visitor.drop(rose)
    assert visitor.says("#status", "pixels") == "rose.jpg: 60 x 40 pixels"
    assert "60 x 40 to 240 x 160 pixels by it" in visitor.upscale()

    visitor.until(lambda: len(visitor.images()) == 2 and all(i[0] for i in visitor.images()))
    before, after = visitor.images()
    assert before[:2] == after[:2] == [240, 160]
    assert before[2] != after[2]

    def split():  # how much of the second image the slider shows
        style = "[...document.querySelectorAll('#look img')].map(i => i.style.clipPath).join()"
        return visitor.browser.execute_script(f"return {style}")

    was = split()
    handle = visitor.until(lambda: visitor.all("#look .inner, #look .outer, #look [role=slider]"))
    ActionChains(visitor.browser).drag_and_drop_by_offset(handle[0], 60, 0).perform()
    visitor.until(lambda: split() != was)

    visitor.all("#zoom label")[1].click()
    visitor.until(lambda: [i[:2] for i in visitor.images()] == [[480, 320]] * 2)

    taken = visitor.fetched()
    assert taken.name == "rose_4x.jpg"
    with Image.open(taken) as result:
        assert result.size == (240, 160)
        assert result.getexif()[0x010F] == "A camera of ours"
        assert "icc_profile" in result.info

    outside = {u for u in visitor.requests() if u.startswith("http") and not u.startswith(page)}
    assert outside == set(), "nothing is fetched from elsewhere"


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("words.png", b"not an image at all", "words.png cannot be read"),
        ("empty.jpg", b"", "empty"),
    ],
)
def test_a_bad_file_is_a_sentence(visitor, tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    visitor.drop(tmp_path / name)
    said = visitor.says("body", sentence)
    assert "Traceback" not in said
    visitor.press()
    visitor.says("body", "Drop a photo or pick a sample first.")


def test_a_photo_that_ends_early_or_is_too_large_is_a_sentence(visitor, rose, tmp_path):
    Image.new("RGB", (300, 200)).save(tmp_path / "large.png")
    visitor.drop(tmp_path / "large.png")
    assert "large.png" in visitor.says("#status", "0.02")
    visitor.browser.refresh()
    (tmp_path / "cut.jpg").write_bytes(rose.read_bytes()[:-300])
    visitor.drop(tmp_path / "cut.jpg")
    visitor.says("#status", "cut.jpg")
    assert "pixels" not in visitor.text("#status")


def test_samples_weights_and_factors(visitor, finished):
    visitor.until(lambda: visitor.all("#samples button img"))[0].click()
    assert "photo0.png: 14 x 12 pixels" in visitor.says("#status", "pixels")
    visitor.all("#factor label")[1].click()  # 1, 1.5, 2, ...
    assert "14 x 12 to 21 x 18 pixels" in visitor.upscale()
    visitor.all("#weights input")[0].click()
    offered = "ul[role=listbox] li"
    visitor.until(
        lambda: (
            [option.text.lstrip("✓ ").strip() for option in visitor.all(offered)]
            == ["it", "4x_it.safetensors"]
        )
    )
    visitor.all(offered)[1].click()
    visitor.until(lambda: "4x_it" in visitor.all("#weights input")[0].get_attribute("value"))
    # The factors of the new weights come, the largest chosen.
    visitor.until(lambda: visitor.all("#factor input")[-1].is_selected())
    visitor.press()
    assert "to 56 x 48" in visitor.says("#status", "4x_it.safetensors")


def test_two_visitors_at_once_do_not_mix(page, tmp_path):
    pair = []
    try:
        for number, (size, colour) in enumerate((((30, 20), "red"), ((20, 44), "blue"))):
            folder = tmp_path / str(number)
            folder.mkdir()
            Image.new("RGB", size, colour).save(folder / "photo.png")  # of the same name
            pair.append(Visitor(page, folder))
        for number, visitor in enumerate(pair):
            visitor.drop(tmp_path / str(number) / "photo.png")
        for visitor in pair:
            visitor.says("#status", "photo.png")
        for visitor in pair:
            visitor.press()
        said = [visitor.says("#status", " by ") for visitor in pair]
        assert "30 x 20 to 120 x 80" in said[0]
        assert "20 x 44 to 80 x 176" in said[1]
        for visitor, size in zip(pair, ((120, 80), (80, 176)), strict=True):
            with Image.open(visitor.fetched()) as result:
                assert result.size == size
    finally:
        for visitor in pair:
            visitor.browser.quit()


def test_the_strength_of_a_finish(tiny, photos, rose, tmp_path):
    small = ["finish=gan", "finish.networks.critic_finish.features=4", "finish.guard.every=2"]
    made = ["method=supervised", "finish.share=0.5", "iterations=6", "metric.metrics=[psnr]"]
    folder = [f"runs_dir={tmp_path}", "name=sharp"]
    assert main.start("train", [*tiny, *small, *made, *folder]) == 0
    record = tmp_path / "sharp" / "finish.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "strength": 0.5}))
    with served(f"run={tmp_path / 'sharp'}") as address:
        visitor = Visitor(address, tmp_path / "visitor")
        try:
            visitor.drop(rose)
            visitor.says("#status", "pixels")
            slider = visitor.until(lambda: visitor.all("#strength input[type=range]"))[0]
            assert float(slider.get_attribute("value")) == 0.5
            assert "at strength 0.5" in visitor.upscale()
            visitor.until(lambda: len(visitor.images()) == 2)
            half = visitor.images()[1][2]
            slider.send_keys("\ue010")  # End
            visitor.press()
            assert visitor.says("#status", "at strength 1")
            whole = visitor.until(lambda: (i := visitor.images()[1][2]) != half and i)
            assert whole.startswith(address), "the picture of the other strength is shown"
        finally:
            visitor.browser.quit()
