"""What rendered pages must and must not hold."""

from __future__ import annotations

import json

from wheelfs.core.simple import json_render
from wheelfs.core.simple.api import parse_page
from wheelfs.core.simple.html_render import RenderedFile, render_links_page, render_project_list, render_project_page
from wheelfs.model.links import FileLink
from wheelfs.model.names import ProjectName

WHEEL = FileLink(
    "demo-1.0+cu12-py3-none-any.whl",
    "https://index.example/x",
    sha256=bytes(32),
    size_bytes=7,
    requires_python=">=3.8,<4",
    yanked='"><script>',
    upload_time_us=1_714_979_289_000_000,
    metadata_sha256=b"\xcd" * 32,
)


def test_everything_that_is_known_of_a_file_is_on_the_page_escaped() -> None:
    page = render_project_page("demo", [RenderedFile.of(WHEEL, metadata=True)]).decode()
    assert f'<a href="demo-1.0%2Bcu12-py3-none-any.whl#sha256={"00" * 32}"' in page
    assert ' data-requires-python="&gt;=3.8,&lt;4"' in page
    assert ' data-yanked="&quot;&gt;&lt;script&gt;"' in page
    assert f' data-core-metadata="sha256={"cd" * 32}" data-dist-info-metadata="sha256={"cd" * 32}"' in page
    assert ' data-upload-time="2024-05-06T07:08:09Z" data-size="7"' in page
    assert ">demo-1.0+cu12-py3-none-any.whl</a>" in page
    assert "index.example" not in page


def test_metadata_is_not_advertised_where_it_is_not_served() -> None:
    assert b"metadata" not in render_project_page("demo", [RenderedFile.of(WHEEL, metadata=False)])


def test_where_else_a_project_says_it_is_is_passed_through() -> None:
    page = render_project_page("demo", [], tracks=["https://a.example/?x&y"], alternate_locations=["https://b.example/"]).decode()
    head = page[: page.index("</head>")]
    assert '<meta name="pypi:tracks" content="https://a.example/?x&amp;y">' in head
    assert '<meta name="pypi:alternate-locations" content="https://b.example/">' in head
    again = parse_page(page.encode(), "text/html", "https://index.example/simple/demo/", ProjectName("demo"))
    assert (again.tracks, again.alternate_locations) == (("https://a.example/?x&y",), ("https://b.example/",))
    body = json_render.render_project_page("demo", [], tracks=again.tracks, alternate_locations=again.alternate_locations)
    in_json = parse_page(body, "application/json", "https://index.example/simple/demo/", ProjectName("demo"))
    assert (in_json.tracks, in_json.alternate_locations) == (again.tracks, again.alternate_locations)


def test_status_and_version_are_in_the_head() -> None:
    page = render_project_page("demo", [], status="archived", status_reason="a<b").decode()
    head = page[: page.index("</head>")]
    assert '<meta name="pypi:repository-version" content="1.4">' in head
    assert '<meta name="pypi:project-status" content="archived">' in head
    assert '<meta name="pypi:project-status-reason" content="a&lt;b">' in head


def test_no_comment_can_be_ended_from_inside() -> None:
    page = render_project_page("demo", [], comments=["a --> <script>", "--!>", ">", "->", "x--", "<!-- y"]).decode()
    body = page[page.index("</h1>") + 5 : page.index("</body>")]
    assert body.count("-->") == body.count("<!--") == 6
    assert "<script" not in body


def test_what_is_said_to_people_is_in_json_under_a_key_that_clients_ignore() -> None:
    entry = RenderedFile.of(WHEEL, metadata=False, comment="not listed by its index")
    said = json_render.render_project_page("demo", [entry], comments=["offline: corp cannot be asked"])
    page = json.loads(said)
    assert page["_wheelfs"] == {"notes": ["offline: corp cannot be asked"]}
    assert page["files"][0]["_wheelfs"] == {"notes": ["not listed by its index"]}
    quiet = json_render.render_project_page("demo", [RenderedFile.of(WHEEL, metadata=False)])
    assert b"_wheelfs" not in quiet
    url = "https://index.example/simple/demo/"
    read = [parse_page(body, "application/json", url, ProjectName("demo")) for body in (said, quiet)]
    assert read[0] == read[1]


def test_the_root_page_links_every_project_relatively() -> None:
    page = render_project_list(["a", "b-c"])
    assert b'<a href="a/">a</a>' in page
    assert b'<a href="b-c/">b-c</a>' in page


def test_a_find_links_page_holds_files_of_many_projects() -> None:
    page = render_links_page([RenderedFile(WHEEL), RenderedFile(FileLink("other-2-py3-none-any.whl", ""))])
    assert page.count(b"<a href=") == 2


def test_the_version_of_an_old_sdist_may_have_a_dash() -> None:
    links = [FileLink(f"demo-{version}.tar.gz", "https://index.example/x") for version in ("1.0-2", "1.0-alpha1")]
    page = json_render.render_project_page("demo", [RenderedFile.of(link, metadata=False) for link in links])
    assert json.loads(page)["versions"] == ["1.0a1", "1.0.post2"]
