"""The page in a real browser: it opens without a network, sorts, slides, zooms."""

import base64
import json
import re
import shutil

import pytest
from support.served_page import until

from wildsr.report.page.page import PNG, Page, write_page

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import Select  # noqa: E402

pytestmark = pytest.mark.heavy
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
FLAGS = [
    *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run"),
    *("disable-background-networking", "disable-component-update", "disable-sync"),
    "disable-dev-shm-usage",
]
needs_browser = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="Chromium and its driver are not installed"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def path(evaluated):
    (evaluated.folder / "metrics.csv").write_text(
        "iteration,name,value\n1,upscale/pixel,0.5\n2,upscale/pixel,0.25\n2,test/a/psnr,1\n"
    )
    page = Page("By hand </script>", 4, 10**7, {"it": evaluated.folder}, {"command": "x < y"})
    return write_page(evaluated.folder, evaluated.summary, evaluated.sets, page)


@pytest.fixture
def opened(browser, path):
    browser.set_window_size(1000, 900)
    browser.get(f"file://{path}")
    yield browser
    assert browser.get_log("browser") == []


def column(browser, index):
    rows = browser.find_elements(By.CSS_SELECTOR, "#summary tbody tr")
    return [
        row.find_elements(By.XPATH, "./*")[index].text.split("\n")[0]
        for row in rows
        if row.is_displayed()
    ]


def styles(browser, selector):
    found = browser.find_elements(By.CSS_SELECTOR, selector)
    keys = ("width", "height", "left", "top")
    return [
        tuple(browser.execute_script("return arguments[0].style[arguments[1]]", e, k) for k in keys)
        for e in found
    ]


def divider(browser):
    return int(browser.find_element(By.ID, "handle").get_attribute("aria-valuenow"))


def test_the_file_needs_nothing_else(path):
    text = path.read_text()
    loaded = re.findall(r"""(?:src|href)=["'](?!data:|#)[^"']*|url\((?!data:)[^)]*""", text)
    assert loaded == []
    assert "</b>ours" not in text
    assert text.count("</script>") == 2, "the title's is escaped"


@needs_browser
def test_sorting_and_sets(opened):
    assert column(opened, 0) == ["bicubic", "<b>ours</b>"]
    heads = opened.find_elements(By.CSS_SELECTOR, "#summary thead button")
    heads[1].click()
    assert column(opened, 1) == ["25.00", "24.00"], "the better end first"
    assert column(opened, 0) == ["<b>ours</b>", "bicubic"]
    heads[1].click()
    assert column(opened, 1) == ["24.00", "25.00"]
    sort = opened.find_elements(By.CSS_SELECTOR, "#summary th[aria-sort=ascending]")
    assert len(sort) == 1
    Select(opened.find_element(By.ID, "set-filter")).select_by_visible_text("two")
    assert sorted(column(opened, 1)) == ["30.00", "31.00"]


@needs_browser
def test_differences_of_two_rows(opened):
    cells = opened.find_elements(By.CSS_SELECTOR, "#differences tbody tr:first-child > *")
    assert [c.text for c in cells[:2]] == ["PSNR", "+1.00"]
    assert float(cells[3].text) == 0.75, "of 3, -1 and 1: 6 of the 8 signs are as far from 0"
    assert cells[4].text == "no difference is shown (3 photos)"
    Select(opened.find_element(By.ID, "first-row")).select_by_visible_text("bicubic")
    assert "Choose two rows" in opened.find_element(By.ID, "differences").text


@needs_browser
def test_the_worst_case_comes_first(opened):
    def title():
        return opened.find_element(By.ID, "case-title").text

    assert title() == "one/b"
    Select(opened.find_element(By.ID, "order")).select_by_value("best")
    assert title() == "one/a"
    opened.find_element(By.ID, "stage").send_keys("n")
    assert title() == "two/c"
    opened.find_element(By.ID, "stage").send_keys("p")
    assert title() == "one/a"


@needs_browser
def test_the_divider_moves_by_keys_and_by_pointer(opened):
    handle = opened.find_element(By.ID, "handle")
    assert divider(opened) == 50
    handle.send_keys("\ue014")  # right arrow
    assert divider(opened) == 55
    clip = opened.find_element(By.ID, "left-layer").value_of_css_property("clip-path")
    assert clip == "inset(0px 45% 0px 0px)"
    width = opened.find_element(By.ID, "stage").size["width"]
    ActionChains(opened).drag_and_drop_by_offset(handle, -round(width * 0.3), 0).perform()
    assert divider(opened) == pytest.approx(25, abs=2)


