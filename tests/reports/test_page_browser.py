"""The page about a run in a real browser, opened from disk without a network."""

import json
from pathlib import Path

import pytest

from lit_mnist.main import main
from tests.browser import ActionChains, By, Keys, chromium, needs_chromium

pytestmark = needs_chromium
RUN = Path("tb_logs/dense/committee_3")


@pytest.fixture
def browser():
    with chromium() as browser:
        browser.set_network_conditions(offline=True, latency=0, throughput=0)
        yield browser


def all_of(page, selector):
    return page.find_elements(By.CSS_SELECTOR, selector)


def check_print(browser, background, light):
    """In print: dark ink, nothing cut off, folded parts shown."""
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert browser.execute_script(background) == light
    folded = "return arguments[0].checkVisibility({contentVisibilityAuto: true})"
    assert all(browser.execute_script(folded, one) for one in all_of(browser, "details pre"))
    assert {one.value_of_css_property("overflow-x") for one in all_of(browser, ".wide, pre")} == {
        "visible"
    }
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_the_page_works_with_mouse_keyboard_and_dark_mode(trained, browser):
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

    phone = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    curves = browser.find_element(By.CSS_SELECTOR, ".wide > svg")
    assert curves.size["width"] >= 600  # two charts beside each other, which are scrolled
    assert browser.execute_script("return document.documentElement.scrollWidth") == 390
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    background = "return getComputedStyle(document.body).backgroundColor"
    before = browser.execute_script(background)
    browser.find_element(By.CSS_SELECTOR, "button.theme").click()
    assert browser.execute_script(background) != before
    check_print(browser, background, before)

    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    reached = set()
    for _ in range(40):
        focused = browser.switch_to.active_element
        reached.add(focused.get_attribute("data-cell") or focused.tag_name)
        focused.send_keys(Keys.TAB)
    assert {cell.get_attribute("data-cell") for cell in cells[:2]} <= reached
    assert browser.get_log("browser") == []
