"""Hashes by which an index vouches for a file."""

import hashlib

import pytest

from wheelfs.core import hashes
from wheelfs.core.simple import html_render, json_render
from wheelfs.core.simple.api import parse_page
from wheelfs.core.simple.html_render import RenderedFile
from wheelfs.model.links import FileLink
from wheelfs.model.names import ProjectName

CONTENT = b"content" * 99
NAME = "demo-1.0-py3-none-any.whl"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SHA512 = hashlib.sha512(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()
GOT = {"sha512": SHA512, "md5": MD5}


def parsed(fragment: str) -> FileLink:
    body = f'<a href="/f/{NAME}#{fragment}">{NAME}</a>'.encode()
    (link,) = parse_page(body, "text/html", "https://index.example/simple/demo/", ProjectName("demo")).files
    return link


@pytest.mark.parametrize(
    ("fragment", "sha256", "others"),
    [
        (f"sha256={SHA256}", SHA256, None),
        (f"sha256={SHA256.upper()}", SHA256, None),
        (f"SHA256={SHA256}", SHA256, None),
        (f"sha512={SHA512}", None, {"sha512": SHA512}),
        (f"sha512={SHA512}&md5={MD5}", None, {"sha512": SHA512, "md5": MD5}),
        (f"egg=demo&sha256={SHA256}", SHA256, None),
        ("egg=deadbeef&subdirectory=deadbeef", None, None),
        ("sha256=abc", None, {"sha256": "abc"}),
        ("sha256=zz%3C%22", None, {"sha256": "invalid"}),
        ("sha256=", None, None),
        ("whirlpool=deadbeef", None, {"whirlpool": "deadbeef"}),
        ("section-one", None, None),
    ],
)
def test_a_fragment_says_what_its_index_vouches_with(fragment: str, sha256: str | None, others: dict[str, str] | None) -> None:
    link = parsed(fragment)
    assert (link.sha256 and link.sha256.hex(), link.other_hashes) == (sha256, others)


@pytest.mark.parametrize("name", ["sha1", "sha224", "sha384", "sha3_256", "blake2b", "blake2b_256", "md5"])
def test_any_algorithm_of_a_fixed_length_is_checked(name: str) -> None:
    right = hashes.digests_of([CONTENT[:50], CONTENT[50:]], [name])
    assert hashes.is_possible(name, right[name])
    assert hashes.contradiction(right, right) is None
    assert f"its {name} is {right[name]}" in (hashes.contradiction({name: right[name][::-1]}, right) or "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"sha256:{SHA256.upper()}", f"sha256:{SHA256}"),
        (f"blake2b:{'ab' * 32}", f"blake2b_256:{'ab' * 32}"),
        (f"blake2b:{'ab' * 64}", f"blake2b:{'ab' * 64}"),
        ("of-tomorrow:00", "of-tomorrow:00"),
    ],
)
def test_a_hash_that_is_asked_for_has_one_form(text: str, expected: str) -> None:
    assert hashes.asked_for(text) == expected


@pytest.mark.parametrize("text", ["", ":", "00", "sha256:", ":00", "sha256:00", "sha256:zz", "sha256:" + "z" * 64, "blake2b:00"])
def test_a_hash_that_no_file_can_have_cannot_be_asked_for(text: str) -> None:
    with pytest.raises(ValueError, match="is no "):
        hashes.asked_for(text)


def test_pypis_name_of_a_short_blake_is_known() -> None:
    expected = hashlib.blake2b(CONTENT, digest_size=32).hexdigest()
    assert hashes.digests_of([CONTENT], ["blake2b_256"]) == {"blake2b_256": expected}


@pytest.mark.parametrize("name", ["shake_128", "whirlpool99", "blake2b_999", "blake2b_0", ""])
def test_what_cannot_be_checked_is_said_to_be_so(name: str) -> None:
    assert hashes.digest_bytes(name) is None
    assert not hashes.are_all_checkable({name: "00"})
    assert hashes.is_possible(name, "anything")


