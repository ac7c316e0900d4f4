"""The ladder: order kept, nothing hidden shown, nothing on top of anything else."""

import pytest

from simulator import Internet, UsageError
from simulator.network.attackers import StripStartTls
from simulator.views.ladder import alt_text, column_places, draw_ladder, row_places, words_of
from simulator.views.ladder_rows import ladder_pages, ladder_rows, ladder_text
from simulator.views.steps import BOX, steps

ENVELOPE = {"sender": "alice@alice.example", "to": "bob@bob.example"}


@pytest.fixture(scope="module")
def trace():
    with Internet(medium="memory") as net:
        return net.send("The secret text", mode="starttls", **ENVELOPE).trace


def test_every_step_stands_in_one_row_and_order_is_kept(trace):
    rows, left_out = ladder_rows(trace)
    numbers = [number for row in rows for number in row.numbers]
    assert sorted(numbers) == sorted(step.number for step in steps(trace))
    assert len(set(numbers)) == len(numbers)
    assert left_out == 0
    firsts = [row.numbers[0] for row in rows]
    assert firsts == sorted(firsts)
    pages = ladder_pages(trace)
    assert [row for page in pages for row in page.rows] == list(rows)
    assert all(set(page.columns) >= {row.from_host for row in page.rows} | {row.to_host for row in page.rows} for page in pages)


def test_a_listener_sees_no_word_from_inside_tls(trace):
    text = ladder_text(ladder_pages(trace, "listener"))
    assert "STARTTLS" in text
    assert "octets inside TLS)" in text
    for secret in ("AUTH", "MAIL FROM", "RCPT", "secret text", "alice@"):
        assert secret not in text
    rows, left_out = ladder_rows(trace, "listener:2")
    assert {row.hop for row in rows} == {2}
    assert left_out > 0


def test_the_ladder_as_text_is_this(trace):
    lines = ladder_text(ladder_pages(trace, hop=1)).splitlines()
    assert [line[14:] for line in lines[:8]] == [
        "--  laptop.alice.example -> mail.alice.example: TCP connection to mail.alice.example port 587",
        "<-  mail.alice.example   -> laptop.alice.example: 220 mail.alice.example ESMTP submission (simulator)",
        "->  laptop.alice.example -> mail.alice.example: EHLO laptop.alice.example",
        "<-  mail.alice.example   -> laptop.alice.example: 250-mail.alice.example (+ 7 more lines)",
        "->  laptop.alice.example -> mail.alice.example: STARTTLS",
        "<-  mail.alice.example   -> laptop.alice.example: 220 2.0.0 Begin with TLS now",
        "--  laptop.alice.example -> mail.alice.example: TLS established: TLSv1.3, TLS_AES_256_GCM_SHA384, server name "
        "mail.alice.example, certificate verified",
        "~>  laptop.alice.example -> mail.alice.example: EHLO laptop.alice.example",
    ]


def test_a_box_stands_between_the_hosts():
    with Internet(medium="memory") as net:
        net.place_box(StripStartTls(), lambda connection: connection.server_port == 587)
        trace = net.send("x", mode="starttls", **ENVELOPE).trace
    (page,) = ladder_pages(trace)
    assert page.columns == ("laptop.alice.example", BOX, "mail.alice.example")
    offers = [row.text for row in page.rows if row.text.startswith("250-")]
    assert len(offers) == 2


def test_rows_and_columns_do_not_touch(trace):
    for page in ladder_pages(trace):
        xs, ys = list(column_places(page).values()), row_places(page)
        assert all(b - a >= 150 for a, b in zip(xs, xs[1:], strict=False))
        assert all(b - a >= 25 for a, b in zip(ys, ys[1:], strict=False))
        assert max(ys) <= 690


def test_words_fit_the_picture_and_nothing_overlaps(trace):
    for number, _ in enumerate(ladder_pages(trace), 1):
        figure = draw_ladder(trace, page=number)
        figure.canvas.draw()
        boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text()]
        assert all(box.x0 >= 0 and box.x1 <= 1280 and box.y0 >= 0 and box.y1 <= 720 for box in boxes)
        for index, one in enumerate(boxes):
            assert not any(one.overlaps(other) for other in boxes[index + 1 :])


def test_many_hosts_share_one_column_of_name_servers():
    with Internet(medium="memory") as net:
        trace = net.send("x", **ENVELOPE | {"to": ["bob@bob.example", "anna@alice.example"]}).trace
    (page,) = ladder_pages(trace, rows_per_page=500)
    assert "name servers" in page.columns
    assert len(page.columns) <= 7


def test_a_thousand_rows_make_pages_of_the_same_size(trace):
    pages = ladder_pages(trace, rows_per_page=7)
    assert {len(page.rows) for page in pages[:-1]} <= {6, 7}
    assert [page.number for page in pages] == list(range(1, pages[0].of + 1))


def test_odd_octets_and_formulas_are_text():
    with Internet(medium="memory") as net:
        talk = net.connect("mx.bob.example", 25)
        talk.octets(b"EHLO $x^2$\x00\xff\r\n")
        trace = talk.trace
        talk.close()
    row = next(row for row in ladder_rows(trace)[0] if row.text.startswith("EHLO"))
    assert words_of(row, 2000) == r"-> EHLO $x^2$\x00\xff"
    draw_ladder(trace).canvas.draw()


@pytest.mark.parametrize("wrong", [{"page": 99}, {"page": 0}, {"hop": 9}, {"lens": "nobody"}])
def test_what_there_is_not_is_told(trace, wrong):
    with pytest.raises(UsageError):
        draw_ladder(trace, **wrong)


def test_the_alt_text_says_it_all(trace):
    page = ladder_pages(trace)[0]
    assert "STARTTLS" in alt_text(page)
    assert "Hosts: laptop.alice.example, mail.alice.example" in alt_text(page)
