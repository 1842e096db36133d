"""Promises of a `.metadata` file (PEP 658, 714) that are kept, broken, or written in another way."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tests.fakes.wheels import metadata_text
from tests.world.habits import CRASH, ERROR, GOOD, HASH, OLD, habit
from tests.world.shop import BIG, a, entry
from tests.world.site import redirect

if TYPE_CHECKING:
    from tests.world.shop import Item, Shop

BETTER = "wheelfs reads the METADATA of the wheel itself, so a broken promise does no harm"


def _metadata(shop: Shop, version: str = "2.0") -> bytes:
    return metadata_text(shop.project, version)


def _beside(shop: Shop, item: Item, body: bytes) -> str:
    shop.put(f"{item.path}.metadata", body)
    return "sha256=" + hashlib.sha256(body).hexdigest()


@habit("a promise with its hash, kept", "PEP 658 and 714")
def metadata_kept(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(shop.wheel("1.0")), a(wheel, data_core_metadata=_beside(shop, wheel, _metadata(shop))))


@habit("the promise under its older name", "PEP 658 before 714: Artifactory, Pulp (astral-sh/uv#3689)")
def metadata_old_name(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(shop.wheel("1.0")), a(wheel, data_dist_info_metadata=_beside(shop, wheel, _metadata(shop))))


@habit("a promise without a hash, kept", "PEP 658: true")
def metadata_true(shop: Shop) -> None:
    wheel = shop.wheel()
    _beside(shop, wheel, _metadata(shop))
    shop.html(a(shop.wheel("1.0")), a(wheel, data_core_metadata="true"))


@habit(
    "the promise of a file that is not there",
    "mirrors without metadata (tuna/issues#2397, pypa/pip#12701, EpicWink/proxpi#29)",
    pip=ERROR,
    instead=GOOD,
    why=BETTER,
    quick=True,
    uv=GOOD,
)
def metadata_absent(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(), data_core_metadata="true"))


@habit("the same in JSON", "mirrors that copy PyPI's JSON", pip=ERROR, instead=GOOD, why=BETTER, uv=GOOD)
def metadata_absent_json(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), core_metadata=True))


@habit("the promised file answers 403", "buckets without the right to list", pip=ERROR, instead=GOOD, why=BETTER, uv=GOOD)
def metadata_denied(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.put(f"{wheel.path}.metadata", b"AccessDenied", status=403)
    shop.html(a(shop.wheel("1.0")), a(wheel, data_core_metadata="true"))


@habit("the promised file answers 500", "proxies that make it on demand", pip=ERROR, instead=GOOD, why=BETTER, uv=GOOD)
def metadata_fails(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.put(f"{wheel.path}.metadata", b"sorry", status=500)
    shop.html(a(shop.wheel("1.0")), a(wheel, data_core_metadata="true"))


@habit(
    "the promised hash is another file's",
    "the wheel's own hash is promised (artifact-keeper#3076)",
    pip=HASH,
    uv=GOOD,
    instead_pip=GOOD,
    why=BETTER,
)
def metadata_hash_of_wheel(shop: Shop) -> None:
    wheel = shop.wheel()
    _beside(shop, wheel, _metadata(shop))
    shop.html(a(shop.wheel("1.0")), a(wheel, data_core_metadata="sha256=" + wheel.digest()))


@habit(
    "a line is appended to the file", "PyTorch's index (pytorch/pytorch#197552)", pip=HASH, uv=GOOD, instead_pip=GOOD, why=BETTER
)
def metadata_line_appended(shop: Shop) -> None:
    wheel = shop.wheel()
    promised = _beside(shop, wheel, _metadata(shop))
    _beside(shop, wheel, _metadata(shop) + b"Checksum-SHA256: 00\n")
    shop.html(a(shop.wheel("1.0")), a(wheel, data_core_metadata=promised))


@habit("the promised digest is malformed", "hand-made pages", pip=HASH, uv=GOOD, instead_pip=GOOD, why=BETTER, quick=True)
def metadata_digest_short(shop: Shop) -> None:
    wheel = shop.wheel()
    _beside(shop, wheel, _metadata(shop))
    shop.html(a(shop.wheel("1.0")), a(wheel, data_core_metadata="sha256=abc"))


@habit("the promised digest is malformed, in JSON", "hand-made pages", pip=HASH, why=BETTER, uv=ERROR, instead=GOOD)
def metadata_digest_short_json(shop: Shop) -> None:
    wheel = shop.wheel()
    _beside(shop, wheel, _metadata(shop))
    shop.json(entry(shop.wheel("1.0")), entry(wheel, core_metadata={"sha256": "abc"}))


@habit("a promise by sha512 only", "PEP 714: any hash of hashlib")
def metadata_sha512(shop: Shop) -> None:
    wheel = shop.wheel()
    _beside(shop, wheel, _metadata(shop))
    shop.html(a(shop.wheel("1.0")), a(wheel, data_core_metadata="sha512=" + hashlib.sha512(_metadata(shop)).hexdigest()))


@habit("a promise of an empty dictionary", "PEP 714 in JSON", uv=GOOD)
def metadata_empty_dictionary(shop: Shop) -> None:
    wheel = shop.wheel()
    _beside(shop, wheel, _metadata(shop))
    shop.json(entry(shop.wheel("1.0")), entry(wheel, core_metadata={}))


@habit(
    "the promise is a text in JSON",
    "JSON made of an HTML page",
    uv=ERROR,
    also_right=GOOD,
    why="one field that is wrong does not cost the file",
)
def metadata_text_json(shop: Shop) -> None:
    wheel = shop.wheel()
    promised = _beside(shop, wheel, _metadata(shop))
    shop.json(entry(shop.wheel("1.0")), entry(wheel, core_metadata=promised))


@habit("the promise is false", "PEP 714")
def metadata_false(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), core_metadata=False))


@habit("the promise is the word false, in HTML", "templates that print booleans", pip=ERROR, uv=GOOD, instead=GOOD, why=BETTER)
def metadata_false_html(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(), data_core_metadata="false"))


@habit("the file is another version's", "a mirror that mixed files up", instead=GOOD, why=BETTER, pip=OLD, uv=GOOD)
def metadata_other_version(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(shop.wheel("1.0")), a(wheel, data_core_metadata=_beside(shop, wheel, _metadata(shop, "1.5"))))


@habit("the file is another project's", "a mirror that mixed files up", instead=GOOD, why=BETTER, pip=OLD, uv=GOOD)
def metadata_other_project(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(shop.wheel("1.0")), a(wheel, data_core_metadata=_beside(shop, wheel, metadata_text("another", "2.0"))))


@habit(
    "the promised hash is that of an older METADATA",
    "METADATA that was made again",
    pip=HASH,
    uv=GOOD,
    instead_pip=GOOD,
    why=BETTER,
)
def metadata_hash_of_older(shop: Shop) -> None:
    wheel = shop.wheel(big_bytes=BIG)
    promised = _beside(shop, wheel, _metadata(shop) + b"Summary: older\n")
    _beside(shop, wheel, _metadata(shop))
    shop.html(a(shop.wheel("1.0")), a(wheel, data_core_metadata=promised))


@habit("the file leads to a login page", "single sign-on in front of files", instead=GOOD, why=BETTER, pip=CRASH, uv=GOOD)
def metadata_leads_to_login(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.route(f"{wheel.path}.metadata", redirect("/login"))
    shop.put("/login", b"<html><form>log in</form></html>", content_type="text/html")
    shop.html(a(shop.wheel("1.0")), a(wheel, data_core_metadata="true"))


@habit("the file is empty", "disks that were full", instead=GOOD, why=BETTER, pip=CRASH, uv=GOOD)
def metadata_empty(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.put(f"{wheel.path}.metadata", b"")
    shop.html(a(shop.wheel("1.0")), a(wheel, data_core_metadata="true"))


@habit(
    "the file is a login page with status 200", "single sign-on in front of files", instead=GOOD, why=BETTER, pip=CRASH, uv=GOOD
)
def metadata_login_page(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.put(f"{wheel.path}.metadata", b"<html><form>log in</form></html>", content_type="text/html")
    shop.html(a(shop.wheel("1.0")), a(wheel, data_core_metadata="true"))


@habit("one byte after the end of the zip", "AWS CodeArtifact (astral-sh/uv#15451)", uv=ERROR, quick=True)
def wheel_trailing_byte(shop: Shop) -> None:
    shop.odd_wheel(shop.build() + b"\n")


@habit("zeros after the end of the zip", "files padded to blocks", pip=GOOD, uv=GOOD)
def wheel_trailing_zeros(shop: Shop) -> None:
    shop.odd_wheel(shop.build() + bytes(512))


@habit("bytes before the zip", "self-extracting archives", pip=GOOD, uv=ERROR)
def wheel_leading_bytes(shop: Shop) -> None:
    shop.odd_wheel(b"#!/bin/sh\n" + shop.build())


@habit("METADATA with CRLF", "wheels built on Windows")
def wheel_crlf_metadata(shop: Shop) -> None:
    shop.odd_wheel(shop.build(metadata_extra="Summary: x\r\nLicense: y\r\n"))


@habit("a wheel that uses data descriptors", "streaming build tools")
def wheel_data_descriptors(shop: Shop) -> None:
    shop.odd_wheel(shop.build(data_descriptors=True))


@habit("a wheel that is stored and not compressed", "flit's option, PyTorch")
def wheel_stored(shop: Shop) -> None:
    shop.odd_wheel(shop.build(compression="stored"))


@habit("a wheel large enough to be read in parts", "every large wheel")
def wheel_large(shop: Shop) -> None:
    shop.odd_wheel(shop.build(big_bytes=600_000))


@habit(
    "a file that is no zip",
    "a login page saved as a wheel",
    pip=ERROR,
    uv=ERROR,
    without={"flat": "pip's own answer to a broken file is to stop"},
)
def wheel_no_zip(shop: Shop) -> None:
    shop.odd_wheel(b"<html>not found</html>" * 20)


@habit("a file that is no zip, without a hash", "the same, pages without hashes", pip=ERROR, uv=ERROR)
def wheel_no_zip_no_hash(shop: Shop) -> None:
    shop.odd_wheel(b"<html>not found</html>" * 20, "")


@habit("an empty file", "disks that were full", pip=ERROR, uv=ERROR)
def wheel_empty(shop: Shop) -> None:
    shop.odd_wheel(b"")


@habit("a wheel of another version than its name says", "renamed by hand", pip=OLD, uv=ERROR)
def wheel_renamed(shop: Shop) -> None:
    shop.odd_wheel(shop.build("1.5"))


@habit(
    "the wheel needs another Python, the page does not say so",
    "dumb indexes (astral-sh/uv#5475)",
    pip=OLD,
    uv=GOOD,
    also_right=OLD,
    why="a page that says what the wheel needs is better than one that does not",
)
def wheel_requires_python(shop: Shop) -> None:
    shop.odd_wheel(shop.build(requires_python=">=4"))
