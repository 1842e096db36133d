"""HTML tokens: what browsers and pip's parser make of a document, in linear time."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.growth import grows_with_the_square
from wheelfs.core.simple.html_parse import parse_html
from wheelfs.core.simple.html_tokens import Link, Start, Text, resolved, tokens
from wheelfs.errors import OriginFault
from wheelfs.model.names import ProjectName


def starts(body: str) -> list[tuple[str, dict[str, str]]]:
    found = tokens(body.encode(), attributes_of={"a"})
    return [(getattr(one, "name", "a"), one.attributes) for one in found if isinstance(one, Start | Link)]


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        ('<a href="x">', {"href": "x"}),
        ("<A HREF='x' Data-Y>", {"href": "x", "data-y": ""}),
        ("<a href=x/y>", {"href": "x/y"}),
        ("<a\n href = x\tb='>'\f>", {"href": "x", "b": ">"}),
        ('<a href="1" href="2">', {"href": "1"}),
        ('<a/href="x"/>', {"href": "x"}),
        ('<a href="?a=1&copy=2&amp;b">', {"href": "?a=1&copy=2&b"}),
        ('<a x="&gt;=3.8&#44;&lt;4">', {"x": ">=3.8,<4"}),
        ("<a =x>", {"=x": ""}),
        ('<a x="&#' + "9" * 5_000 + ';">', {"x": "&#" + "9" * 5_000 + ";"}),
    ],
)
def test_attributes_are_read_as_the_standard_says(body: str, attributes: dict[str, str]) -> None:
    assert starts(body) == [("a", attributes)]


@pytest.mark.parametrize(
    "body",
    [
        "<!-- <a href=x> -->",
        "<!-- <a href=x>",
        "<script>'<a href=x>'</script>",
        "<style><a href=x></style>",
        "<title><a href=x></title>",
        "<!DOCTYPE <a href=x>",
        "<? <a href=x ?>",
        '<a href="x',
        "<a href=x",
        "<a",
        "< a href=x>",
        "&lt;a href=x>",
    ],
)
def test_what_only_looks_like_a_link_is_none(body: str) -> None:
    assert [name for name, _ in starts(body) if name == "a"] == []


@pytest.mark.parametrize(
    "body", ["<!--><a href=x>", "<!---><a href=x>", "<p don't><a href=x>", "<p x='>'><a href=x>", "<script><a href=x>"]
)
def test_a_link_after_odd_markup_is_found(body: str) -> None:
    assert ("a", {"href": "x"}) in starts(body)


def test_text_is_resolved_and_a_title_is_text() -> None:
    body = b"a &amp; b<title>x < y</title><i>&notathing&#x41</i>"
    assert [one.text for one in tokens(body, attributes_of=()) if isinstance(one, Text)] == ["a & b", "x < y", "\u00acathingA"]


_TAILS = st.sampled_from(
    ["", "\n", "<br>", "<br />\n", "</li> <li>", "</div>" * 9, "<br/>" * 20, "<b>", "x", "</a>", "&lt;", "<!-- -->"]
)
_LINKS = st.builds(
    lambda pairs, space, text, close, tail: (
        "<a" + "".join(f' {name}="{value}"' for name, value in pairs) + f"{space}>{text}{close}{tail}"
    ),
    st.lists(
        st.tuples(
            st.sampled_from(["href", "href", "rel", "data-yanked", "data-requires-python", "data-size"]),
            st.sampled_from(
                [
                    "demo-1.0.tar.gz",
                    "/f/demo-2.0-py3-none-any.whl#sha256=" + "ab" * 32,
                    "",
                    "7",
                    "&gt;=3.8",
                    "?a=1&copy=2",
                    "'>",
                    "é",
                ]
            ),
        ),
        max_size=4,
    ),
    st.sampled_from(["", " ", "\n", "/", " x", " x='1'"]),
    st.sampled_from(["demo-3.0.tar.gz", "", "a &amp; b", " \n", "x < y", "<i>demo-4.0.zip</i>", "é"]),
    st.sampled_from(["</a>", "</a >", "", "</A>"]),
    _TAILS,
)
_HEADS = st.sampled_from(["", "<title>Links for demo</title>", "<title>", "<h1>Links for demo", "<form>", "<p>Sign in</p>"])


@given(_HEADS, st.lists(_LINKS, max_size=12).map("".join))
def test_a_plainly_written_link_says_what_it_says_in_any_other_way_of_writing(head: str, links: str) -> None:
    """Links are spelled with a capital letter, too, which the shorter way does not read."""
    outcomes = []
    for body in (head + links, head + links.replace("<a", "<A")):
        try:
            outcomes.append(str(parse_html(body.encode(), "https://index.example/simple/demo/", ProjectName("demo"))))
        except OriginFault as fault:
            outcomes.append(str(fault))
    assert outcomes[0] == outcomes[1]


def test_most_links_are_read_as_one_token() -> None:
    body = b'<a href="x" data-y="&gt;=3&lt;4" href="z">a &amp; b</a><br />\n    <a href="y"\n>\xff</a>\n'
    assert list(tokens(body, attributes_of={"a"})) == [
        Link({"href": "x", "data-y": ">=3<4"}, "a & b"),
        Link({"href": "y"}, "\ufffd"),
    ]


class _Anchors(HTMLParser):
    """What pip's parser, the standard library's, makes of a document."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append({key: value or "" for key, value in reversed(attrs)})


