"""The player in a real browser: every control, every lens, no network, nothing cut off."""

import base64
import copy
import re
import statistics

import pytest
from support.browser import browsing, need_module

from simulator import Internet
from simulator.export.html import fragment, packed, page
from simulator.views.hops import hops
from simulator.views.lens import lens_of, seen_lines, sight
from simulator.views.listener import exposure
from simulator.views.player.asks import Ask
from simulator.views.player.data import player_data
from simulator.views.steps import steps

ENVELOPE = {"sender": "alice@alice.example", "to": "bob@bob.example"}
TEXT, SUBJECT = "The secret text", "A secret subject"
PASSWORD = base64.b64encode(b"\0alice@alice.example\0secret-of-alice").decode()
HOSTILE = "<script>document.title='x'</script> </script><!-- & \"q\" 'q' \u2028 " + "x" * 880


@pytest.fixture(scope="module")
def browser():
    with browsing() as found:
        yield found


def send(letter=TEXT, **options):
    with Internet(medium="memory") as net:
        return net.send(letter, **{"subject": SUBJECT, "mode": "starttls"} | ENVELOPE | options).trace


@pytest.fixture(scope="module")
def trace():
    return send()


@pytest.fixture
def opened(browser, tmp_path):
    """Open pages with the network cut; at the end nothing may have been asked for or complained about."""
    contexts, complaints = [], []

    def open_page(content, width=1280, height=800, scheme="light", motion="reduce", **options):
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion=motion, **options
        )
        contexts.append(context)
        file = tmp_path / f"page{len(contexts)}.html"
        file.write_text(content, encoding="utf-8", newline="\n")
        tab = context.new_page()

        def route(request):
            if request.request.url.startswith(file.as_uri()):
                request.continue_()
            else:
                complaints.append(f"asked for {request.request.url}")
                request.abort()

        tab.route("**/*", route)
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto(file.as_uri())
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def cursor(tab):
    found = re.search(r"Step (\d+) of (\d+)", tab.inner_text("#explanation"))
    return int(found[1]), int(found[2])


def visible_text(tab):
    """All that a reader can see or hear: the text, and what the accessibility tree names."""
    return tab.inner_text("body") + "\n" + tab.locator("body").aria_snapshot()


def walk(tab):
    """Go through all steps and panes, and return everything that was ever to be read."""
    told = []
    _, count = cursor(tab)
    for key in "123":
        tab.keyboard.press(key)
        tab.keyboard.press("Home")
        for _ in range(count):
            told.append(tab.evaluate("document.body.innerText"))
            tab.keyboard.press("ArrowRight")
    told.append(visible_text(tab))
    return "\n".join(told)


def test_every_control_by_keyboard(opened, trace):
    tab = opened(page(trace))
    count = len(steps(trace))
    assert cursor(tab) == (1, count)
    tab.keyboard.press("ArrowRight")
    assert cursor(tab) == (2, count)
    tab.keyboard.press("ArrowLeft")
    assert cursor(tab) == (1, count)
    tab.keyboard.press("End")
    assert cursor(tab) == (count, count)
    tab.keyboard.press("Home")
    assert cursor(tab) == (1, count)
    for key, pane in zip("1234", ("map", "ladder", "wire", "all"), strict=True):
        tab.keyboard.press(key)
        assert tab.get_attribute(f"#tab-{pane}", "aria-selected") == "true"
        shown = [name for name in ("map", "ladder", "wire") if tab.is_visible(f"#pane-{name}")]
        assert shown == (["map", "ladder", "wire"] if pane == "all" else [pane])
    tab.keyboard.press(" ")
    assert tab.get_attribute("#play", "aria-label") == "Pause (space)"
    tab.locator("#explanation", has_text="Step 2 of").wait_for()
    tab.keyboard.press(" ")
    assert tab.get_attribute("#play", "aria-label") == "Play (space)"


