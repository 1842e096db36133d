"""Whole pages in the manner of products: all that one of them does at once, with its layout of paths and its headers."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tests.fakes import pages
from tests.fakes.server import Answer
from tests.fakes.wheels import metadata_text
from tests.world.habits import GOOD, HASH, OLD, Place, habit
from tests.world.outcomes import Installed
from tests.world.shop import a, entry
from tests.world.site import fixed, redirect

if TYPE_CHECKING:
    from tests.fakes.server import Request
    from tests.world.shop import Shop

CPU = Installed("2.0+cpu", "good")


@habit(
    "devpi 6: +simple, hashes in the path, JSON without sizes",
    "devpi-server",
    places=(Place(path="/root/dev/+simple"),),
)
def product_devpi_json(shop: Shop) -> None:
    wheel = shop.wheel(path="/root/dev/+f/0a1/b2c3d4e5f6071/" + f"{shop.package}-2.0-py3-none-any.whl")
    old = shop.wheel("1.0")
    shop.json(
        *(entry(one, size=..., upload_time=..., url=f"{shop.site.url}{one.path}", yanked=...) for one in (old, wheel)),
        page={"meta": {"api-version": "1.0"}},
        headers={"X-DEVPI-API-VERSION": "2", "X-DEVPI-SERIAL": "7"},
    )


@habit(
    "devpi: an inherited index whose page links to the base index's files",
    "devpi-server's bases",
    places=(Place(path="/me/dev/+simple"),),
)
def product_devpi_bases(shop: Shop) -> None:
    wheel = shop.wheel(path="/root/pypi/+f/0a1/b2c3d4e5f6071/" + f"{shop.package}-2.0-py3-none-any.whl")
    shop.html(a(wheel, href=f"../../../../root/pypi/+f/0a1/b2c3d4e5f6071/{wheel.filename}"))


@habit(
    "Nexus: links with ../../packages, md5 of hosted files, no ranges and no HEAD for what is not cached",
    "Nexus Repository 3",
    places=(Place(path="/repository/pypi-group/simple"),),
    quick=True,
)
def product_nexus(shop: Shop) -> None:
    anchors = []
    for version in ("1.0", "2.0"):
        filename = f"{shop.package}-{version}-py3-none-any.whl"
        path = f"/repository/pypi-group/packages/{shop.project}/{version}/{filename}"
        wheel = shop.wheel(version, path=path, served={"ranges": "no", "etag": None})
        shop.wrap(path, lambda request, answer: Answer(404, b"") if request.method == "HEAD" else answer)
        href = f"../../packages/{shop.project}/{version}/{filename}"
        anchors.append(a(wheel, "md5=" + wheel.digest("md5"), href=href, rel="internal", data_requires_python=""))
    shop.html(*anchors, head='<meta name="api-version" value="2"/>', headers={"Cache-Control": "no-cache, no-store"})


@habit(
    "Artifactory: Accept-Ranges and whole files, a sha1 without quotes as ETag, JSON asked for and HTML given",
    "Artifactory 7 (astral-sh/uv#1370, pypa/pip#8723)",
    places=(Place(path="/artifactory/api/pypi/virtual/simple"),),
    pip=GOOD,
    quick=True,
)
def product_artifactory(shop: Shop) -> None:
    anchors = []
    for version in ("1.0", "2.0"):
        filename = f"{shop.package}-{version}-py3-none-any.whl"
        path = f"/artifactory/api/pypi/virtual/packages/packages/ab/cd/{filename}"
        wheel = shop.wheel(version, path=path, big_bytes=300_000)
        headers = {
            "Accept-Ranges": "bytes",
            "ETag": wheel.digest("sha1"),
            "X-Checksum-Sha256": wheel.digest(),
            "X-Artifactory-Filename": filename,
            "Content-Disposition": f'attachment; filename="{filename}"',
        }
        shop.put(path, wheel.content, ranges="no", etag=None, headers=headers)
        anchors.append(a(wheel, href=f"../../packages/packages/ab/cd/{filename}", rel="internal", data_requires_python=">=3.8"))
    shop.html(*anchors, content_type="text/html")


@habit(
    "GitLab: group index, files by hash, redirects to object storage",
    "GitLab's package registry",
    hosts=2,
    places=(Place(path="/api/v4/groups/12/-/packages/pypi/simple"),),
)
def product_gitlab(shop: Shop) -> None:
    anchors = []
    for version in ("1.0", "2.0"):
        filename = f"{shop.package}-{version}-py3-none-any.whl"
        wheel = shop.wheel(version, site=shop.sites[1], path=f"/bucket/{version}", big_bytes=300_000)
        api = f"/api/v4/projects/7/packages/pypi/files/{wheel.digest()}/{filename}"
        shop.route(
            api, redirect(f"{shop.sites[1].url}/bucket/{version}?X-Amz-Signature=12&response-content-disposition=attachment%3B")
        )
        anchors.append(f'<a href="{shop.site.url}{api}#{wheel.fragment}" data-requires-python="&gt;=3.8">{filename}</a>')
    shop.html(*anchors, content_type="text/html")


@habit("GitLab: names it does not have are redirected to PyPI", "GitLab's package forwarding (on by default)", hosts=2)
def product_gitlab_forwarding(shop: Shop) -> None:
    wheel = shop.wheel(site=shop.sites[1])
    shop.html(a(shop.wheel("1.0", site=shop.sites[1])), a(wheel), site=shop.sites[1])
    shop.route(shop.page_path(), redirect(shop.sites[1].url + shop.page_path()))


@habit(
    "CodeArtifact: the page without its last slash, links relative to the project",
    "AWS CodeArtifact (astral-sh/uv#1388)",
    hosts=2,
)
def product_codeartifact(shop: Shop) -> None:
    anchors = []
    for version in ("1.0", "2.0"):
        filename = f"{shop.package}-{version}-py3-none-any.whl"
        path = f"/simple/{shop.project}/{version}/{filename}"
        wheel = shop.wheel(version, site=shop.sites[1], path=f"/assets/{version}")
        shop.route(path, redirect(f"{shop.sites[1].url}/assets/{version}?X-Amz-Signature=34"))
        anchors.append(f'<a href="{version}/{filename}#{wheel.fragment}" data-gpg-sig="false">{filename}</a>')
    shop.html(*anchors, headers={"Cache-Control": "no-store"})


@habit(
    "Artifact Registry: no-store, HEAD without ranges, ranges after the redirect",
    "Google Artifact Registry (astral-sh/uv#18998)",
    hosts=2,
)
def product_artifact_registry(shop: Shop) -> None:
    wheel = shop.wheel(site=shop.sites[1], big_bytes=300_000, path="/download/storage/v1/b/1")
    api = f"/project/repo/{shop.project}/{shop.package}-2.0-py3-none-any.whl"
    shop.route(
        api,
        lambda request: (
            Answer(200, b"", {"Content-Type": "application/octet-stream"})
            if request.method == "HEAD"
            else redirect(f"{shop.sites[1].url}/download/storage/v1/b/1?alt=media")(request)
        ),
    )
    anchor = f'<a href="{api}#{wheel.fragment}">{shop.package}-2.0-py3-none-any.whl</a>'
    shop.html(a(shop.wheel("1.0")), anchor, headers={"Cache-Control": "no-store, no-cache, max-age=0"})


@habit(
    "Azure Artifacts: HEAD is not allowed, files redirect to signed blobs, no times",
    "Azure DevOps (astral-sh/uv#1713, #10359)",
    hosts=2,
)
def product_azure(shop: Shop) -> None:
    wheel = shop.wheel(site=shop.sites[1], big_bytes=300_000, path="/b-0123/CONTENT.blob")
    api = f"/org/_packaging/feed/pypi/download/{shop.project}/2/{shop.package}-2.0-py3-none-any.whl"
    shop.route(
        api,
        lambda request: (
            Answer(405, b"", {"Allow": "GET"})
            if request.method == "HEAD"
            else Answer(303, b"", {"Location": f"{shop.sites[1].url}{wheel.path}?sv=2019&sig=a%2Bb%3D&sp=r"})
        ),
    )
    anchor = (
        f'<a href="{shop.site.url}{api}#{wheel.fragment}" data-requires-python="&gt;=3.8">{shop.package}-2.0-py3-none-any.whl</a>'
    )
    shop.html(a(shop.wheel("1.0")), anchor, headers={"Cache-Control": "no-cache", "Expires": "-1", "Pragma": "no-cache"})


@habit(
    "Gitea and Forgejo: HTML without doctype checks, sizes nowhere",
    "Gitea's package registry",
    places=(Place(path="/api/packages/me/pypi/simple"),),
)
def product_gitea(shop: Shop) -> None:
    anchors = []
    for version in ("1.0", "2.0"):
        path = f"/api/packages/me/pypi/files/{shop.project}/{version}/{shop.package}-{version}-py3-none-any.whl"
        anchors.append(a(shop.wheel(version, path=path), href=f"{shop.site.url}{path}", data_requires_python=">=3.8"))
    shop.html(*anchors)


@habit("Pulp: content below another base, metadata under both names", "pulp_python", places=(Place(path="/pypi/lab/simple"),))
def product_pulp(shop: Shop) -> None:
    wheel = shop.wheel(path=f"/pulp/content/lab/{shop.package}-2.0-py3-none-any.whl")
    metadata = metadata_text(shop.project, "2.0")
    shop.put(f"{wheel.path}.metadata", metadata)
    promise = "sha256=" + hashlib.sha256(metadata).hexdigest()
    shop.html(
        a(wheel, href=shop.site.url + wheel.path, rel="internal", data_dist_info_metadata=promise, data_core_metadata=promise)
    )


@habit(
    "Cloudsmith: links with a token in the path, redirects to a CDN",
    "Cloudsmith",
    hosts=2,
    places=(Place(path="/basic/org/repo/python/simple"),),
)
def product_cloudsmith(shop: Shop) -> None:
    wheel = shop.wheel(site=shop.sites[1], path="/cdn/abc.whl", big_bytes=300_000)
    api = f"/basic/org/repo/python/{shop.package}-2.0-py3-none-any.whl"
    shop.route(api, redirect(f"{shop.sites[1].url}/cdn/abc.whl?Expires=1&Signature=x~y-z_&Key-Pair-Id=K", 307))
    shop.html(f'<a href="{shop.site.url}{api}#{wheel.fragment}">{shop.package}-2.0-py3-none-any.whl</a>')


@habit(
    "PyTorch: + as %2B, no requires-python, dependencies mirrored, 403 for the rest",
    "PyTorch's index",
    places=(Place(path="/whl/cpu"),),
    pip=CPU,
)
def product_pytorch(shop: Shop) -> None:
    items = [
        shop.wheel(version, path=f"/whl/cpu/{shop.package}-{version.replace('+', '%2B')}-py3-none-any.whl")
        for version in ("1.0+cpu", "2.0+cpu")
    ]
    anchors = [f'<a href="{one.path}#{one.fragment}">{one.filename}</a>' for one in items]
    shop.html(*anchors, headers={"Cache-Control": "no-cache"})
    shop.site.fallback = fixed(403, b"<Error><Code>AccessDenied</Code></Error>", {"Content-Type": "application/xml"})


@habit("NVIDIA: sdist stubs beside wheels, links to the vendor's host, no hashes", "NVIDIA's index", hosts=2)
def product_nvidia(shop: Shop) -> None:
    wheel = shop.wheel(site=shop.sites[1], big_bytes=300_000)
    shop.html(a(wheel, "", href=shop.sites[1].url + wheel.path), a(shop.sdist("1.0"), ""))


@habit("piwheels: yanked, sdists absent, older ABI tags", "piwheels")
def product_piwheels(shop: Shop) -> None:
    arm = shop.wheel("3.0", tag="cp311-cp311-linux_armv7l")
    shop.html(
        a(shop.wheel(), data_requires_python=">=3.8"),
        a(arm, data_requires_python=">=3.8"),
        a(shop.wheel("2.5"), data_yanked="broken on the Pi"),
    )


@habit("pypiserver: one directory, percent-encoded names, no validators beyond Last-Modified", "pypiserver 2.4")
def product_pypiserver(shop: Shop) -> None:
    wheel = shop.wheel(path=f"/packages/{shop.package}-2.0-py3-none-any.whl", served={"etag": None})
    old = shop.wheel("1.0", path=f"/packages/{shop.package}-1.0-py3-none-any.whl", served={"etag": None})
    shop.html(*(a(one, href=f"/packages/{one.filename}") for one in (old, wheel)))


@habit("proxpi: JSON with the upstream's fields, files that redirect to the upstream when it is slow", "proxpi 1.3", hosts=2)
def product_proxpi(shop: Shop) -> None:
    wheel = shop.wheel(site=shop.sites[1], big_bytes=300_000)
    here = f"/index/{shop.project}/{wheel.filename}"
    shop.route(here, redirect(shop.sites[1].url + wheel.path))
    shop.json(entry(shop.wheel("1.0")), entry(wheel, url=here, **{"dist-info-metadata": False}))


@habit(
    "bandersnatch: relative links into packages/, both hashes, serial comment",
    "bandersnatch mirrors",
    places=(Place(path="/web/simple"),),
)
def product_bandersnatch(shop: Shop) -> None:
    wheel = shop.wheel(path=f"/web/packages/ab/cd/{shop.package}-2.0-py3-none-any.whl")
    shop.html(a(wheel, href=f"../../packages/ab/cd/{wheel.filename}", data_requires_python=">=3.8"), "<!--SERIAL 123-->")


@habit(
    "a mirror of PyPI whose JSON comes as application/octet-stream when it is asked for HTML, too",
    "mirrors of static files (devpi/devpi#1112)",
    places=(Place(path="/pypi/web/simple"),),
)
def product_static_mirror(shop: Shop) -> None:
    shop.html(a(shop.wheel("1.0")), a(shop.wheel()), content_type="text/html")


@habit("dumb-pypi: static HTML with upload dates in the text", "dumb-pypi")
def product_dumb_pypi(shop: Shop) -> None:
    wheel, old = shop.wheel(), shop.wheel("1.0")
    shop.html(*(f"{a(one)} (2024-05-06 07:08:09, me)" for one in (old, wheel)))


@habit("simpleindex: routes with a templated path, the files beside the page", "simpleindex")
def product_simpleindex(shop: Shop) -> None:
    wheel = shop.wheel(path=f"/simple/{shop.project}/{shop.package}-2.0-py3-none-any.whl")
    shop.html(a(wheel, "", href=f"./{wheel.filename}"))


@habit("nginx's autoindex: cut names, sizes and dates as text, no hashes", "nginx", quick=True)
def product_nginx_autoindex(shop: Shop) -> None:
    names = []
    for version in ("1.0", "2.0"):
        filename = f"{shop.package}-{version}-py3-none-any.whl"
        shop.wheel(version, path=f"{shop.page_path()}{filename}", served={"etag": '"65536d50-1a2b"'})
        shown = filename if len(filename) <= 50 else filename[:47] + "..&gt;"
        names.append(f'<a href="{filename}">{shown}</a>  14-Nov-2023 22:13   6699')
    listing = "\n".join(names)
    title = f"Index of {shop.page_path()}"
    head = f"<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>"
    page = f'{head}<hr><pre><a href="../">../</a>\n{listing}\n</pre><hr></body>\n</html>\n'
    shop.serve_page(page.encode(), "text/html")


@habit("Apache's listing: columns that sort, icons, parent directory", "Apache httpd's mod_autoindex")
def product_apache_listing(shop: Shop) -> None:
    filename = f"{shop.package}-2.0-py3-none-any.whl"
    shop.wheel(path=f"{shop.page_path()}{filename}")
    shop.html(
        '<a href="?C=N;O=D">Name</a> <a href="?C=M;O=A">Last modified</a>',
        '<img src="/icons/back.gif" alt="[PARENTDIR]"> <a href="/simple/">Parent Directory</a>',
        f'<img src="/icons/unknown.gif" alt="[   ]"> <a href="{filename}">{filename}</a> 2023-11-14 22:13 1.1K',
    )


@habit("python -m http.server: listing without trailing details, names percent-encoded", "http.server", pip=CPU)
def product_http_server(shop: Shop) -> None:
    filename = f"{shop.package}-2.0+cpu-py3-none-any.whl"
    shop.wheel("2.0+cpu", path=f"{shop.page_path()}{filename.replace('+', '%2B')}", served={"etag": None, "ranges": "no"})
    listing = f'<ul>\n<li><a href="{filename.replace("+", "%2B")}">{filename}</a></li>\n</ul>'
    page = f"<!DOCTYPE HTML><html><head><title>Directory listing for /</title></head><body>{listing}</body></html>"
    shop.serve_page(page.encode(), "text/html; charset=utf-8")


@habit("an S3 bucket as a web site: index.html by name, 403 for the rest, ETags of parts", "s3pypi, static buckets")
def product_s3_site(shop: Shop) -> None:
    etag = '"0123456789abcdef0123456789abcdef-3"'
    anchors = [
        a(shop.wheel(version, big_bytes=300_000, served={"etag": etag[:-2] + version[0] + '"'})) for version in ("1.0", "2.0")
    ]
    shop.html(*anchors, content_type="text/html", headers={"Server": "AmazonS3"})
    shop.site.fallback = fixed(403, b"<Error><Code>AccessDenied</Code></Error>", {"Content-Type": "application/xml"})


@habit(
    "a GCS bucket: files stored gzip-encoded and decoded on their way, whose length is not said",
    "Google Cloud Storage's transcoding",
    pip=GOOD,
)
def product_gcs_transcoded(shop: Shop) -> None:
    wheel = shop.wheel()

    def change(request: Request, answer: Answer) -> Answer:
        return Answer(
            200, wheel.content, {"X-Goog-Stored-Content-Encoding": "gzip", "Warning": '214 "transformed"'}, chunked=True
        )

    shop.wrap(wheel.path, change)
    shop.html(a(shop.wheel("1.0")), a(wheel))


@habit("GitHub Pages: gzip, a max-age of ten minutes, files of releases after two redirects", "static indexes on GitHub", hosts=2)
def product_github_pages(shop: Shop) -> None:
    wheel = shop.wheel(site=shop.sites[1], path="/github-production-release-asset/1", big_bytes=300_000)
    release = f"/me/lab/releases/download/v2.0/{shop.package}-2.0-py3-none-any.whl"
    shop.route(release, redirect(f"{shop.site.url}/hop"))
    shop.route("/hop", redirect(f"{shop.sites[1].url}{wheel.path}?sp=r&sv=2018&sig=%2B%2F%3D"))
    shop.html(
        f'<a href="{shop.site.url}{release}#{wheel.fragment}">{shop.package}-2.0-py3-none-any.whl</a>',
        headers={"Cache-Control": "max-age=600"},
    )


@habit(
    "an index in front of a scanner: 403 with a JSON body for what is blocked",
    "Artifactory's curation, Nexus' firewall",
    pip=OLD,
    requirement="product-scanner<2",
)
def product_scanner(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.route(
        wheel.path, fixed(403, b'{"errors": [{"status": 403, "message": "blocked"}]}', {"Content-Type": "application/json"})
    )
    shop.html(a(shop.wheel("1.0")), a(wheel))


@habit("a group that takes pages of one member and files of another", "Nexus groups (sonatype/nexus-public#376)", pip=HASH)
def product_group_mixes(shop: Shop) -> None:
    wheel = shop.wheel()
    shop.html(a(shop.wheel("1.0")), a(wheel))
    shop.put(wheel.path, shop.build(build="of the other member"))


@habit("JSON of PyPI today: every field of API 1.4", "PyPI")
def product_pypi(shop: Shop) -> None:
    fields = {"core-metadata": False, "data-dist-info-metadata": False, "provenance": None}
    page = {
        "meta": {"_last-serial": 1, "api-version": "1.4"},
        "versions": ["1.0", "2.0"],
        "project-status": {"status": "active"},
        "alternate-locations": [],
    }
    shop.json(*(entry(shop.wheel(version), **fields) for version in ("1.0", "2.0")), page=page, content_type=pages.JSON)
