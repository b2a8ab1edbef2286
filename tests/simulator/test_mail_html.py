"""HTML mails in the inbox: links can be followed, nothing can run, every tag is closed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.mail_html import KEPT, harmless, plain_text

TAGS = st.sampled_from(
    ["<p>", "</p>", "<a href='http://x/'>", "</a>", "<table><tr><td>", "</b>", "<script>", "<br>", "<"]
)


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("<p class=x onclick=y()>Hi &amp; <b>you</b></p>", "<p>Hi &amp; <b>you</b></p>"),
        ('<a href="https://x/?a=1&amp;b=2">Go</a>', '<a href="https://x/?a=1&amp;b=2" rel="noreferrer">Go</a>'),
        ("<a href='javascript:x()'>Go</a>", "<a>Go</a>"),
        ("<a href='http://[x'>Go</a>", "<a>Go</a>"),
        ("<img src=http://spy/><style>p{}</style><title>T</title>x", "x"),
        ("<svg><script>x()</script></svg>y", "y"),
        ("<p><b>open", "<p><b>open</b></p>"),
        ("<p><b>a</p>b</b>", "<p><b>a</b></p>b"),
        ("<form action=/x><input><button>Go</button></form>", "Go"),
    ],
)
def test_what_is_kept(html: str, shown: str) -> None:
    """Plain tags and web links stay; attributes, pictures, forms, styles and scripts go."""
    assert shown == harmless(html)


@given(st.lists(TAGS | st.text(max_size=10)).map("".join))
def test_nothing_else_can_come_out(html: str) -> None:
    """Whatever goes in, only known tags come out, and as many close as open."""
    shown = harmless(html)
    tags = re.findall(r"<[^>]*>", shown)
    known = rf"</?({'|'.join(KEPT)})( href=\"http[^\"]*\" rel=\"noreferrer\")?>"
    paired = [tag for tag in tags if tag not in ("<br>", "<hr>")]

    assert [] == [tag for tag in tags if not re.fullmatch(known, tag)]
    assert 2 * sum(tag.startswith("</") for tag in paired) == len(paired)
    assert "<" not in re.sub(r"<[^>]*>", "", shown)


def test_plain_words() -> None:
    """The words alone, with the address behind a link's text."""
    assert "Hi & you (http://x/)\nBye" == plain_text("<p>Hi &amp; <a href='http://x/'>you</a></p><script>x</script>Bye")