def test_every_control_can_be_reached_with_tab(opened, trace):
    tab = opened(page(trace))
    reached = set()
    for _ in range(40):
        tab.keyboard.press("Tab")
        reached.add(tab.evaluate("document.activeElement.id"))
    wanted = {"lens", "present", "first", "back", "play", "forward", "last", "scrub", "jump", "speed", "tab-map"}
    assert wanted <= reached
    tab.focus("#tab-map")
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate("document.activeElement.id") == "tab-ladder"
    assert tab.is_visible("#pane-ladder")


def test_every_control_by_click(opened, trace):
    tab = opened(page(trace))
    count = len(steps(trace))
    for control, place in (("forward", 2), ("last", count), ("back", count - 1), ("first", 1)):
        tab.click(f"#{control}")
        assert cursor(tab) == (place, count)
    tab.evaluate(
        "s => { const r = document.getElementById('scrub'); r.value = 9; r.dispatchEvent(new Event('input')) }"
    )
    assert cursor(tab) == (10, count)
    tab.select_option("#jump", index=1)
    assert "TCP connection" in tab.inner_text("#explanation")
    tab.click("#tab-ladder")
    tab.click("li.row:nth-child(8)")
    assert cursor(tab) == (8, count)
    tab.click("#present")
    assert tab.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") >= 24
    tab.select_option("#speed", "fast")
    tab.click("#play")
    tab.locator("#explanation", has_text="Step 9 of").wait_for()
    tab.click("#play")


def test_play_stops_at_the_end(opened, trace):
    tab = opened(page(trace))
    tab.select_option("#speed", "fast")
    tab.evaluate(f"go({len(steps(trace)) - 2})")
    tab.click("#play")
    tab.get_by_role("button", name="Play (space)").wait_for()
    assert cursor(tab)[0] == cursor(tab)[1]


@pytest.mark.parametrize("pane", ["map", "ladder", "wire"])
def test_a_step_back_shows_what_was_there_before(opened, trace, pane):
    tab = opened(page(trace, pane=pane))
    look = "document.querySelector('main').innerHTML"
    forward = []
    for _ in steps(trace):
        forward.append(tab.evaluate(look))
        tab.keyboard.press("ArrowRight")
    assert len(set(forward)) > len(forward) // 2
    for seen in reversed(forward):
        assert tab.evaluate(look) == seen
        tab.keyboard.press("ArrowLeft")


def test_a_swipe_goes_on(opened, trace):
    tab = opened(page(trace), 390, 844, has_touch=True, is_mobile=True)
    swipe = """([from, to]) => { const place = document.getElementById('panes');
      const touch = x => new Touch({identifier: 1, target: place, clientX: x, clientY: 300});
      place.dispatchEvent(new TouchEvent('touchstart', {touches: [touch(from)], changedTouches: [touch(from)]}));
      place.dispatchEvent(new TouchEvent('touchend', {touches: [], changedTouches: [touch(to)]})); }"""
    tab.evaluate(swipe, [300, 100])
    assert cursor(tab)[0] == 2
    tab.evaluate(swipe, [100, 300])
    assert cursor(tab)[0] == 1


# --- who reads what --------------------------------------------------------------------------------------------------


def secrets(trace):
    return {TEXT, SUBJECT, PASSWORD} | {f"RCPT TO:<{ENVELOPE['to']}>"}


def test_a_listener_reads_nothing_that_the_wire_does_not_show(opened, trace):
    assert not {"password", "text", "subject", "recipient"} & {n for h in hops(trace) for n in exposure(h).readable}
    tab = opened(page(trace, lens="listener"))
    told = walk(tab)
    assert not [secret for secret in secrets(trace) if secret in told]
    assert "EHLO laptop.alice.example" in told  # that one is said before TLS, too


def test_a_listener_reads_everything_in_clear(opened):
    trace = send(mode="cleartext")
    assert {"password", "text", "subject", "recipient"} <= set(exposure(hops(trace)[0]).readable)
    told = walk(opened(page(trace, lens="listener:1")))
    assert [secret for secret in secrets(trace) if secret not in told] == []


def test_by_default_a_protected_password_is_masked_and_its_sender_sees_it(opened, trace):
    tab = opened(page(trace))
    told = walk(tab)
    assert TEXT in told
    assert PASSWORD not in told
    tab.select_option("#lens", label="Sender")
    assert PASSWORD in walk(tab)


