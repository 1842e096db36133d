"""What pages say of a file's content: kinds of hash, true and false, in both forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.world.habits import CRASH, ERROR, GOOD, HASH, habit
from tests.world.shop import a, entry

if TYPE_CHECKING:
    from tests.world.shop import Shop

NO_SUCH_HASH = "uv knows md5, sha256, sha384, sha512 and blake2b, and refuses a page with any other"

BLAKE2B = "uv refuses the page, since it expects another length"
CHECKED = "wheelfs compares what pip compares, for every client"


def _wrong(kind: str, shop: Shop) -> str:
    return f"{kind}={'0' * len(shop.wheel('1.0').digest(kind))}"


@habit("sha256 behind the address", "PEP 503", quick=True)
def sha256_html(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel()))


@habit("sha256 in JSON", "PEP 691", quick=True)
def sha256_json(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel()))


@habit("a wrong sha256 is refused", "PEP 503", pip=HASH, quick=True)
def sha256_wrong(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(), _wrong("sha256", shop)))


@habit("a wrong sha256 is refused, in JSON", "PEP 691", pip=HASH)
def sha256_wrong_json(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), hashes={"sha256": "0" * 64}))


@habit("sha256 in capitals", "hand-made pages; PEP 503 says hexadecimal and no more")
def sha256_capitals(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(shop.wheel("1.0")), a(wheel, "sha256=" + wheel.digest().upper()))


@habit("no hashes at all", "pypiserver with --hash-algo none; directories listed by nginx", quick=True)
def no_hash(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0"), ""), a(shop.wheel(), ""))


@habit("no hashes at all, in JSON", "PEP 691: the dictionary may be empty")
def no_hash_json(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0"), hashes={}), entry(shop.wheel(), hashes={}))


@habit("vouches by sha512 only, truly", "Nexus and devpi set to it")
def sha512_only(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(shop.wheel("1.0")), a(wheel, "sha512=" + wheel.digest("sha512")))


@habit(
    "vouches by sha512 only, and the digest is another file's",
    "a file replaced under a page that is cached",
    pip=HASH,
    quick=True,
)
def sha512_wrong(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(), _wrong("sha512", shop)))


@habit("a wrong sha512 as the only hash, in JSON", "PEP 691: any name in hashlib", pip=HASH)
def sha512_wrong_json(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), hashes={"sha512": "0" * 128}))


@habit("vouches by sha384 only, truly", "PEP 503: hashes of hashlib")
def sha384_only(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(shop.wheel("1.0")), a(wheel, "sha384=" + wheel.digest("sha384")))


@habit("vouches by sha384 only, wrongly", "PEP 503", pip=HASH)
def sha384_wrong(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(), _wrong("sha384", shop)))


@habit("vouches by sha224 only, truly", "PEP 503", uv=ERROR, also_right=GOOD, why=NO_SUCH_HASH)
def sha224_only(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(shop.wheel("1.0")), a(wheel, "sha224=" + wheel.digest("sha224")))


@habit("vouches by sha224 only, wrongly", "PEP 503", pip=HASH, uv=ERROR)
def sha224_wrong(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(), _wrong("sha224", shop)))


@habit("vouches by sha1 only, wrongly", "old localshop and pyshop", pip=HASH, uv=ERROR)
def sha1_wrong(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(), _wrong("sha1", shop)))


@habit("vouches by md5 only, truly", "Nexus before 3.41 (astral-sh/uv#1547, python-poetry/poetry#6301)", quick=True)
def md5_only(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(shop.wheel("1.0")), a(wheel, "md5=" + wheel.digest("md5")))


@habit("vouches by md5 only, wrongly", "Nexus groups that mix members (sonatype/nexus-public#376)", pip=HASH)
def md5_wrong(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(), _wrong("md5", shop)))


@habit("vouches by blake2b only, truly, in JSON", "PyPI's own JSON has it beside sha256", uv=ERROR, also_right=GOOD, why=BLAKE2B)
def blake2b_only(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.json(entry(shop.wheel("1.0")), entry(wheel, hashes={"blake2b": wheel.digest("blake2b")}))


@habit("vouches by blake2b only, wrongly, in JSON", "the same", pip=HASH, uv=ERROR)
def blake2b_wrong(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), hashes={"blake2b": "0" * 128}))


@habit(
    "vouches by sha3_256 only, wrongly, in JSON", "PEP 691: any name in hashlib", pip=HASH, uv=GOOD, instead_uv=HASH, why=CHECKED
)
def sha3_256_wrong(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), hashes={"sha3_256": "0" * 64}))


@habit(
    "an unknown kind of hash, in JSON",
    "PEP 691 says to ignore it",
    pip=ERROR,
    uv=GOOD,
    also_right=GOOD,
    why="pip ends with: unknown hash name",
)
def unknown_hash_json(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), hashes={"crc32c": "deadbeef"}))


@habit(
    "a true sha256 beside a wrong md5, in JSON",
    "an index that computed one of them of another file",
    uv=HASH,
    also_right=(GOOD, HASH),
    why="pip compares one of them, uv all",
)
def hashes_disagree_weak(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.json(entry(shop.wheel("1.0")), entry(wheel, hashes={"sha256": wheel.digest(), "md5": "0" * 32}))


@habit("a wrong sha256 beside a true sha512, in JSON", "the same", pip=HASH)
def hashes_disagree_strong(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.json(entry(shop.wheel("1.0")), entry(wheel, hashes={"sha256": "0" * 64, "sha512": wheel.digest("sha512")}))


@habit(
    "sha256 in JSON is null, sha512 is true",
    "a schema with optional fields",
    pip=CRASH,
    uv=GOOD,
    also_right=GOOD,
    why="pip ends with a traceback",
)
def hash_null_json(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.json(entry(shop.wheel("1.0")), entry(wheel, hashes={"sha256": None, "sha512": wheel.digest("sha512")}))


@habit("sha256 cut to 32 digits", "pypiserver before 1.3.1 (pypiserver/pypiserver#265)", pip=HASH, uv=ERROR, quick=True)
def sha256_short(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(shop.wheel("1.0")), a(wheel, f"sha256={wheel.digest()[:32]}"))


@habit(
    "an empty sha256",
    "templates that print a missing value",
    pip=CRASH,
    uv=ERROR,
    also_right=GOOD,
    why="an empty hash says nothing",
)
def sha256_empty(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(), "sha256="))


@habit("a fragment that is a bare digest", "pypicloud (astral-sh/uv#2099)")
def fragment_bare_digest(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(shop.wheel("1.0")), a(wheel, wheel.digest()))


@habit("egg= before the hash in the fragment", "old setuptools links", uv=GOOD)
def fragment_egg(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(shop.wheel("1.0")), a(wheel, f"egg={shop.project}-2.0&{wheel.fragment}"))


@habit("egg= before a wrong hash", "the same", pip=HASH, uv=GOOD, instead_uv=HASH, why=CHECKED)
def fragment_egg_wrong(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(), f"egg={shop.project}-2.0&{_wrong('sha256', shop)}"))


@habit("a hash in the name of the query, none in the fragment", "buckets with versioned objects")
def hash_in_query(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(shop.wheel("1.0")), a(wheel, "", href=f"{wheel.path}?sha256={'0' * 64}"))


@habit(
    "the requirement is pinned by sha512 and the page has no hash", "pip's --require-hashes", requirement="-r requirements.txt"
)
def pinned_by_sha512(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.requirements(f"{shop.project}==2.0 --hash=sha512:{wheel.digest('sha512')}")
    shop.html(a(shop.wheel("1.0"), ""), a(wheel, ""))


@habit("the requirement is pinned by a wrong sha512", "pip's --require-hashes", pip=HASH, requirement="-r requirements.txt")
def pinned_by_wrong_sha512(shop: Shop) -> None:
    shop.requirements(f"{shop.project}==2.0 --hash=sha512:{'0' * 128}")
    shop.html(a(shop.wheel("1.0"), ""), a(shop.wheel(), ""))


@habit(
    "the requirement is pinned by sha256, the page vouches by md5",
    "pip's --require-hashes at Nexus",
    requirement="-r requirements.txt",
)
def pinned_by_sha256_page_md5(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.requirements(f"{shop.project}==2.0 --hash=sha256:{wheel.digest()}")
    shop.html(a(shop.wheel("1.0")), a(wheel, "md5=" + wheel.digest("md5")))


@habit(
    "the requirement is pinned by another sha256 than the page's",
    "a lock of another index",
    pip=HASH,
    requirement="-r requirements.txt",
)
def pinned_by_other_sha256(shop: Shop) -> None:
    shop.requirements(f"{shop.project}==2.0 --hash=sha256:{'0' * 64}")
    shop.html(a(shop.wheel("1.0")), a(shop.wheel()))
