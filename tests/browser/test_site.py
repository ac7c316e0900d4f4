"""The course as web pages, in a real browser with the network switched off."""

import pytest
from support.browser import axe_problems, browsing, problems_of

from simulator import course


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    import os

    folder = tmp_path_factory.mktemp("site")
    before = dict(os.environ)
    os.environ |= {"MAIL_LAB_SEED": "7", "MAIL_LAB_PROGRESS": str(tmp_path_factory.mktemp("progress"))}
    try:
        course.build_site(folder)
    finally:
        os.environ.clear()
        os.environ.update(before)
    return folder


@pytest.fixture(scope="module")
def browser():
    with browsing() as found:
        yield found


def names(folder):
    return sorted(path.name for path in folder.glob("*.html"))


def test_there_is_a_page_for_every_unit(site):
    assert names(site) == sorted([*(f"{name}.html" for name in course.lessons()), "glossary.html", "index.html"])


def test_no_page_asks_for_anything_or_complains(site, browser):
    for name in names(site):
        with problems_of(browser, site / name) as (page, problems):
            assert page.title()
            assert page.locator("h1").count() == 1
        assert problems == [], name


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_cut_off(site, browser, width):
    for name in names(site):
        with problems_of(browser, site / name, width=width) as (page, _):
            wide, room = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
            assert wide <= room, name


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index.html", "04_tls_modes.html", "glossary.html"])
def test_everybody_can_use_it(site, browser, name, scheme):
    with problems_of(browser, site / name, scheme=scheme) as (page, _):
        assert axe_problems(page) == []


def test_results_are_folded_until_wanted_and_pictures_have_words(site, browser):
    with problems_of(browser, site / "04_tls_modes.html") as (page, _):
        results = page.locator("details")
        assert results.count() > 8
        assert page.locator("main > details[open]").count() == 0
        assert page.locator("img:not([alt]), img[alt='']").count() == 0
        assert not page.get_by_text("Observed: 2").is_visible()
        results.first.locator("summary").first.click()
        assert page.locator("main > details[open]").count() == 1
        assert page.get_by_text("extra = ...  # not answered yet").count() == 1
        assert "extra = 2" not in page.content()


def test_the_player_works_in_a_page(site, browser):
    with problems_of(browser, site / "01_journey_of_a_message.html") as (page, problems):
        for summary in page.locator("main > details > summary").all():
            summary.click()
        frame = page.frame_locator("iframe").first
        frame.locator("button").first.wait_for()
        assert frame.get_by_role("tab").count() >= 3
    assert problems == []


def test_links_lead_somewhere(site, browser):
    for name in names(site):
        with problems_of(browser, site / name) as (page, _):
            for link in page.locator("a[href]").all():
                target = link.get_attribute("href")
                if target.startswith(("#", "https:")):
                    continue
                file, _, anchor = target.partition("#")
                assert (site / file).exists(), f"{name} -> {target}"
                if anchor:
                    assert f'id="{anchor}"' in (site / file).read_text(encoding="utf-8"), f"{name} -> {target}"
