"""The page about a run in a real browser, from the disk and without a network."""

import json
import shutil
from pathlib import Path

import pytest

from lit_mnist.main import main

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402 # once it is there
from selenium.webdriver.common.by import By  # noqa: E402 # likewise
from selenium.webdriver.common.keys import Keys  # noqa: E402 # likewise

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver (Debian: chromium-driver)"
)
RUN = Path("tb_logs/dense/committee_3")


@pytest.fixture
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1100,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    browser.set_network_conditions(offline=True, latency=0, throughput=0)
    yield browser
    browser.quit()


def all_of(page, selector):
    return page.find_elements(By.CSS_SELECTOR, selector)


def test_the_page_is_read_hovered_tabbed_and_darkened(trained, browser):
    assert main(["report", str(RUN)]) == 0
    browser.get((RUN / "report.html").resolve().as_uri())
    known = json.loads((RUN / "results.json").read_text())
    shown = {
        one.get_attribute("data-figure"): one.text for one in all_of(browser, "dd[data-figure]")
    }
    assert shown["test errors"] == str(known["test_errors"])
    assert shown["test accuracy"] == f"{100 * known['test_acc']:.2f} %"

    cells = all_of(browser, ".matrix button[data-share]")
    assert sum(int(cell.text) for cell in cells) == known["test_errors"]
    for cell in cells[:2]:
        ActionChains(browser).move_to_element(cell).perform()
        images = all_of(browser, ".cell img")
        assert len(images) == int(cell.text)
        assert all(image.get_property("naturalWidth") == 28 for image in images)

    background = "return getComputedStyle(document.body).backgroundColor"
    before = browser.execute_script(background)
    browser.find_element(By.CSS_SELECTOR, "button.theme").click()
    assert browser.execute_script(background) != before

    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    reached = set()
    for _ in range(40):
        focused = browser.switch_to.active_element
        reached.add(focused.get_attribute("data-cell") or focused.tag_name)
        focused.send_keys(Keys.TAB)
    assert {cell.get_attribute("data-cell") for cell in cells[:2]} <= reached
    assert browser.get_log("browser") == []