@pytest.mark.parametrize("name", ["everything", "sender", "receiver", "listener:2", "operator:mx.bob.example"])
def test_every_lens_shows_exactly_its_lines(opened, trace, name):
    lens = lens_of(name, trace)
    tab = opened(page(trace, lens=name, pane="ladder"))
    seen = [step for step in steps(trace) if sight(lens, step) != "absent"]
    assert cursor(tab) == (1, len(seen))
    for step in seen:
        code = tab.inner_text("li.row.current code")
        assert code.replace("\u2028", "") == "\n".join(seen_lines(lens, step))
        tab.keyboard.press("ArrowRight")


# --- questions -------------------------------------------------------------------------------------------------------


def test_a_question_stops_and_later_events_are_not_there(opened, trace):
    ask = Ask(
        lambda step: step.kind == "tls", "What can a listener read now?", ("Everything", "Only sizes"), "As it is.", 1
    )
    tab = opened(page(trace, asks=[ask]))
    for key in "123":
        tab.keyboard.press(key)
        tab.keyboard.press("End")
        tab.keyboard.press("ArrowRight")
        told = visible_text(tab)
        assert ask.question in told
        assert "TLS established" not in tab.content().partition("journey")[0] + told
        assert "mx.bob.example" not in told
        assert "As it is." not in told
    place, count = cursor(tab)
    assert place == count < len(steps(trace))
    tab.get_by_role("button", name="Everything").click()
    told = visible_text(tab)
    assert "The answer is: Only sizes. As it is." in told
    assert cursor(tab) == (place, len(steps(trace)))
    tab.get_by_role("button", name="Go on").click()
    assert "TLS established" in tab.inner_text("#explanation")
    assert not tab.is_visible(".ask")


def test_playing_stops_at_a_question_that_can_be_skipped(opened, trace):
    tab = opened(page(trace, asks=[Ask(steps(trace)[2].number, "What now?")]))
    tab.select_option("#speed", "fast")
    tab.click("#play")
    tab.locator(".ask h2").wait_for()
    tab.get_by_role("button", name="Play (space)").wait_for()
    tab.get_by_role("button", name="Show what happens").click()
    assert cursor(tab) == (2, len(steps(trace)))


# --- how it looks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("pane", ["map", "ladder", "wire", "all"])
def test_no_barrier_is_found(opened, trace, scheme, pane):
    axe = need_module("axe_playwright_python.sync_playwright").Axe()
    ask = Ask(lambda step: step.stored, "Where does it lie?", ("In the mailbox", "Nowhere"), "See.", 0)
    for lens in ("everything", "listener"):
        tab = opened(page(trace, pane=pane, lens=lens, asks=[ask]), scheme=scheme)
        for place in (13, 999):
            tab.evaluate(f"go({place})")
            found = axe.run(tab)
            assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize(("motion", "moves"), [("reduce", False), ("no-preference", True)])
def test_nothing_moves_for_those_who_do_not_want_it(opened, trace, motion, moves):
    tab = opened(page(trace, pane="map"), motion=motion)
    tab.evaluate(
        """() => { window.moved = 0; const animate = Element.prototype.animate;
        Element.prototype.animate = function (...all) { window.moved += 1; return animate.apply(this, all); }; }"""
    )
    tab.keyboard.press("ArrowRight")
    assert (tab.evaluate("window.moved") > 0) is moves


SIZES = [(390, 844, False), (768, 1024, False), (1280, 800, False), (1600, 900, False), (1920, 1080, True)]
SIZES += [(3840, 2160, False), (1280, 800, True)]
CUT_OFF = """() => [...document.querySelectorAll('h1, h2, header *, footer *, .where *, .why, .ask *, .head, .legend li, svg text')]
  .filter(e => e.checkVisibility() && !e.closest('.scroll, .records, select, .unseen') && e.textContent.trim())
  .filter(e => { const b = e.getBoundingClientRect(); const svg = e.closest('.canvas svg');
    const f = svg ? svg.getBoundingClientRect() : {left: 0, right: innerWidth};
    return b.left < f.left - 1 || b.right > f.right + 1 || (!svg && e.scrollWidth > e.clientWidth + 2
      && getComputedStyle(e).display !== 'inline'); })
  .map(e => e.tagName + '.' + (e.className.baseVal ?? e.className) + ': ' + e.textContent.slice(0, 40))"""
