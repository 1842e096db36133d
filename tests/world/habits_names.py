"""Names of projects and files: case, separators, versions, tags, kinds of file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fakes.server import Answer
from tests.world.habits import ABSENT, CRASH, GOOD, OLD, habit
from tests.world.outcomes import Installed
from tests.world.shop import FILES, a, entry
from tests.world.site import redirect

if TYPE_CHECKING:
    from tests.world.shop import Shop

PANIC = "uv panics; what is of other projects is left out"


@habit("a local version, + as it is", "PyTorch: 2.0+cpu", pip=Installed("2.0+cpu", "good"))
def local_version_plain(shop: Shop) -> None:
    item = shop.wheel("2.0+cpu", path=f"{FILES}{shop.package}-2.0+cpu-py3-none-any.whl")
    shop.html(a(shop.wheel("1.0")), a(item))


@habit("a local version, + as %2B", "S3 and PyTorch's index", pip=Installed("2.0+cpu", "good"))
def local_version_escaped(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel("2.0+cpu")))


@habit(
    "a local version, + as %2B in the text, too", "JAX's pages, nginx's autoindex", pip=Installed("2.0+cpu", "good"), quick=True
)
def local_version_escaped_text(shop: Shop) -> None:
    item = shop.wheel("2.0+cpu")
    shop.html(a(shop.wheel("1.0")), a(item, text=item.filename.replace("+", "%2B")))


@habit("a local version, + as a character reference", "buf.build (astral-sh/uv#1338)", pip=Installed("2.0+cpu", "good"))
def local_version_reference(shop: Shop) -> None:
    item = shop.wheel("2.0+cpu", path=f"{FILES}{shop.package}-2.0+cpu-py3-none-any.whl")
    shop.html(a(shop.wheel("1.0")), f'<a href="{item.path.replace("+", "&#43;")}">{item.filename.replace("+", "&#43;")}</a>')


@habit("a local version, + as %2b in small letters", "Azure's blob storage", pip=Installed("2.0+cpu", "good"))
def local_version_escaped_small(shop: Shop) -> None:
    item = shop.wheel("2.0+cpu", path=f"{FILES}{shop.package}-2.0%2bcpu-py3-none-any.whl")
    shop.html(a(shop.wheel("1.0")), a(item))


@habit("a server that takes + for a space and knows %2B only", "S3", pip=Installed("2.0+cpu", "good"))
def local_version_s3(shop: Shop) -> None:
    item = shop.wheel("2.0+cpu")
    shop.json(entry(shop.wheel("1.0")), entry(item))
    shop.route(item.path.replace("%2B", "+"), lambda _: Answer(403, b"AccessDenied"))


@habit(
    "escaped twice",
    "proxies of proxies",
    also_right=Installed("2.0+cpu", "good"),
    why="the file has a name that can be read",
    pip=OLD,
    uv=OLD,
)
def local_version_escaped_twice(shop: Shop) -> None:
    item = shop.wheel("2.0+cpu", path=f"{FILES}{shop.package}-2.0%252Bcpu-py3-none-any.whl")
    shop.html(a(shop.wheel("1.0")), a(item, text=""))


@habit("an epoch", "PEP 440: 1!2.0", pip=Installed("1!2.0", "good"))
def epoch(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel("1!2.0")))


@habit("an epoch with ! as %21", "servers that escape", pip=Installed("1!2.0", "good"))
def epoch_escaped(shop: Shop) -> None:
    item = shop.wheel("1!2.0", path=f"{FILES}{shop.package}-1%212.0-py3-none-any.whl")
    shop.html(a(shop.wheel("1.0")), a(item))


@habit("a build tag: the higher one wins", "PEP 427", pip=Installed("2.0", "second"))
def build_tag(shop: Shop) -> None:
    items = [
        shop.wheel(build=build, filename=f"{shop.package}-2.0-{tag}-py3-none-any.whl")
        for tag, build in (("1", "first"), ("2", "second"))
    ]
    shop.html(a(shop.wheel()), *map(a, items))


@habit("a build tag with letters", "PEP 427", pip=Installed("2.0", "second"))
def build_tag_letters(shop: Shop) -> None:
    items = [
        shop.wheel(build=build, filename=f"{shop.package}-2.0-{tag}-py3-none-any.whl")
        for tag, build in (("1", "first"), ("1b", "second"))
    ]
    shop.html(*map(a, items))


@habit("the file's name has capitals", "wheels before 2021")
def name_capitals(shop: Shop) -> None:
    shop.html(a(shop.wheel(filename=f"{shop.package.title()}-2.0-py3-none-any.whl")))


@habit("the file's name has dots where the project has dashes", "zope.interface and others", pip=GOOD, uv=GOOD)
def name_dots(shop: Shop) -> None:
    shop.html(a(shop.wheel(filename=f"{shop.package.replace('_', '.')}-2.0-py3-none-any.whl")))


@habit(
    "the page is at a name that is not normalized, the normal one redirects there",
    "old Artifactory; case-keeping indexes",
    requirement="Name.Not_Normalized.Page".replace(".", "-"),
)
def name_not_normalized_page(shop: Shop) -> None:
    shop.html(a(shop.wheel()))
    shop.site.routes["/simple/Name_Not.Normalized-Page/"] = shop.site.routes[shop.page_path()]
    shop.route(shop.page_path(), redirect("/simple/Name_Not.Normalized-Page/"))


@habit("the requirement is not normalized", "requirements written by hand", requirement="Requirement__Not.Normalized")
def requirement_not_normalized(shop: Shop) -> None:
    shop.html(a(shop.wheel()))


@habit(
    "files of other projects on the page",
    "flat listings: one directory for all",
    uv=CRASH,
    also_right=GOOD,
    why=PANIC,
)
def other_projects_files(shop: Shop) -> None:
    shop.html(a(shop.wheel()), '<a href="/files/zzz-9.0-py3-none-any.whl">zzz-9.0-py3-none-any.whl</a>', a(shop.wheel("1.0")))


@habit("files of a project whose name begins like this one's", "flat listings", quick=True, uv=CRASH, also_right=GOOD, why=PANIC)
def other_projects_prefix(shop: Shop) -> None:
    shop.html(
        a(shop.wheel()),
        f'<a href="/files/{shop.package}_extra-9.0-py3-none-any.whl">x</a>',
        f'<a href="/files/{shop.project}-extra-9.0.tar.gz">x</a>',
    )


@habit("wheels for other machines only", "every index", pip=ABSENT)
def other_platform(shop: Shop) -> None:
    shop.html(a(shop.wheel(tag="cp311-cp311-win_amd64")))


@habit("the newest version is for other machines", "every index", pip=OLD)
def newest_other_platform(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(tag="cp311-cp311-win_amd64")))


@habit("many tags in one name", "PEP 425: compressed tag sets")
def compressed_tags(shop: Shop) -> None:
    tag = "py2.py3-none-any"
    shop.html(a(shop.wheel(tag=tag)))


@habit("an unknown platform tag", "PEP 425: future tags", pip=OLD)
def unknown_tag(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(tag="py3-none-plan9_riscv128")))


@habit("eggs, installers and packages of Linux among the files", "old releases on PyPI")
def legacy_files(shop: Shop) -> None:
    names = [
        f"{shop.package}-3.0{end}"
        for end in ("-py2.7.egg", ".win32-py2.7.exe", ".win-amd64.msi", "-1.noarch.rpm", ".dmg", ".deb")
    ]
    shop.html(*(f'<a href="/files/{name}">{name}</a>' for name in names), a(shop.wheel()))


@habit("signatures, attestations and checksums among the files", "directory listings", quick=True)
def side_files(shop: Shop) -> None:
    wheel = shop.wheel()
    ends = (".asc", ".sha256", ".md5", ".metadata", ".provenance", ".publish.attestation", ".sig", ".part")
    shop.html(*(f'<a href="{wheel.path}{end}">{wheel.filename}{end}</a>' for end in ends), a(wheel))


@habit("an sdist in a zip", "PEP 517 does not know them, indexes have them", without={"flat": "flat directories have no sdists"})
def sdist_zip(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), '<a href="/files/x">x</a>', a(shop.zip_sdist()))


@habit("an sdist with dashes in its name", "sdists before PEP 625", without={"flat": "flat directories have no sdists"})
def sdist_dashes(shop: Shop) -> None:
    shop.html(a(shop.sdist(filename=f"{shop.project}-2.0.tar.gz")))


@habit(
    "an sdist in capitals, version not normalized",
    "sdists before PEP 625",
    without={"flat": "flat directories have no sdists"},
    pip=GOOD,
    uv=GOOD,
)
def sdist_old_name(shop: Shop) -> None:
    shop.html(a(shop.sdist(filename=f"{shop.package.title()}-2.0.tar.gz")))


@habit(
    "an sdist in .tgz",
    "very old uploads",
    without={"flat": "flat directories have no sdists"},
    uv=OLD,
    also_right=(GOOD, OLD),
    why="uv does not know .tgz",
)
def sdist_tgz(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.sdist(filename=f"{shop.package}-2.0.tgz")))


@habit("sdist and wheel of one version, the sdist first", "every index")
def sdist_and_wheel(shop: Shop) -> None:
    shop.html(a(shop.sdist()), a(shop.wheel()))


@habit("a version that is not normalized in the file's name", "2.0.0-1 as post release: old setuptools", pip=GOOD, uv=GOOD)
def version_not_normalized(shop: Shop) -> None:
    shop.html(a(shop.wheel(filename=f"{shop.package}-2.0.0-py3-none-any.whl")), a(shop.wheel("1.0")))


@habit("an invalid version", "old uploads: 2.0-final, dev-r123", pip=GOOD)
def version_invalid(shop: Shop) -> None:
    shop.html(
        f'<a href="/files/{shop.package}-final-py3-none-any.whl">x</a>',
        f'<a href="/files/{shop.project}-dev-r123.tar.gz">x</a>',
        a(shop.wheel()),
    )


@habit("a pre-release is the newest", "every index", pip=OLD)
def pre_release(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel("2.0rc1")))


@habit("pre-releases only", "PEP 440: taken when there is nothing else", pip=Installed("2.0rc1", "good"))
def pre_release_only(shop: Shop) -> None:
    shop.html(a(shop.wheel("2.0rc1")))


@habit(
    "a pre-release is wanted by its number",
    "every index",
    requirement="pre-release-pinned==2.0rc1",
    pip=Installed("2.0rc1", "good"),
)
def pre_release_pinned(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel("2.0rc1")), a(shop.wheel()))


@habit("versions are not in order", "directory listings sort by text", pip=Installed("10.0", "good"))
def version_order(shop: Shop) -> None:
    shop.html(*(a(shop.wheel(version)) for version in ("10.0", "1.0", "2.0", "9.0")))


@habit("a post-release and a local version of one release", "rebuilds", pip=Installed("2.0.post1", "good"))
def post_release(shop: Shop) -> None:
    shop.html(*(a(shop.wheel(version)) for version in ("2.0", "2.0+local", "2.0.post1")))


@habit("variant wheels and their JSON beside the plain wheel", "PEP 825's draft, NVIDIA's index", quick=True)
def variant_wheels(shop: Shop) -> None:
    variant = shop.wheel(build="variant", filename=f"{shop.package}-2.0-py3-none-any-cu130.whl")
    shop.put(f"{FILES}{shop.package}-2.0-variants.json", b"{}")
    described = f'<a href="/files/{shop.package}-2.0-variants.json">{shop.package}-2.0-variants.json</a>'
    shop.html(a(shop.wheel()), a(variant), described)


@habit("the file's name has a space", "uploads by hand", pip=GOOD)
def name_space(shop: Shop) -> None:
    shop.html(f'<a href="/files/{shop.package}%202.0-py3-none-any.whl">{shop.package} 2.0-py3-none-any.whl</a>', a(shop.wheel()))


@habit("a path with segments in a directory that is escaped", "Artifactory's layouts")
def path_escaped_directory(shop: Shop) -> None:
    filename = shop.wheel().filename
    shop.html(a(shop.wheel(path=f"/files/a%20b/c%2Fd/{filename}")))


@habit("a path with non-ASCII characters", "file servers with names of people")
def path_non_ascii(shop: Shop) -> None:
    filename = shop.wheel().filename
    item = shop.wheel(path=f"/files/caf%C3%A9/{filename}")
    shop.html(a(item, href=f"/files/caf\u00e9/{filename}"))


@habit("a file name of 200 characters", "local versions made of branch names", pip=Installed("2.0+" + "x" * 120, "good"))
def name_long(shop: Shop) -> None:
    shop.html(a(shop.wheel("2.0+" + "x" * 120)))
