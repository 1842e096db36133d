"""HTML pages as servers and people write them: what browsers and pip's parser make of them is what counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.world.habits import ABSENT, CRASH, ERROR, GOOD, HASH, OLD, Place, habit
from tests.world.shop import a

if TYPE_CHECKING:
    from tests.world.shop import Shop

READABLE = "a page that can be read is read"
RELATIVE_BASE = "pip and uv only know absolute ones; HTML knows both"


@habit("tags and attributes in capitals", "dumb generators; IIS directory listings")
def html_capitals(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(f'<A HREF="{wheel.path}#{wheel.fragment}" CLASS="x">{wheel.filename}</A>')


@habit("attributes without quotes", "minified pages of static site generators")
def html_unquoted(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(f"<a href={wheel.path}#{wheel.fragment} data-requires-python=&gt;=3.8>{wheel.filename}</a>")


@habit("attributes in single quotes", "dumb-pypi's and hand-made templates")
def html_single_quotes(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(f"<a href='{wheel.path}#{wheel.fragment}' data-requires-python='>=3.8'>{wheel.filename}</a>")


@habit("no doctype, html, head or body", "shell scripts that write anchors", quick=True)
def html_bare_anchors(shop: Shop) -> None:
    shop.serve_page("\n".join([a(shop.wheel("1.0")), a(shop.wheel())]).encode(), "text/html")


@habit("no end tags", "HTML of 1995")
def html_no_end_tags(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")).removesuffix("</a>"), a(shop.wheel()).removesuffix("</a>"))


@habit("the address with character references", "template engines escape / and =", quick=True)
def html_entities(shop: Shop) -> None:
    wheel = shop.wheel()
    href = f"{wheel.path}#{wheel.fragment}".replace("/", "&#x2F;").replace("=", "&#61;").replace("-", "&#45;")
    shop.html(f'<a href="{href}">{wheel.filename}</a>')


@habit("anchors inside comments do not count", "pages with withdrawn files")
def html_commented_out(shop: Shop) -> None:
    shop.html(a(shop.wheel()), f"<!-- {a(shop.wheel('3.0', 'bad'), '')} -->")


@habit("an anchor inside a script's text does not count", "devpi's pages with plugins (astral-sh/uv#8172)")
def html_script(shop: Shop) -> None:
    shop.html(a(shop.wheel()), head=f"<script>var x = '{a(shop.wheel('3.0', 'bad'), '')}';</script>")


@habit("an anchor without href", "pages with anchors as targets (astral-sh/uv#8172)", uv=GOOD)
def html_no_href(shop: Shop) -> None:
    shop.html('<a name="top">top</a>', a(shop.wheel()), '<a href="#top">up</a>')


@habit("links to documentation and to other fragments among the files", "custom servers that Nexus proxies (astral-sh/uv#7257)")
def html_fluff(shop: Shop) -> None:
    shop.html(
        '<a href="/about#main">About</a>',
        '<a href="mailto:admin@index.example">Mail</a>',
        '<a href="javascript:void(0)">Menu</a>',
        a(shop.wheel("1.0")),
        a(shop.wheel()),
    )


@habit(
    "links that are version control addresses",
    "github-hosted-pypi (astral-sh/uv#11339)",
    pip=ERROR,
    uv=ERROR,
    instead=GOOD,
    why="what is no file is left out, as everything else is",
)
def html_vcs_link(shop: Shop) -> None:
    shop.html(
        f'<a href="git+https://git.index.example/{shop.project}@3.0#egg={shop.project}-3.0">{shop.project}-3.0</a>',
        a(shop.wheel()),
    )


@habit("a project page with everything around the list", "devpi without +simple, Gitea's own pages (astral-sh/uv#11135)", uv=GOOD)
def html_whole_site(shop: Shop) -> None:
    shop.html(
        '<form method="get" action="/+search"><input name="q"></form><h1><a href="/">devpi</a></h1>',
        '<a href="../">parent</a>',
        a(shop.wheel("1.0")),
        a(shop.wheel()),
        '<table><tr><td><a href="/+status">status</a></td></tr></table>',
    )


@habit("<base href> with a path elsewhere", "PEP 503 pages of mirrors", quick=True)
def html_base(shop: Shop) -> None:
    wheel, old = shop.wheel(), shop.wheel("1.0")
    shop.html(a(old, href=old.filename), a(wheel, href=wheel.filename), head=f'<base href="{shop.site.url}/files/">')


@habit("<base href> that is relative", "pages made for any host", pip=ERROR, uv=ERROR, also_right=GOOD, why=RELATIVE_BASE)
def html_base_relative(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(wheel, href=wheel.filename), head='<base href="/files/">')


@habit(
    "<base href> after the links",
    "broken templates: the first base counts for all of the page",
    pip=GOOD,
    uv=ERROR,
    also_right=GOOD,
    why="HTML lets it count for all of the page; uv does not",
)
def html_base_late(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(wheel, href=wheel.filename), f'<base href="{shop.site.url}/files/">')


@habit("two <base href>", "pages put together of two templates")
def html_two_bases(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(wheel, href=wheel.filename), head=f'<base href="{shop.site.url}/files/"><base href="{shop.site.url}/nowhere/">')


@habit("<base> without href", "frames: <base target>")
def html_base_target(shop: Shop) -> None:
    shop.html(a(shop.wheel()), head='<base target="_blank">')


@habit("relative addresses with ../", "bandersnatch")
def html_relative(shop: Shop) -> None:
    wheel, old = shop.wheel(), shop.wheel("1.0")
    shop.html(a(old, href=f"../..{old.path}"), a(wheel, href=f"../..{wheel.path}"))


@habit("relative addresses with more ../ than there are directories", "a mirror that moved up")
def html_relative_above_root(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(wheel, href=f"../../../../..{wheel.path}"))


@habit("addresses without a scheme", "pages served by http and https")
def html_scheme_relative(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(wheel, href=f"{shop.site.url.removeprefix('http:')}{wheel.path}"))


@habit("absolute addresses, host in capitals", "Windows file servers")
def html_host_capitals(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(wheel, href=f"HTTP://{shop.site.url.removeprefix('http://')}{wheel.path}"))


@habit(
    "spaces and newlines around the address",
    "indented templates",
    pip=HASH,
    uv=ERROR,
    also_right=GOOD,
    why="HTML strips these spaces",
)
def html_space_around(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(f'<a href="\n    {wheel.path}#{wheel.fragment}\n  ">\n  {wheel.filename}\n </a>')


@habit("the text is a title and not the file's name", "hand-made pages, GitLab's themes")
def html_text_title(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0"), text="old"), a(shop.wheel(), text="Download version 2.0 now!"))


@habit("the text is empty", "icons instead of words")
def html_text_empty(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0"), text=""), a(shop.wheel(), text=""))


@habit("the text is shortened", "nginx's autoindex cuts names at 50 characters", quick=True)
def html_text_cut(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0"), text="html_text_cut-1.0-py3-n..&gt;"), a(shop.wheel(), text="html_text_cut-2.0-py3-n..&gt;"))


@habit("the text is another file's name", "pages edited by hand: the address decides", uv=GOOD)
def html_text_other_file(shop: Shop) -> None:
    shop.html(a(shop.wheel(), text=f"{shop.package}-3.0-py3-none-any.whl"))


@habit("the text has the version percent-encoded", "PyTorch's and JAX's pages: +cpu as %2Bcpu")
def html_text_percent(shop: Shop) -> None:
    shop.html(a(shop.wheel(), text=f"{shop.package}-2%2E0-py3-none-any.whl"))


@habit("the text has markup in it", "pages with <code> around names")
def html_text_markup(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(f'<a href="{wheel.path}#{wheel.fragment}"><code>{shop.package}</code>-2.0-<b>py3</b>-none-any.whl</a>')


@habit("a byte order mark before the doctype", "editors on Windows")
def html_bom(shop: Shop) -> None:
    shop.serve_page(b"\xef\xbb\xbf<!DOCTYPE html><html><body>" + a(shop.wheel()).encode() + b"</body></html>", "text/html")


@habit("the page is in Latin-1 and says so in the header", "Apache's AddDefaultCharset")
def html_latin1(shop: Shop) -> None:
    body = f"<html><body><p>Ger\u00e4te</p>{a(shop.wheel('1.0'))}{a(shop.wheel())}</body></html>"
    shop.serve_page(body.encode("latin-1"), "text/html; charset=ISO-8859-1")


@habit("the page is in UTF-16 and says so", "PowerShell's Out-File", uv=ABSENT, also_right=GOOD, why="uv does not read it")
def html_utf16(shop: Shop) -> None:
    shop.serve_page(f"<html><body>{a(shop.wheel())}</body></html>".encode("utf-16"), "text/html; charset=utf-16")


@habit(
    "bytes that are no UTF-8 in a text", "old descriptions", pip=CRASH, uv=GOOD, also_right=GOOD, why="pip ends with a traceback"
)
def html_bad_utf8(shop: Shop) -> None:
    shop.serve_page(b"<html><body><p>\xff\xfe\xe4</p>" + a(shop.wheel()).encode() + b"</body></html>", "text/html")


@habit(
    "a charset that does not exist",
    "typing errors in server configurations",
    pip=CRASH,
    uv=GOOD,
    also_right=GOOD,
    why="pip ends with a traceback",
)
def html_unknown_charset(shop: Shop) -> None:
    shop.html(a(shop.wheel()), content_type="text/html; charset=utf8mb4")


@habit(
    "the content type has capitals, spaces and parameters",
    "RFC 9110: case does not matter",
    uv=ERROR,
    also_right=GOOD,
    why="uv does not know it",
)
def html_content_type_odd(shop: Shop) -> None:
    shop.html(a(shop.wheel()), content_type='Text/HTML ; Charset="UTF-8"; level=1')


@habit("the content type is application/xhtml+xml", "XSLT-made listings", pip=ABSENT, uv=ERROR, also_right=GOOD, why=READABLE)
def html_xhtml(shop: Shop) -> None:
    shop.html(a(shop.wheel()), content_type="application/xhtml+xml")


@habit("the content type is the versioned HTML one", "PEP 691")
def html_versioned_type(shop: Shop) -> None:
    shop.html(a(shop.wheel()), content_type="application/vnd.pypi.simple.v1+html")


@habit("no content type is given", "netcat-like servers", pip=ABSENT, uv=ERROR, also_right=GOOD, why=READABLE)
def html_no_content_type(shop: Shop) -> None:
    shop.html(a(shop.wheel()))
    shop.wrap_page(lambda _, answer: answer.headers.pop("Content-Type") and answer)


@habit("the content type is text/plain", "raw files of code hosting", pip=ABSENT, uv=ERROR, also_right=GOOD, why=READABLE)
def html_text_plain(shop: Shop) -> None:
    shop.html(a(shop.wheel()), content_type="text/plain")


@habit("status 203", "proxies that rewrite pages (RFC 9110, 15.3.4)", uv=GOOD, quick=True)
def html_status_203(shop: Shop) -> None:
    shop.html(a(shop.wheel()), status=203)


@habit("a yanked file with a reason", "PEP 592", pip=OLD, quick=True)
def html_yanked(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(), data_yanked="broken & <dangerous>"))


@habit("a yanked file without a reason", "PEP 592", pip=OLD)
def html_yanked_empty(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(), data_yanked=""))


@habit(
    "the yanked attribute without a value",
    "HTML's short form",
    pip=GOOD,
    uv=OLD,
    instead_pip=OLD,
    why="PEP 592: it may have no value; pip overlooks it",
)
def html_yanked_bare(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(shop.wheel("1.0")), f'<a href="{wheel.path}#{wheel.fragment}" data-yanked>{wheel.filename}</a>')


@habit("data-yanked is the word false", "templates that print booleans: any value means yanked", pip=OLD, uv=OLD)
def html_yanked_false(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(), data_yanked="false"))


@habit("everything is yanked and the version is pinned", "PEP 592", requirement="html-yanked-pinned==2.0")
def html_yanked_pinned(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0"), data_yanked=""), a(shop.wheel(), data_yanked="why"))


@habit("requires another Python", "PEP 503", pip=OLD, quick=True)
def html_requires_python(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(), data_requires_python=">=4"))


@habit("requires-python escaped twice", "Artifactory and Nexus proxies that escape an escaped page", uv=OLD)
def html_requires_python_twice(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(), data_requires_python="&gt;=4"))


@habit("requires-python with a comma at its end", "openpyxl (astral-sh/uv#1361)")
def html_requires_python_comma(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(), data_requires_python=">=3.6,"))


@habit("requires-python with a star that PEP 440 does not know", "pyzmq: !=3.0* (astral-sh/uv#408)")
def html_requires_python_star(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(), data_requires_python=">=2.7,!=3.0*,!=3.1*"))


@habit("requires-python that cannot be parsed", "old uploads (astral-sh/uv#775)", uv=OLD)
def html_requires_python_nonsense(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(), data_requires_python="three"))


@habit("requires-python is empty", "templates that print a missing value")
def html_requires_python_empty(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(), data_requires_python=""))


@habit("requires-python of more than a thousand characters", "generated constraints")
def html_requires_python_long(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel(), data_requires_python=">=3.8" + "".join(f",!=3.5.{n}" for n in range(150))))


@habit("the same link twice", "pages of two members of a group")
def html_twice(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(wheel), a(wheel), a(shop.wheel("1.0")))


@habit("repository version 1.9", "PEP 629: a minor version that is newer is read")
def html_version_minor(shop: Shop) -> None:
    shop.html(a(shop.wheel()), head='<meta name="pypi:repository-version" content="1.9">')


@habit(
    "repository version 2.0",
    "PEP 629: clients must not go on",
    instead=ERROR,
    why="PEP 629 says to refuse; pip and uv do not look",
)
def html_version_major(shop: Shop) -> None:
    shop.html(a(shop.wheel()), head='<meta name="pypi:repository-version" content="2.0">')


@habit("an invalid repository version", "hand-made pages", uv=GOOD)
def html_version_nonsense(shop: Shop) -> None:
    shop.html(a(shop.wheel()), head='<meta name="pypi:repository-version" content="latest">')


@habit("a repository version of one number", "hand-made pages", uv=GOOD)
def html_version_short(shop: Shop) -> None:
    shop.html(a(shop.wheel()), head='<meta name="pypi:repository-version" content="1">')


@habit("the newest file is the last of 4,000", "large projects")
def html_many(shop: Shop) -> None:
    others = [
        f'<a href="/files/{shop.package}-0.{n}-py3-none-any.whl">{shop.package}-0.{n}-py3-none-any.whl</a>' for n in range(4000)
    ]
    shop.html(*others, a(shop.wheel()))


@habit("an unclosed comment after the links", "pages cut by a proxy", uv=GOOD)
def html_unclosed_comment(shop: Shop) -> None:
    shop.html(a(shop.wheel()), "<!-- generated")


@habit("NUL bytes in the page", "sparse files after a crash", uv=GOOD)
def html_nul(shop: Shop) -> None:
    shop.html(a(shop.wheel()), "<p>\x00\x00</p>")


@habit("an index whose address ends in a file", "static sites: simple/index.html", places=(Place(path="/simple/"),))
def html_trailing_slash(shop: Shop) -> None:
    shop.html(a(shop.wheel()))