OVERLAP = """() => { const texts = [...document.querySelectorAll('.canvas svg text.hostname, .canvas svg text.territory, .canvas svg .linkname, .canvas svg .sign text')]
    .map(e => [e.textContent, e.getBoundingClientRect()]);
  return texts.flatMap(([t, a], i) => texts.slice(i + 1).filter(([, b]) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 5)
    .map(([u]) => t + ' / ' + u)); }"""


@pytest.mark.parametrize(("width", "height", "present"), SIZES)
def test_nothing_is_cut_off_or_covered(opened, trace, width, height, present, tmp_path):
    tab = opened(page(trace, present=present), width, height)
    for key in "1234":
        tab.keyboard.press(key)
        for place in (0, 9, 19, 31, 50, 61):
            tab.evaluate(f"go({place})")
            where = f"pane {key}, step {place + 1}"
            assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), where
            assert tab.evaluate(CUT_OFF) == [], where
            if key in "14":
                assert tab.evaluate(OVERLAP) == [], where
    if present:
        small = """[...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && e.childNodes.length
          && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())
          && parseFloat(getComputedStyle(e).fontSize) < 24).map(e => e.outerHTML.slice(0, 80))"""
        assert tab.evaluate(small) == []


def test_hostile_texts_are_text(opened):
    trace = send(HOSTILE, subject="</script><b>bold & 'q'")
    tab = opened(page(trace, title=HOSTILE))
    told = walk(tab)
    assert "</script><b>bold & 'q'" in told
    assert tab.locator("b", has_text="bold").count() == 0
    assert tab.evaluate("document.title").startswith("<script>")
    assert "x" * 880 in told
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_octets_that_are_no_text_are_shown(opened, trace):
    data = player_data(trace, pane="wire")
    for record in data["parts"][0]["records"]:
        record["hex"] = bytes(range(256)).hex()
    tab = opened(packed(data))
    tab.evaluate("go(4)")
    assert "c0 c1" in tab.inner_text(".detail .hex:last-child")


# --- long journeys ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "most_ms"), [(1_000, 50), (100_000, 400)])
def test_long_journeys_stay_quick(opened, trace, count, most_ms):
    data = player_data(trace, pane="ladder")
    told = data["parts"][0]["steps"]
    data["parts"][0]["steps"] = [copy.copy(told[i % len(told)]) | {"number": i} for i in range(count)]
    tab = opened(packed(data))
    taken = tab.evaluate(
        """pane => [0.1, 0.5, 0.9].flatMap(share => { show('all'); go(Math.floor(visible.length * share));
        return [1, 2, 3, 4, 5].map(() => { const start = performance.now(); forward();
          document.body.offsetHeight; return performance.now() - start; }); })"""
    )
    assert statistics.median(taken) < most_ms, taken
    assert tab.locator("li.row").count() <= 60
    assert cursor(tab)[1] == count


# --- in notebooks ----------------------------------------------------------------------------------------------------


def test_the_frame_of_a_notebook_plays(opened, trace):
    tab = opened(f"<!doctype html><html lang=en><title>Notebook</title><body>{fragment(trace)}</body></html>")
    frame = tab.frame_locator("iframe")
    frame.locator("#forward").click()
    assert "Step 2 of" in frame.locator("#explanation").inner_text()
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_trust_the_text_remains(opened, trace):
    bare = re.sub(r"<iframe.*?</iframe>", "", fragment(trace), flags=re.DOTALL)
    tab = opened(f"<!doctype html><html lang=en><title>Notebook</title><body>{bare}</body></html>")
    tab.click("summary")
    assert "MAIL FROM:<alice@alice.example>" in tab.inner_text("pre")
    assert 'journey.export("journey.html")' in tab.inner_text("body")
