"""The HTML file in a browser: `tox -e browser`; skipped where no browser can be driven."""

import base64
import os
import shutil

import pytest

from bench.export.html import as_html
from bench.export.origin import origin
from tests.bench.export.conftest import SESSION

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="there is no chromium with its chromedriver on the PATH"
)
OPTIONS = ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars")
NAMES = "return [...document.querySelectorAll('.sortable tbody tr')].filter(r => !r.hidden)\
.map(r => r.cells[0].innerText)"
WIDE = "return [document.documentElement.scrollWidth, innerWidth]"


@pytest.fixture(scope="module")
def file(one, tmp_path_factory):
    path = tmp_path_factory.mktemp("html") / "one.html"
    path.write_text(as_html(one, origin([SESSION]), "vaebench export one --format html"))
    return path


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in OPTIONS:
        options.add_argument(f"--{option}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def page(browser, file):
    browser.get(file.as_uri())
    yield browser
    assert browser.get_log("browser") == []


def test_a_heading_sorts_by_click_and_by_key(page):
    head = page.find_element("css selector", ".sortable thead th:last-child")
    before = page.execute_script(NAMES)
    head.find_element("css selector", "button").click()
    assert head.get_attribute("aria-sort") == "descending"  # the ELBO, of which more is better
    best = page.execute_script(NAMES)
    assert best != before and sorted(best) == sorted(before)
    page.switch_to.active_element.send_keys(" ")
    assert head.get_attribute("aria-sort") == "ascending"
    assert page.execute_script(NAMES) == best[::-1]
    page.find_element("css selector", ".sortable thead button").click()
    assert head.get_attribute("aria-sort") is None
    sizes = [name for name in page.execute_script(NAMES) if name.startswith("latent_dim")]
    assert sizes == sorted(sizes, key=lambda name: int(name.split("-")[1]))


def test_typing_into_the_filter_leaves_the_rows_that_hold_every_word(page):
    every = page.execute_script(NAMES)
    field = page.find_element("id", "filter")
    field.send_keys("encoder 200")
    left = page.execute_script(NAMES)
    assert left == [name for name in every if "encoder" in name and "200" in name] != every
    assert page.find_element("id", "shown").text == f"{len(left)} of {len(every)} shown"
    field.clear()
    field.send_keys("nothing of this name")
    assert page.execute_script(NAMES) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
def test_the_page_never_scrolls_sideways(page, tmp_path, scheme, width):
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scroll, inner = page.execute_script(WIDE)
    assert inner == width and scroll <= width
    shown = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert shown == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(21, 24, 29)")
    whole = {"captureBeyondViewport": True}
    data = page.execute_cdp_cmd("Page.captureScreenshot", whole)["data"]
    folder = os.environ.get("SCREENSHOTS", str(tmp_path))
    with open(f"{folder}/export-{scheme}-{width}.png", "wb") as picture:
        picture.write(base64.b64decode(data))


def test_without_scripts_the_table_is_whole(page, file):
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    page.get(file.as_uri())
    rows = page.find_elements("css selector", ".sortable tbody tr")
    assert len(rows) > 5 and all(row.is_displayed() for row in rows)
    assert not page.find_element("id", "filter").is_displayed()
    assert not page.find_elements("css selector", ".sortable button")
    page.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
