"""Paths, names and archives that are right and seldom."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

from tests.world.habits import ERROR, GOOD, habit
from tests.world.outcomes import Installed
from tests.world.shop import BIG, a, entry, large_page
from tests.world.site import redirect

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.world.shop import Shop

FIRST = Installed("2.0", "first")
SECOND = Installed("2.0", "second")
UV_ZIP = "uv unpacks the two ways of the specification only, pip all of Python's zipfile"
UV_JSON = "uv's JSON is stricter than Python's"

# --- paths -----------------------------------------------------------------------------------------------------------------


def _found_at(shop: Shop, directory: str, href: str | None = None) -> None:
    """Host the wheel in ``directory``, and link to it by ``href``, where it is called ``*``."""
    name = f"{shop.package}-2.0-py3-none-any.whl"
    wheel = shop.wheel(path=directory + name)
    shop.html(a(shop.wheel("1.0")), a(wheel, href=(href or directory + "*").replace("*", name)))


@habit("addresses are wrapped over two lines", "templates", quick=True)
def path_wrapped(shop: Shop) -> None:
    _found_at(shop, "/files/x/", "/files/\n\tx/*")


@habit("two slashes in the path", "addresses joined by hand")
def path_two_slashes(shop: Shop) -> None:
    _found_at(shop, "/files//x/")


@habit("parameters in the path", "servers in Java: jsessionid")
def path_parameters(shop: Shop) -> None:
    _found_at(shop, "/files;jsessionid=1/")


@habit("brackets and bars in the path", "generated paths")
def path_brackets(shop: Shop) -> None:
    _found_at(shop, "/files/[x]|{y}/")


@habit("a percent sign that escapes nothing", "addresses joined by hand")
def path_bare_percent(shop: Shop) -> None:
    _found_at(shop, "/100%25/", "/100%/*")


@habit("letters that need no escape are escaped", "over-careful quoting")
def path_escaped_letters(shop: Shop) -> None:
    _found_at(shop, "/files/", "/%66iles/" + f"{shop.package}-2.0-py3-none-any.whl".replace("-", "%2D").replace("_", "%5F"))


@habit(
    "a Location with spaces and UTF-8 in it",
    "hand-made servers",
    uv=ERROR,
    also_right=GOOD,
    why="uv takes visible ASCII only, pip quotes",
)
def location_raw(shop: Shop) -> None:
    wheel = shop.wheel(big_bytes=BIG, path=f"/gr%C3%BC%C3%9Fe%20x/{shop.package}-2.0-py3-none-any.whl")
    shop.route("/get/" + wheel.filename, redirect(f"/grüße x/{wheel.filename}".encode().decode("latin-1")))
    shop.html(a(shop.wheel("1.0")), a(wheel, href="/get/" + wheel.filename))


# --- which file of several -------------------------------------------------------------------------------------------------


@habit(
    "five wheels of one version, of which two fit alike to pip: the later one is taken",
    "every project of compiled code",
    pip=Installed("2.0", "linux"),
    uv=Installed("2.0", "best"),
)
def tags_best(shop: Shop) -> None:
    builds = {
        "any": "py2.py3-none-any",
        "py3": "py3-none-any",
        "best": "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "abi3": "cp37-abi3-manylinux_2_5_x86_64",
        "linux": "cp311-cp311-linux_x86_64",
    }
    shop.html(*(a(shop.wheel(build=build, tag=tag)) for build, tag in builds.items()))


@habit("one version in two spellings", "rebuilt by another tool", pip=Installed("2.0.0", "second"), uv=FIRST)
def version_two_spellings(shop: Shop) -> None:
    shop.html(a(shop.wheel(build="first")), a(shop.wheel("2.0.0", build="second")))


@habit("one version in two spellings, the other way round", "rebuilt by another tool", pip=FIRST)
def version_two_spellings_back(shop: Shop) -> None:
    first = shop.wheel(build="first")
    shop.html(a(shop.wheel("2.0.0", build="second")), a(first))


@habit("a wheel twice, in capitals and not", "builds on Windows", pip=SECOND)
def name_two_cases(shop: Shop) -> None:
    capitals = shop.wheel(build="second", filename=f"{shop.package.upper()}-2.0-py3-none-any.whl")
    shop.html(a(shop.wheel(build="first")), a(capitals))


# --- archives --------------------------------------------------------------------------------------------------------------


def _packed(shop: Shop, pack: Callable[[zipfile.ZipFile, str, bytes], None], comment: bytes = b"") -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(shop.build())) as good, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = comment
        for name in good.namelist():
            pack(archive, name, good.read(name))
    shop.odd_wheel(made.getvalue())


@habit("sizes of 64 bits in a small wheel", "build tools that stream")
def zip_64(shop: Shop) -> None:
    def pack(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
        with archive.open(name, "w", force_zip64=True) as member:
            member.write(content)

    _packed(shop, pack)


@habit("a zip with a long comment, and directories as members", "zip -r, signing tools")
def zip_comment(shop: Shop) -> None:
    def pack(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
        directory = name.partition("/")[0] + "/"
        if directory not in archive.namelist():
            archive.writestr(directory, b"")
        archive.writestr(name, content)

    _packed(shop, pack, comment=b"signed: " + b"x" * 30_000)


@habit("METADATA comes first in a large wheel, and is long", "maturin's order; descriptions with pictures in them")
def zip_metadata_first(shop: Shop) -> None:
    large_page(shop, metadata_first=True, metadata_extra="\n" + "All work and no play 0123456789\n" * 20_000)


@habit("members are packed with bzip2", "zip tools that choose the smallest", uv=ERROR, also_right=GOOD, why=UV_ZIP, quick=True)
def zip_bzip2(shop: Shop) -> None:
    _packed(shop, lambda archive, name, content: archive.writestr(name, content, zipfile.ZIP_BZIP2))


@habit("members are packed with LZMA", "the same", uv=ERROR, also_right=GOOD, why=UV_ZIP)
def zip_lzma(shop: Shop) -> None:
    _packed(shop, lambda archive, name, content: archive.writestr(name, content, zipfile.ZIP_LZMA))


# --- JSON ------------------------------------------------------------------------------------------------------------------


@habit("NaN in a field of its own", "Python's json", uv=ERROR, also_right=GOOD, why=UV_JSON)
def json_nan(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel()), page={"score": float("nan")})


@habit(
    "halves of surrogate pairs in a reason", "Python's json of bytes that are no UTF-8", uv=ERROR, also_right=GOOD, why=UV_JSON
)
def json_surrogates(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0"), yanked="gr\udcfc\udcdfe"), entry(shop.wheel()))