def test_a_strong_hash_that_is_wrong_contradicts_also_beside_a_right_one() -> None:
    assert hashes.contradiction({"sha512": "00" * 64, "md5": MD5}, GOT) is not None
    assert hashes.contradiction({"sha512": "00" * 64}, GOT, is_vouched=True) is not None


def test_a_weak_hash_decides_only_where_there_is_no_other() -> None:
    assert hashes.contradiction({"md5": "00" * 16}, GOT) is not None
    assert hashes.contradiction({"sha512": SHA512, "md5": "00" * 16}, GOT) is None
    assert hashes.contradiction({"md5": "00" * 16}, GOT, is_vouched=True) is None


@pytest.mark.parametrize("told", [{"sha256": "abc"}, {"sha512": "zz" * 64}, {"md5": "0" * 31}, {"md5": "invalid"}])
def test_a_hash_that_no_file_can_have_is_found_out(told: dict[str, str]) -> None:
    assert hashes.impossible(told) is not None
    assert hashes.impossible({"whirlpool": "abc"}) is None


@pytest.mark.parametrize(
    ("asked", "told", "verdict"),
    [
        ((), {"sha256": SHA256}, None),
        ((f"sha256:{SHA256}",), {"sha256": SHA256}, True),
        ((f"sha256:{SHA256}",), {"sha256": SHA256.upper()}, True),
        (("sha256:00", f"sha256:{SHA256}"), {"sha256": SHA256}, True),
        (("sha256:00",), {"sha256": SHA256}, False),
        (("sha256:00", "md5:00"), {"sha256": SHA256}, None),
        (("sha256:00", f"md5:{MD5}"), GOT, True),
        (("whirlpool:00",), {"sha256": SHA256}, None),
    ],
)
def test_a_file_has_to_have_one_of_the_hashes_that_are_asked_for(
    asked: tuple[str, ...], told: dict[str, str], verdict: bool | None
) -> None:
    assert hashes.has_one_of(frozenset(asked), told) is verdict


def test_what_was_not_asked_for_is_said_with_what_it_is() -> None:
    got = {"sha256": SHA256, "md5": MD5}
    assert hashes.unasked(frozenset({f"md5:{MD5}"}), got) is None
    assert hashes.unasked(frozenset(), got) is None
    assert hashes.unasked(frozenset({"md5:00"}), got) == f"its md5 is {MD5}, which was not asked for"
    assert hashes.unasked(frozenset({"md5:00", "sha256:00"}), got) == (
        f"its md5 is {MD5} and its sha256 is {SHA256}, which was not asked for"
    )
    assert hashes.unasked(frozenset({"whirlpool:00"}), got) == f"its sha256 is {SHA256}, which was not asked for"
    assert hashes.algorithms_of({"md5:00", "whirlpool:00", "shake_128:00", "blake2b_256:00"}) == {"md5", "blake2b_256"}


def test_json_pages_have_the_sha256_first() -> None:
    link = FileLink(NAME, "", bytes.fromhex(SHA256), other_hashes={"md5": MD5})
    body = json_render.render_project_page("demo", [RenderedFile(link)])
    assert f'"hashes":{{"sha256":"{SHA256}","md5":"{MD5}"}}'.encode() in body


@pytest.mark.parametrize(
    ("others", "html"),
    [
        ({"md5": MD5, "sha512": SHA512}, f"#sha512={SHA512}"),
        ({"sha1": "00" * 20}, ""),  # checked here before the end is given; uv would refuse the page
        ({"whirlpool": "deadbeef"}, ""),  # uv would refuse the page; it is told in a comment and in JSON
        ({"sha256": "abc"}, ""),
        ({"sha256": "abc", "md5": MD5}, f"#md5={MD5}"),
    ],
)
def test_html_pages_pass_on_what_installers_check_alone(others: dict[str, str], html: str) -> None:
    body = html_render.render_project_page("demo", [RenderedFile(FileLink(NAME, "", other_hashes=others))])
    assert f'href="{NAME}{html}"'.encode() in body
