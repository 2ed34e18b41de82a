"""The page in a real browser: a seven, drawn in every way, is read as 7."""

import base64

import pytest
from PIL import Image

from lit_mnist.demo.model import Model
from tests.browser import (
    ActionBuilder,
    ActionChains,
    By,
    Keys,
    PointerInput,
    WebDriverWait,
    chromium,
    needs_chromium,
)
from tests.demo.conftest import serving
from tests.demo.drawn import SEVEN, picture

pytestmark = needs_chromium
RIGHT, DOWN, LEFT, UP = Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ARROW_LEFT, Keys.ARROW_UP


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser, server):
    """Opens the page anew; a test must leave no error in its console."""
    opened(browser, server)
    yield browser
    assert browser.get_log("browser") == []


def opened(browser, server):
    """Opens the page and waits for its script, which shows the model's name last."""
    browser.get(server.url)
    WebDriverWait(browser, 30).until(lambda _: text(browser, "model"))


def text(page, name):
    return page.find_element(By.ID, name).text


def reads(page, digit="7", problem=""):
    """Waits until the page shows a digit and no request is pending."""
    verdict = page.find_element(By.ID, "verdict")
    WebDriverWait(page, 30).until(
        lambda _: text(page, "best") == digit and verdict.get_attribute("data-verdict") == "sure"
    )
    assert text(page, "problem") == problem
    percents = [item.text for item in page.find_elements(By.CSS_SELECTOR, "#bars .percent")]
    assert len(percents) == 10
    assert page.find_element(By.CSS_SELECTOR, "#bars .best .name").text == digit
    return percents


def places(page):
    """The seven's points, from the middle of the drawing area."""
    area = page.find_element(By.ID, "drawing")
    side = area.size["width"]
    return area, [(round((x - 0.5) * side), round((y - 0.5) * side)) for x, y in SEVEN]


def draw_with_mouse(page):
    area, points = places(page)
    chain = ActionChains(page, duration=20)
    chain.move_to_element_with_offset(area, *points[0]).click_and_hold()
    for point in points[1:]:
        chain.move_to_element_with_offset(area, *point)
    chain.release().perform()


def draw_with_finger(page):
    area, points = places(page)
    actions = ActionBuilder(page, mouse=PointerInput("touch", "finger"), duration=20)
    finger = actions.pointer_action
    finger.move_to(area, *points[0]).pointer_down()
    for point in points[1:]:
        finger.move_to(area, *point)
    finger.pointer_up()
    actions.perform()


def draw_with_keys(page):
    """A bar of 14 steps to the right, then down, half of the steps askew."""
    page.execute_script("document.getElementById('drawing').focus()")
    chain = ActionChains(page, duration=1)
    chain.send_keys(7 * LEFT, 8 * UP, Keys.SPACE, 14 * RIGHT)
    for _ in range(8):
        chain.key_down(DOWN).key_down(LEFT).key_up(LEFT).key_up(DOWN)
    chain.send_keys(Keys.SPACE).perform()


@pytest.mark.parametrize("draw", [draw_with_mouse, draw_with_finger, draw_with_keys])
def test_a_drawn_seven_is_read(page, draw):
    draw(page)
    reads(page)
    assert text(page, "pen") in ("", "pen up")
    page.find_element(By.ID, "undo").click()
    WebDriverWait(page, 30).until(lambda _: text(page, "sureness") == "nothing drawn yet")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "seven.png"
    picture(SEVEN, side=400).save(path)
    return path


def drop(page, path):
    """Drops a file on the page."""
    area = page.find_element(By.ID, "drawing").rect
    place = {"x": area["x"] + 50, "y": area["y"] + 50}
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        page.execute_cdp_cmd("Input.dispatchDragEvent", {"type": kind, "data": data, **place})


def paste(page, path):
    """Pastes a file by a script, as a headless browser has no clipboard."""
    page.execute_script(
        "const bytes = Uint8Array.from(atob(arguments[0]), (char) => char.charCodeAt(0));"
        "const clipboardData = new DataTransfer();"
        "clipboardData.items.add(new File([bytes], 'seven.png', { type: 'image/png' }));"
        "const event = new ClipboardEvent('paste', { clipboardData, bubbles: true });"
        "document.body.dispatchEvent(event)",
        base64.b64encode(path.read_bytes()).decode(),
    )


def choose(page, path):
    page.find_element(By.ID, "file").send_keys(str(path))


@pytest.mark.parametrize("bring", [drop, paste, choose])
def test_a_picture_is_read_as_by_predict(page, model, file, bring):
    bring(page, file)
    shown = reads(page)
    expected = model.answer(file.read_bytes())["probabilities"]
    assert shown[7] == f"{100 * expected[7]:.1f} %"
    page.find_element(By.ID, "clear").click()
    WebDriverWait(page, 30).until(lambda _: text(page, "sureness") == "nothing drawn yet")


def test_a_drawing_replaces_a_picture(page, tmp_path):
    blank = tmp_path / "blank.png"
    Image.new("L", (280, 280), 255).save(blank)
    drop(page, blank)
    WebDriverWait(page, 30).until(lambda _: text(page, "sureness") == "no digit found")
    draw_with_mouse(page)
    reads(page)


def test_the_network_s_input_is_displayed(page, model, file):
    drop(page, file)
    reads(page)
    shown = page.execute_script(
        "const seen = document.getElementById('seen').getContext('2d');"
        "return [...seen.getImageData(0, 0, 28, 28).data].filter((_, place) => place % 4 === 0)"
    )
    assert bytes(shown) == base64.b64decode(model.answer(file.read_bytes())["image"])


def test_a_bad_picture_is_reported_and_then_cleared(browser, server, tmp_path):
    opened(browser, server)
    (tmp_path / "seven.txt").write_text("7")
    drop(browser, tmp_path / "seven.txt")
    WebDriverWait(browser, 30).until(
        lambda _: "cannot read the picture" in text(browser, "problem")
    )
    browser.get_log("browser")  # which names the status 422
    draw_with_mouse(browser)
    reads(browser)


def test_every_members_vote_is_shown(browser, three):
    committee = Model.load(three / "tb_logs/dense/committee_3")
    with serving(committee) as server:
        opened(browser, server)
        assert text(browser, "model") == "dense/committee_3, 3 networks averaged"
        draw_with_mouse(browser)
        votes = WebDriverWait(browser, 30).until(
            lambda _: browser.execute_script(
                "return [...document.querySelectorAll('#votes li')].map((vote) => vote.textContent)"
            )
        )
        assert len(votes) == 3
        assert set(votes) <= set(committee.names)
        assert " of 3 for " in text(browser, "tally")


def test_the_page_fits_a_phone(page):
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        draw_with_finger(page)
        reads(page)
        assert page.execute_script("return document.documentElement.scrollWidth") == 360
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_all_controls_have_names_and_are_reachable_by_tab(page):
    draw_with_mouse(page)
    reads(page)
    page.execute_script("document.activeElement.blur(); window.getSelection().removeAllRanges()")
    page.refresh()
    WebDriverWait(page, 30).until(lambda _: text(page, "model"))
    draw_with_keys(page)  # so that no button is disabled
    reads(page)
    names = [page.switch_to.active_element.accessible_name]
    for _ in range(3):
        ActionChains(page).send_keys(Keys.TAB).perform()
        names.append(page.switch_to.active_element.accessible_name)
    assert names == ["Drawing area", "Undo", "Clear", "Open picture…"]