_NAMES = st.sampled_from(["href", "data-x", "Data-Y", "class"])
_VALUES = st.text(st.characters(codec="utf-8", exclude_characters="&\"'\r\0<>", exclude_categories=("Cc", "Cs")), max_size=12)
_TAGS = st.builds(
    lambda name, pairs, quote, space: "<" + name + "".join(f"{space}{key}={quote}{value}{quote}" for key, value in pairs) + ">",
    st.sampled_from(["a", "A", "p", "br", "base", "td"]),
    st.lists(st.tuples(_NAMES, _VALUES), max_size=4),
    st.sampled_from(['"', "'"]),
    st.sampled_from([" ", "\n", "  \t"]),
)
_PIECES = st.one_of(
    _TAGS, st.sampled_from(["</a>", "</p>", "<!-- <a href='c'> -->", "<!DOCTYPE html>", "<script>'<a>'</script>"]), _VALUES
)


@given(st.lists(_PIECES, max_size=30).map("".join))
def test_the_links_of_well_formed_documents_are_those_that_pips_parser_finds(body: str) -> None:
    peer = _Anchors()
    peer.feed(body)
    peer.close()
    assert [attributes for name, attributes in starts(body) if name == "a"] == peer.found


@given(
    st.lists(
        st.sampled_from(["<", ">", "a", "/", "!", "--", '"', "'", "=", " ", "&", "#", ";", "9", "script", "title"]), max_size=60
    )
)
def test_no_document_is_an_error_and_every_token_takes_some_of_it(pieces: list[str]) -> None:
    body = "".join(pieces).encode()
    assert len(list(tokens(body, attributes_of={"a"}))) <= len(body)


CONSTRUCTS = (
    *(b"<div>", b"</p>", b"<!--", b"<!-->", b"<!x", b"<a ", b'<a href="', b"<a x='", b"<p ='", b"<a x=", b'<a"', b"<a/"),
    *(b'<a x="" ', b'<a x="">t<', b'<a x="">t</a><br>'),
    *(b"<script>", b"<title>", b"</script", b"&#9", b"&a", b"<a a b c>", b"<a a=1\t", b"<", b"=", b"<p =\"'"),
)


@pytest.mark.parametrize("construct", CONSTRUCTS)
@pytest.mark.parametrize("before", [b"", b"<div>" * 20_000], ids=["flat", "nested"])
def test_cost_grows_with_the_body_and_not_with_its_square(construct: bytes, before: bytes) -> None:
    def read(count: int) -> None:
        for _ in tokens(before + construct * count, attributes_of={"a"}):
            pass

    assert not grows_with_the_square(read, 20_000)


def test_references_follow_the_rule_for_attributes() -> None:
    assert resolved(b"?a&copy=1&lt;&nosuch;&amp") == "?a&copy=1<&nosuch;&"
