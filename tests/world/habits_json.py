"""JSON pages as servers write them: fields that lack, are null, of another type or unknown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.fakes import pages
from tests.world.habits import ABSENT, CRASH, ERROR, GOOD, HASH, OLD, habit
from tests.world.shop import BIG, a, entry

if TYPE_CHECKING:
    from tests.world.shop import Shop

LENIENT = "one field that is wrong does not cost the file"

IGNORED = "pip 26.3 does not look at upload times of file:// indexes, and does not say so"
UNFILTERED = {"index": IGNORED, "here": IGNORED, "flat": IGNORED}


@habit("an unknown minor version", "PEP 629: read it all the same")
def json_version_minor(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel()), page={"meta": {"api-version": "1.99", "new": [1]}})


@habit(
    "another major version",
    "PEP 629: clients must not go on",
    instead=ERROR,
    why="PEP 629 says to refuse; pip and uv do not look",
)
def json_version_major(shop: Shop) -> None:
    shop.json(entry(shop.wheel()), page={"meta": {"api-version": "2.0"}})


@habit("meta has no version", "hand-made JSON", also_right=ERROR, why="not a page by PEP 691, though readable")
def json_no_version(shop: Shop) -> None:
    shop.json(entry(shop.wheel()), page={"meta": {}})


@habit("no meta", "hand-made JSON", also_right=ERROR, why="not a page by PEP 691, though readable")
def json_no_meta(shop: Shop) -> None:
    shop.serve_page(json.dumps({"name": shop.project, "files": [entry(shop.wheel())]}).encode(), pages.JSON)


@habit("the version is a number", "YAML in between", also_right=ERROR, why="not a page by PEP 691, though readable")
def json_version_number(shop: Shop) -> None:
    shop.json(entry(shop.wheel()), page={"meta": {"api-version": 1.1}})


@habit("unknown fields everywhere", "PEP 691: ignore them", quick=True)
def json_extra_fields(shop: Shop) -> None:
    shop.json(
        entry(shop.wheel("1.0")),
        entry(shop.wheel(), **{"gpg-sig": False, "x-new": {"deep": [None]}, "provenance": None}),
        page={"versions": ["1.0", "2.0"], "x-note": "hello", "alternate-locations": []},
    )


@habit("only filename, url and hashes", "PEP 691: all else is optional", quick=True)
def json_minimal(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.json(entry(wheel, size=..., requires_python=..., yanked=..., upload_time=...), page={"meta": {"api-version": "1.0"}})


@habit("no hashes member", "hand-made JSON: PEP 691 requires it", uv=ERROR, also_right=GOOD, why=LENIENT)
def json_no_hashes(shop: Shop) -> None:
    shop.json(entry(shop.wheel(), hashes=...))


@habit("hashes is null", "a schema with optional fields", uv=ERROR, also_right=GOOD, why=LENIENT)
def json_hashes_null(shop: Shop) -> None:
    shop.json(entry(shop.wheel(), hashes=None))


@habit("no filename", "hand-made JSON: PEP 691 requires it", pip=GOOD, uv=ERROR, also_right=GOOD, why=LENIENT)
def json_no_filename(shop: Shop) -> None:
    shop.json(entry(shop.wheel(), filename=...))


@habit("every optional field is null", "servers that serialize None", uv=ERROR, also_right=GOOD, why=LENIENT)
def json_nulls(shop: Shop) -> None:
    fields = {"size": None, "requires-python": None, "upload-time": None, "core-metadata": None, "provenance": None}
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), **fields))


@habit("yanked is null", "servers that serialize None", uv=ERROR, also_right=GOOD, why=LENIENT)
def json_yanked_null(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), yanked=None))


@habit("yanked is a reason", "PEP 592 and 691", pip=OLD)
def json_yanked_reason(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), yanked="do not"))


@habit("yanked is true", "PEP 691", pip=OLD)
def json_yanked_true(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), yanked=True))


@habit(
    "yanked is an empty string",
    "servers with a text column",
    uv=OLD,
    also_right=GOOD,
    why="PEP 691: yanked is what is true in Python",
)
def json_yanked_empty(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), yanked=""))


@habit("the size is 0 and the sha256 is right", "Nexus, and proxies that have not fetched the file yet", quick=True)
def json_size_zero(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), size=0))


@habit("the size is too small and the sha256 is right", "an index that counted characters")
def json_size_small(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.json(entry(shop.wheel("1.0")), entry(wheel, size=len(wheel.content) - 1))


@habit("the size is too large and the sha256 is right", "sizes on disk, rounded up", quick=True)
def json_size_large(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), size=1 << 20))


@habit("the size is wrong and there is no hash", "the same, without hashes")
def json_size_wrong_no_hash(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0"), hashes={}), entry(shop.wheel(), size=17, hashes={}))


@habit("the size of a large file is wrong and there is no hash", "the same, with files that are read in parts")
def json_size_wrong_no_hash_large(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0"), hashes={}), entry(shop.wheel(big_bytes=BIG), size=BIG * 2, hashes={}))


@habit("the version is a word", "hand-made JSON", uv=GOOD)
def json_version_nonsense(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel()), page={"meta": {"api-version": "latest"}})


@habit("the size is negative", "-1 for unknown", uv=ERROR, also_right=GOOD, why=LENIENT)
def json_size_negative(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), size=-1))


@habit("the size is a text", "JSON out of XML", uv=ERROR, also_right=GOOD, why=LENIENT)
def json_size_text(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.json(entry(shop.wheel("1.0")), entry(wheel, size=str(len(wheel.content))))


@habit("the size is a float", "JavaScript servers", uv=ERROR, also_right=GOOD, why=LENIENT)
def json_size_float(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.json(entry(shop.wheel("1.0")), entry(wheel, size=float(len(wheel.content))))


@habit("requires-python is a number", "YAML in between", pip=CRASH, uv=ERROR, also_right=GOOD, why=LENIENT)
def json_requires_python_number(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), requires_python=3.8))


@habit("requires-python is empty", "servers with a text column")
def json_requires_python_empty(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), requires_python=""))


@habit("requires another Python", "PEP 691", pip=OLD)
def json_requires_python(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), requires_python=">=4"))


@habit("upload-time without a zone", "Python's datetime.isoformat()", uv=ERROR, also_right=GOOD, why=LENIENT)
def json_time_no_zone(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), upload_time="2024-05-06T07:08:09"))


@habit("upload-time with a space", "SQL's form", uv=GOOD)
def json_time_space(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), upload_time="2024-05-06 07:08:09+00:00"))


@habit("upload-time with nanoseconds", "servers in Go and Java", quick=True)
def json_time_nanoseconds(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), upload_time="2024-05-06T07:08:09.123456789Z"))


@habit("upload-time is a number", "Unix time", pip=CRASH, uv=ERROR, also_right=GOOD, why=LENIENT)
def json_time_number(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), upload_time=1715000000))


@habit("upload-time is empty", "servers with a text column", uv=ERROR, also_right=GOOD, why=LENIENT, pip=GOOD)
def json_time_empty(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), upload_time=""))


@habit(
    "no upload times and --exclude-newer",
    "Azure Artifacts, Nexus (astral-sh/uv#10394)",
    pip=GOOD,
    uv=ABSENT,
    uv_options=("--exclude-newer", "2030-01-01"),
    without={"flat": "a directory is not filtered"},
)
def json_exclude_newer_without_times(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0"), upload_time=...), entry(shop.wheel(), upload_time=...))


@habit(
    "upload times and --exclude-newer",
    "PEP 700",
    pip=GOOD,
    uv=OLD,
    uv_options=("--exclude-newer", "2025-01-01"),
    without={"flat": "a directory is not filtered"},
)
def json_exclude_newer(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), upload_time="2026-01-01T00:00:00Z"))


@habit(
    "upload times and --uploaded-prior-to",
    "PEP 700; pip ignores the option for file:// indexes without a word",
    pip=OLD,
    uv=GOOD,
    pip_options=("--uploaded-prior-to", "2025-01-01T00:00:00Z"),
    without=UNFILTERED,
)
def json_uploaded_prior_to(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel(), upload_time="2026-01-01T00:00:00Z"))


@habit(
    "no upload times and --uploaded-prior-to",
    "Pulp (pulp/pulp_python#1370); pip ignores the option for file:// indexes without a word",
    pip=ERROR,
    uv=GOOD,
    pip_options=("--uploaded-prior-to", "2025-01-01T00:00:00Z"),
    without=UNFILTERED,
)
def json_uploaded_prior_to_without_times(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0"), upload_time=...), entry(shop.wheel(), upload_time=...))


@habit("versions is missing though the version is 1.1", "PEP 700 makes it mandatory; few servers have it")
def json_no_versions(shop: Shop) -> None:
    shop.json(entry(shop.wheel("1.0")), entry(shop.wheel()))


@habit("versions has what is no version, and nulls", "PEP 700", uv=GOOD)
def json_versions_odd(shop: Shop) -> None:
    shop.json(entry(shop.wheel()), page={"versions": ["2.0", "latest", None, 3]})


@habit("the name is not normalized", "proxies of old servers", uv=GOOD)
def json_name_not_normalized(shop: Shop) -> None:
    shop.json(entry(shop.wheel()), page={"name": shop.project.upper()})


@habit("the name is missing", "hand-made JSON", uv=GOOD)
def json_no_name(shop: Shop) -> None:
    shop.serve_page(json.dumps({"meta": {"api-version": "1.0"}, "files": [entry(shop.wheel())]}).encode(), pages.JSON)


@habit(
    "one entry is null", "JSON with a comma too many, mended by a serializer", pip=CRASH, uv=ERROR, also_right=GOOD, why=LENIENT
)
def json_entry_null(shop: Shop) -> None:
    whole = {"meta": {"api-version": "1.1"}, "name": shop.project, "files": [None, entry(shop.wheel())]}
    shop.serve_page(json.dumps(whole).encode(), pages.JSON)


@habit("the address has a fragment, too", "JSON made of an HTML page")
def json_fragment(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.json(entry(shop.wheel("1.0")), entry(wheel, url=f"{wheel.path}#{wheel.fragment}"))


@habit(
    "the address has a fragment with a wrong hash and hashes is empty",
    "JSON made of an HTML page",
    pip=HASH,
    uv=GOOD,
    instead_uv=HASH,
    why="what the address says is compared, too",
)
def json_fragment_wrong(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.json(entry(shop.wheel("1.0")), entry(wheel, url=f"{wheel.path}#sha256={'0' * 64}", hashes={}))


@habit("the content type has a charset", "servers whose framework adds it")
def json_charset(shop: Shop) -> None:
    shop.json(entry(shop.wheel()), content_type=f"{pages.JSON}; charset=utf-8")


@habit(
    "the content type is application/json",
    "Artifactory's virtual repositories, static sites",
    pip=ABSENT,
    uv=ERROR,
    also_right=GOOD,
    why="a page that can be read is read",
)
def json_plain_type(shop: Shop) -> None:
    shop.json(entry(shop.wheel()), content_type="application/json")


@habit(
    "the content type is application/octet-stream",
    "a mirror of PyPI (devpi/devpi#1112)",
    pip=ABSENT,
    uv=ERROR,
    also_right=GOOD,
    why="a page that can be read is read",
)
def json_octet_stream(shop: Shop) -> None:
    shop.json(entry(shop.wheel()), content_type="application/octet-stream")


@habit("JSON is asked for first and HTML comes", "every index older than 2022")
def json_asked_html_given(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel()))


@habit(
    "JSON that says it is HTML",
    "a cache that does not know Vary",
    pip=ABSENT,
    uv=ABSENT,
    also_right=(GOOD, ERROR),
    why="silence would send clients to their next index",
)
def json_said_to_be_html(shop: Shop) -> None:
    shop.json(entry(shop.wheel()), content_type="text/html")


@habit(
    "HTML that says it is JSON",
    "a cache that does not know Vary",
    pip=CRASH,
    uv=ERROR,
    also_right=GOOD,
    why="a page that can be read is read",
)
def html_said_to_be_json(shop: Shop) -> None:
    shop.html(a(shop.wheel()), content_type=pages.JSON)


@habit(
    "a byte order mark before the JSON",
    "editors on Windows",
    also_right=GOOD,
    why="a page that can be read is read",
    pip=GOOD,
    uv=ERROR,
)
def json_bom(shop: Shop) -> None:
    whole = {"meta": {"api-version": "1.1"}, "name": shop.project, "files": [entry(shop.wheel())]}
    shop.serve_page(b"\xef\xbb\xbf" + json.dumps(whole).encode(), pages.JSON)


@habit("the JSON is cut in the middle", "a proxy that ends early", pip=CRASH, uv=ERROR)
def json_cut(shop: Shop) -> None:
    whole = {"meta": {"api-version": "1.1"}, "name": shop.project, "files": [entry(shop.wheel())]}
    shop.serve_page(json.dumps(whole).encode()[:-20], pages.JSON)


@habit("a key twice", "servers that join texts: the last one counts", uv=ERROR, also_right=(GOOD, ERROR), why=LENIENT)
def json_key_twice(shop: Shop) -> None:
    whole = json.dumps({"meta": {"api-version": "1.1"}, "name": shop.project, "files": [entry(shop.wheel())]})
    shop.serve_page(('{"files": [], ' + whole[1:]).encode(), pages.JSON)


@habit("the file is a project status away: quarantined", "PEP 792", pip=ABSENT)
def json_status_quarantined(shop: Shop) -> None:
    shop.json(page={"project-status": {"status": "quarantined", "reason": "malware"}, "meta": {"api-version": "1.4"}})


@habit("no files at all", "all files deleted", pip=ABSENT)
def json_empty(shop: Shop) -> None:
    shop.json()


@habit("a name with escapes in its JSON", "non-ASCII safe serializers")
def json_escapes(shop: Shop) -> None:
    whole = json.dumps({"meta": {"api-version": "1.1"}, "name": shop.project, "files": [entry(shop.wheel())]})
    shop.serve_page(whole.replace("_", "\\u005f").replace("/", "\\/").encode(), pages.JSON)
