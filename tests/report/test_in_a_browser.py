"""The page in a browser: it sorts, plays, follows a click, and loads nothing."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_runs import made_run

from app.report.page.run_facts import RunFacts
from app.report.page.run_page import run_page

sync = pytest.importorskip("playwright.sync_api", reason="needs playwright")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """Playwright's own Chromium, or one on the path; skipped where there is none."""
    with sync.sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        path = next(filter(None, map(shutil.which, BROWSERS)), None)
        if not own.is_file() and path is None:
            pytest.skip("no Chromium on this machine")
        started = playwright.chromium.launch(
            executable_path=None if own.is_file() else path, args=["--no-sandbox"]
        )
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    record = made_run(folder / "run", members=3)
    path = folder / "report.html"
    path.write_text(run_page(RunFacts.of(folder / "run"), record), encoding="utf-8")
    return path


@pytest.fixture
def page(browser, report) -> Iterator[object]:
    """The page, opened; after the test no message was heard, nothing was asked for."""
    page = browser.new_page()
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda request: heard.append(request.url))
    page.goto(report.as_uri())
    page.wait_for_selector(".player[data-ready]")
    yield page
    others = [one for one in heard if not one.startswith(("data:", "blob:", report.as_uri()))]
    page.close()
    assert others == []


def column(page, number: int) -> list[float]:
    cells = page.locator(f"#scores table >> nth=0 >> tbody tr td:nth-child({number})")
    return [float(cell.get_attribute("data-key")) for cell in cells.all()]


def test_a_table_is_sorted_by_a_click(page):
    head = page.locator("#scores table >> nth=0 >> thead th:nth-child(3)")
    before = column(page, 3)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert column(page, 3) == sorted(before)
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert column(page, 3) == sorted(before, reverse=True)


def test_rows_of_all_scores_are_found(page):
    page.locator("#scores details:has(.filter) > summary").click()
    page.locator(".filter input").fill("crps")
    shown = page.locator("#scores details:has(.filter) tbody th:visible").all_inner_texts()
    assert shown
    assert all("crps" in text for text in shown)


def test_a_click_on_a_map_draws_the_series_there(page):
    canvas = page.locator("canvas[data-layer=truth]")
    box = canvas.bounding_box()
    canvas.click(position={"x": 0.97 * box["width"], "y": 0.03 * box["height"]})
    assert page.locator(".where").inner_text() == "Series at 43.50°N, 5.50°W"
    assert page.locator(".series path").count() == 6  # truth, coarse, mean, three members
    said = page.locator(".now").inner_text()
    assert said.count(" K") == 3
    canvas.press("ArrowDown")
    canvas.press("ArrowLeft")
    assert page.locator(".where").inner_text() == "Series at 43.00°N, 6.00°W"
    page.locator("#maps img.map").nth(0).click(position={"x": 5, "y": 5})
    assert page.locator(".where").inner_text() == "Series at 43.50°N, 10.00°W"


def test_the_animation_plays_pauses_and_steps(page):
    when = page.locator(".when")
    first = when.inner_text()
    page.locator(".next").click()
    second = when.inner_text()
    assert second != first
    page.locator(".back").click()
    assert when.inner_text() == first
    page.locator(".play").click()
    assert page.locator(".play").inner_text() == "Pause"
    page.wait_for_function(
        "text => document.querySelector('.when').textContent !== text", arg=first
    )
    page.locator(".play").click()
    still = when.inner_text()
    page.wait_for_timeout(500)
    assert when.inner_text() == still
    pixels = "canvas => canvas.toDataURL()"
    truth = page.locator("canvas[data-layer=truth]")
    painted = truth.evaluate(pixels)
    page.locator(".time").fill("0")
    assert truth.evaluate(pixels) != painted


def test_a_phone_shows_the_page_without_scrolling_sideways(page):
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_texts_are_told_from_their_ground_in_the_dark_too(page):
    """At least 4.5 : 1, as WCAG 2 asks of texts."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        ground = colour(page, "body", "backgroundColor")
        for selector in ("body", ".note", "dt", "a[href='#scores']", "svg.chart text"):
            assert contrast(colour(page, selector, "color"), ground) >= 4.5, (scheme, selector)


def colour(page, selector: str, name: str) -> tuple[float, ...]:
    text = page.locator(selector).first.evaluate(f"one => getComputedStyle(one).{name}")
    return tuple(float(part) / 255 for part in text[4:-1].split(","))


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    def light(colour: tuple[float, ...]) -> float:
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)
