"""What a person sees who opens the gateway in a browser, and what a Prometheus collects from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import quote

import httpx2
from lxml import html
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.index import FakeIndex
from tests.fakes.wheels import build_wheel, wheel_filename
from tests.gateway.serving import Serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunWheelfs
    from tests.fakes.clients import Clients

SCRIPT = "<script>alert(1)</script>"


def texts(page: httpx2.Response, xpath: str) -> list[str]:
    return cast("list[str]", html.fromstring(page.text).xpath(xpath))


def test_a_project_its_versions_its_files_and_its_set_up_line_are_found_by_clicking(tmp_path: Path, clients: Clients) -> None:
    with FakeIndex() as index, Serving(tmp_path / "gateway", "--index", f"main={index.url}") as gateway:
        for version in ("1.0", "2.0"):
            index.add_wheel("demo", version)
        with httpx2.Client(base_url=gateway.url, trust_env=False) as browser:
            assert "demo" not in browser.get("/").text
            browser.get(f"/simple/demo/{wheel_filename('demo', '2.0')}")
            home = browser.get("/")
            assert "main" in texts(home, "//td/text()")
            [link] = texts(home, "//a[text()='demo']/@href")
            project = browser.get(link)
            assert texts(project, "//td[1]/a/text()") == ["2.0", "1.0"]
            assert [text.strip() for text in texts(project, "//td[4]/text()")] == ["stored", "no"]
            for version, state in (("2.0", "stored"), ("1.0", "remote")):
                [link] = texts(project, f"//a[text()='{version}']/@href")
                page = browser.get(link)
                assert texts(page, "//td[1]/a/text()") == [wheel_filename("demo", version)]
                assert texts(page, "//td[4]/text()") == [state]
            lines = [str(code.xpath("string()")) for code in html.fromstring(project.text).iter("code")]
            [line] = [line for line in lines if line.startswith("uv ")]
        uv = clients.uv()
        uv.run(*line.split()[1:]).succeeded()
        assert uv.installed() == {"demo": "2.0"}


def test_a_search_finds_parts_of_names_and_shows_nothing_unescaped(tmp_path: Path) -> None:
    with FakeIndex() as index, Serving(tmp_path / "gateway", "--index", f"main={index.url}") as gateway:
        for project in ("demo-one", "demo-two", "other"):
            index.add(wheel_filename(project, "1.0"), build_wheel(project, "1.0"), project=project, yanked=SCRIPT)
        with httpx2.Client(base_url=gateway.url, trust_env=False) as browser:
            for project in ("demo-one", "demo-two", "other"):
                browser.get(f"/simple/{project}/")
            assert texts(browser.get("/", params={"q": "Demo"}), "//ul/li/a/text()") == ["demo-one", "demo-two"]
            for path in (
                f"/?q={quote(SCRIPT)}",
                "/project/other/",
                "/project/other/1.0/",
                "/project/<script>/",
                "/simple/other/",
            ):
                page = browser.get(path)
                assert "<script" not in page.text
                assert "default-src 'none'" in page.headers["content-security-policy"]
            assert browser.get("/project/Demo.One").headers["location"] == "/project/demo-one/"
            assert browser.get("/project/Demo.One/1.0").headers["location"] == "/project/demo-one/1.0/"
            for path in ("/project/no-index-knows/", "/project/demo-one/9.9/", "/project/<script>/", "/project/a/b/c/"):
                assert browser.get(path).status_code == 404
            asked = browser.post("/project/no-index-knows/?ask=indexes")
            assert asked.status_code == 404
            assert "asked just now, and have no such project" in asked.text
            assert "asked just now" not in browser.get("/project/no-index-knows/").text
            assert browser.get("/", params={f"x{n}": "y" for n in range(50)}).status_code == 200


def test_what_a_wheel_says_of_itself_is_shown_and_searched(tmp_path: Path) -> None:
    extra = "Summary: Counts sheep\nLicense-Expression: MIT\n"
    with FakeIndex() as index, Serving(tmp_path / "gateway", "--index", f"main={index.url}") as gateway:
        index.add_wheel("flock", "1.0", metadata_extra=extra, requires=["wool>=2", 'dye; extra == "colour"'])
        index.add_wheel("herd", "1.0", metadata_extra="Summary: Counts cows\n")
        with httpx2.Client(base_url=gateway.url, trust_env=False) as browser:
            for name in ("flock", "herd"):
                browser.get(f"/simple/{name}/{wheel_filename(name, '1.0')}")
            for path in ("/project/flock/", "/project/flock/1.0/"):
                page = browser.get(path)
                assert "Counts sheep" in texts(page, "//p/text()")
                assert texts(page, "//dt[text()='Licence']/following-sibling::dd/text()") == ["MIT"]
                assert texts(page, "//dt[text()='Needs']/following-sibling::dd/text()") == ["wool>=2"]
            assert texts(browser.get("/", params={"q": "SHEEP"}), "//ul/li/a/text()") == ["flock"]
            assert texts(browser.get("/", params={"q": "counts"}), "//ul/li/a/text()") == ["flock", "herd"]
            [size] = texts(browser.get("/", params={"q": "sheep"}), "//li/small[@class='stored']/text()")
            assert size.endswith("B")


def test_what_this_machine_can_use_comes_first_and_private_files_are_marked(tmp_path: Path, run_wheelfs: RunWheelfs) -> None:
    own = tmp_path / wheel_filename("own", "1.0")
    own.write_bytes(build_wheel("own", "1.0"))
    with FakeIndex() as index, Serving(tmp_path / "gateway", "--index", f"main={index.url}") as gateway:
        run_wheelfs("--store", str(gateway.store), "add", str(own)).succeeded()
        for tag in ("cp311-cp311-aaa_none", "py3-none-any"):
            index.add_wheel("demo", "1.0", tag=tag)
        with httpx2.Client(base_url=gateway.url, trust_env=False) as browser:
            browser.get("/simple/demo/")
            page = browser.get("/project/demo/1.0/")
            assert texts(page, "//td[1]/a/text()") == [
                wheel_filename("demo", "1.0"),
                wheel_filename("demo", "1.0", tag="cp311-cp311-aaa_none"),
            ]
            assert len(texts(page, "//small[text()='(for other machines than the gateway)']")) == 1
            assert texts(browser.get("/"), "//li[a='own']/small/text()")[-1] == "private"
            assert "private" in "".join(texts(browser.get("/project/own/"), "//td[4]//text()"))


def test_an_address_without_its_beginning_says_what_was_meant(tmp_path: Path) -> None:
    with Serving(tmp_path / "gateway", "--offline") as gateway, httpx2.Client(base_url=gateway.url, trust_env=False) as client:
        lost = client.get("/NumPy/", headers={"accept": "text/html,application/xhtml+xml"})
        assert lost.status_code == 404
        assert {"/project/numpy/", "/simple/numpy/", "/simple/"} <= set(texts(lost, "//main//a/@href"))
        assert client.get(f"/{quote(SCRIPT, safe='')}/", headers={"accept": "text/html"}).text.count("<script") == 0
        # An index URL without its /simple.
        installer = client.get("/numpy/", headers={"accept": "application/vnd.pypi.simple.v1+json, text/html; q=0.01"})
        assert installer.text.strip() == f"no such file; the index for installers is {gateway.url}/simple/"
        for path in ("/", "/project/unknown/", "/numpy/"):
            page = client.get(path, headers={"accept": "text/html"})
            assert set(texts(page, "//footer/a/@href")) == {"/healthz", "/metrics", "/#set-up", "/simple/"}
            assert "wheelfs 0." in texts(page, "//footer/text()")[0]
        assert texts(client.get("/"), "//h2[@id='set-up']/text()") == ["Set up"]


def test_pages_stay_small_with_thousands_of_projects_and_files(tmp_path: Path) -> None:
    with FakeIndex() as index, Serving(tmp_path / "gateway", "--index", f"main={index.url}") as gateway:
        versions = [f"{major}.{minor}" for major in range(10) for minor in range(10)]
        for tag in range(50):
            for version in versions:
                index.add(wheel_filename("large", version, tag=f"py3-none-any.p{tag}"), b"wheel", project="large")
        with httpx2.Client(base_url=gateway.url, trust_env=False) as browser:
            project = browser.post("/project/large/?ask=indexes", follow_redirects=True)
            assert set(texts(project, "//td[1]/a/text()")) == set(versions)
            assert set(texts(project, "//td[2]/text()")) == {"50"}
            assert len(project.content) < 50_000
            newest = browser.get("/project/large/9.9/")
            assert len(texts(newest, "//td[1]/a/text()")) == 50
            assert len(newest.content) < 50_000


def test_the_style_is_asked_for_once_and_again_when_it_changes(tmp_path: Path) -> None:
    with Serving(tmp_path / "gateway", "--offline") as gateway, httpx2.Client(base_url=gateway.url, trust_env=False) as browser:
        [address] = texts(browser.get("/"), "//link/@href")
        assert "?" in address
        assert "immutable" in browser.get(address).headers["cache-control"]


def test_metrics_count_replies_and_tell_of_the_indexes(tmp_path: Path) -> None:
    with FakeIndex() as index, Serving(tmp_path / "gateway", "--index", f"main={index.url}") as gateway:
        index.add_wheel("demo", "1.0")
        with httpx2.Client(base_url=gateway.url, trust_env=False) as client:
            client.get("/simple/demo/")
            client.get("/simple/absent/")
            families = {family.name: family for family in text_string_to_metric_families(client.get("/metrics").text)}
        replies = {
            sample.labels["status"]: sample.value for sample in families["wheelfs_http_replies"].samples if "total" in sample.name
        }
        assert replies == {"200": 1.0, "404": 1.0}
        assert families["wheelfs_http_requests_under_way"].samples[0].value == 1  # the scrape itself
        assert {family.type for family in families.values()} <= {"counter", "gauge"}
        [up] = families["wheelfs_origin_up"].samples
        assert (up.labels, up.value) == ({"index": "main"}, 1.0)
        assert families["wheelfs_origin_requests"].samples[0].value >= 2