@needs_browser
def test_both_pictures_zoom_and_move_together(opened):
    whole = ("100%", "100%", "0%", "0%")
    assert styles(opened, "#stage img") == [whole, whole]
    opened.find_element(By.ID, "zoom-in").click()
    left, right = styles(opened, "#stage img")
    assert left == right == ("150%", "150%", "-25%", "-25%")
    stage = opened.find_element(By.ID, "stage")
    script = "arguments[0].scrollIntoView({behavior: 'instant'})"
    opened.execute_script(script, stage)
    # Beside the middle, where the handle is.
    drag = ActionChains(opened).move_to_element_with_offset(stage, 150, 0).click_and_hold()
    drag.move_by_offset(0, 30).release().perform()
    left, right = styles(opened, "#stage img")
    assert left == right
    height = stage.size["height"]
    assert float(left[3].rstrip("%")) == pytest.approx(-25 + 100 * 30 / height, abs=0.5)
    for _ in range(9):
        stage.send_keys("\ue008\ue013")  # Shift and up
    left, right = styles(opened, "#stage img")
    assert left == right
    assert left[3] == "0%", "it stops at the edge"
    opened.find_element(By.ID, "mode").click()
    panes = styles(opened, ".pane img")
    assert len(panes) == 4, "LR, two rows, truth"
    assert set(panes) == {left}
    opened.find_element(By.ID, "zoom-fit").click()
    assert set(styles(opened, ".pane img")) == {whole}


@needs_browser
def test_two_fingers_zoom(opened):
    opened.execute_script(
        "arguments[0].scrollIntoView({behavior: 'instant'})", opened.find_element(By.ID, "stage")
    )
    box = opened.execute_script(
        "const b = document.getElementById('stage').getBoundingClientRect();"
        "return [b.left + b.width / 2, b.top + b.height / 4]"
    )

    def touch(kind, apart):
        points = [
            {"x": box[0] + side * apart, "y": box[1], "id": number}
            for number, side in enumerate((-1, 1))
        ]
        opened.execute_cdp_cmd(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [] if kind == "touchEnd" else points},
        )

    touch("touchStart", 60)
    for apart in (80, 100, 120):
        touch("touchMove", apart)
    touch("touchEnd", 0)
    zoomed = pytest.approx(200, abs=20)
    until(lambda: float(styles(opened, "#stage img")[0][0].rstrip("%")) == zoomed)
    left, right = styles(opened, "#stage img")
    assert left == right


@needs_browser
def test_swapping_and_choosing_versions(opened):
    def tags():
        return [t.text for t in opened.find_elements(By.CSS_SELECTOR, "#stage .tag")]

    assert tags() == ["<b>ours</b>", "bicubic"]  # right, left
    opened.find_element(By.ID, "stage").send_keys("s")
    assert tags() == ["bicubic", "<b>ours</b>"]
    Select(opened.find_element(By.ID, "left-version")).select_by_visible_text("truth")
    assert tags() == ["bicubic", "truth"]
    loaded = opened.execute_script(
        "return [...document.querySelectorAll('#stage img')].map((i) => i.naturalWidth)"
    )
    assert loaded == [128, 128]


@needs_browser
def test_it_fits_a_phone_and_follows_the_theme(opened):
    opened.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 360, "height": 700, "deviceScaleFactor": 2, "mobile": True},
    )
    assert opened.execute_script("return document.documentElement.scrollWidth") == 360
    backgrounds = set()
    for theme in ("dark", "light"):
        opened.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": theme}]},
        )
        body = opened.find_element(By.TAG_NAME, "body")
        backgrounds.add(body.value_of_css_property("background-color"))
    assert len(backgrounds) == 2
    opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    curve = opened.find_element(By.CSS_SELECTOR, "#curves polyline").get_attribute("points")
    assert curve == "0.0,0.0 240.0,80.0"


def test_a_finish_is_drawn(evaluated):
    run = evaluated.folder / "run"
    run.mkdir()
    page = Page("t", 4, 10**6, {"sharp one": run})

    def text():
        return write_page(evaluated.folder, evaluated.summary, evaluated.sets, page).read_text()

    assert 'id="finish"' not in text()
    (run / "finish.json").write_text(json.dumps({"strength": 0.5, "rule": "the <rule>"}))
    drawn = PNG + b"drawn"
    (run / "strength.png").write_bytes(drawn)
    assert "default strength 0.5: the &lt;rule&gt;" in text()
    assert f"data:image/png;base64,{base64.b64encode(drawn).decode()}" in text()


@pytest.mark.parametrize("name", ["strength.png", "report_card.png"])
def test_a_figure_that_leads_out_of_a_run_or_is_none_is_left_out(evaluated, name):
    run, secret = evaluated.folder / "run", evaluated.folder / "secret"
    run.mkdir()
    (run / "finish.json").write_text(json.dumps({"strength": 0.5, "rule": "it"}))
    (run / "report_card.json").write_text(json.dumps({"headline": "h", "entries": []}))
    page = Page("t", 4, 10**6, {"it": run})
    secret.write_bytes(PNG + b"secret")
    (run / name).symlink_to(secret)
    inside = base64.b64encode(secret.read_bytes()).decode()
    text = write_page(evaluated.folder, evaluated.summary, evaluated.sets, page).read_text()
    assert inside not in text
    (run / name).unlink()
    (run / name).write_bytes(b"no picture")
    text = write_page(evaluated.folder, evaluated.summary, evaluated.sets, page).read_text()
    assert base64.b64encode(b"no picture").decode() not in text


def test_a_budget_leaves_photos_out_and_says_so(evaluated):
    page = Page("small", 4, 20_000)
    text = write_page(evaluated.folder, evaluated.summary, evaluated.sets, page).read_text()
    found = re.search(r"(\d) more photos? found no room", text)
    assert found
    assert 1 <= int(found[1]) <= 3
    assert sum(map(len, re.findall(r"data:image/[^\"]*", text))) < 20_000
