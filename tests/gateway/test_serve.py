"""The gateway with real installers and no mount."""

from __future__ import annotations

import hashlib
import json
import shlex
import socket
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2
import pytest
import trustme

from tests.fakes.index import FakeIndex
from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel
from tests.gateway.serving import Serving
from wheelfs.frontends.http.set_up import setup_lines

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import RunWheelfs
    from tests.fakes.clients import Clients

EXPECTED = {"app": "1.0", "library": "1.1", "numbers": "2.0"}
KINDS = [{}, {"page_format": "html", "sizes": False, "core_metadata": False, "ranges": "ignore"}]


def fill(index: FakeIndex) -> None:
    index.add_wheel("app", "1.0", requires=["library>=1", "numbers"])
    for version in ("1.0", "1.1"):
        index.add_wheel("library", version, requires=["numbers<3"])
    for version in ("1.0", "2.0", "3.0"):
        index.add_wheel("numbers", version, big_bytes=800_000)


@pytest.mark.parametrize("kind", KINDS, ids=repr)
def test_pip_and_uv_install_through_it_and_again_when_the_index_is_gone(
    tmp_path: Path, clients: Clients, kind: dict[str, object]
) -> None:
    with FakeIndex(**kind) as index:  # type: ignore[arg-type]
        fill(index)
        with Serving(tmp_path / "gateway", "--index", f"main={index.url}") as gateway:
            for run in range(2):
                if run:
                    index.close()
                for tool, line in (
                    (clients.uv(), ["pip", "install", "--default-index", f"{gateway.url}/simple/", "app"]),
                    (clients.pip(), ["install", "--index-url", f"{gateway.url}/simple/", "app"]),
                ):
                    tool.run(*line).succeeded()
                    assert tool.installed() == EXPECTED


def test_pip_takes_its_line_of_a_gateway_on_another_machine(tmp_path: Path, clients: Clients) -> None:
    with FakeIndex() as index, Serving(tmp_path / "gateway", "--index", f"main={index.url}") as gateway:
        fill(index)
        # An address that leads here, and of which pip does not know that.
        line = setup_lines(f"http://0.0.0.0:{urlsplit(gateway.url).port}", "app")["pip"]
        pip = clients.pip()
        pip.run(*shlex.split(line)[1:]).succeeded()
        assert pip.installed() == EXPECTED


def test_pip_takes_no_file_out_of_its_cache_that_the_index_has_replaced(tmp_path: Path, clients: Clients) -> None:
    with FakeIndex() as index:
        name, before = index.add_wheel("demo", "1.0")
        gateway = Serving(tmp_path / "gateway", "--index", f"main={index.url}", environment={"WHEELFS_PAGE_TTL_S": "0"})
        with gateway:
            pip = clients.pip()

            def downloaded(to: str) -> bytes:
                # It caches what comes by plain HTTP only of hosts that it trusts.
                line = ["download", "--trusted-host", "127.0.0.1", "--index-url", f"{gateway.url}/simple/", "--dest", to, "demo"]
                pip.run(*line).succeeded()
                return (pip.directory / to / name).read_bytes()

            assert downloaded("one") == downloaded("again") == before
            after = build_wheel("demo", "1.0", requires_python=">=3.8", big_bytes=5_000)
            index.add(name, after, project="demo")
            digest, page = hashlib.sha256(after).hexdigest(), f"{gateway.url}/simple/demo/"
            eventually(lambda: digest in httpx2.get(page, trust_env=False).text)
            assert downloaded("two") == after


def test_the_lock_of_a_project_names_the_gateway_and_its_hashes_and_sizes(tmp_path: Path, clients: Clients) -> None:
    with FakeIndex() as index, Serving(tmp_path / "gateway", "--index", f"main={index.url}") as gateway:
        fill(index)
        uv = clients.uv()
        (uv.directory / "pyproject.toml").write_text(
            '[project]\nname = "mine"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["app"]\n'
        )
        uv.run("lock", "--default-index", f"{gateway.url}/simple/").succeeded()
        lock = (uv.directory / "uv.lock").read_text()
        assert f'registry = "{gateway.url}/simple"' in lock.replace("/simple/", "/simple")
        assert lock.count("sha256:") >= len(EXPECTED)
        assert "size = " in lock
        assert "upload-time = " in lock


def test_status_tells_of_the_gateway_and_a_signal_ends_it(tmp_path: Path, run_wheelfs: RunWheelfs) -> None:
    with FakeIndex() as index:
        gateway = Serving(tmp_path / "gateway", "--index", f"main={index.url}")
        with gateway:
            told = json.loads(run_wheelfs("--store", str(gateway.store), "--json", "status").succeeded().stdout)
            assert [one["url"] for one in told["gateways"]] == [gateway.url]
            assert f"gateway {gateway.url}" in run_wheelfs("--store", str(gateway.store), "status").succeeded().stdout
        told = json.loads(run_wheelfs("--store", str(gateway.store), "--json", "status").succeeded().stdout)
        assert told["gateways"] == []


def test_over_tls_with_a_token_that_is_in_no_log(tmp_path: Path, clients: Clients) -> None:
    authority = trustme.CA()
    made = authority.issue_cert("127.0.0.1")
    certificate, key, ca, token = (tmp_path / name for name in ("certificate", "key", "ca", "token"))
    made.cert_chain_pems[0].write_to_path(certificate)
    made.private_key_pem.write_to_path(key)
    authority.cert_pem.write_to_path(ca)
    token.write_text("s3cret-word\n")
    with FakeIndex() as index:
        fill(index)
        options = ["--tls-certificate", str(certificate), "--tls-key", str(key), "--token-file", str(token), "-vv"]
        with Serving(tmp_path / "gateway", "--index", f"main={index.url}", *options) as gateway:
            with_token = f"https://__token__:s3cret-word@{urlsplit(gateway.url).netloc}/simple/"
            uv = clients.uv()
            uv.run("pip", "install", "--default-index", with_token, "app", environment={"SSL_CERT_FILE": str(ca)}).succeeded()
            assert uv.installed() == EXPECTED
            pip = clients.pip()
            pip.run("install", "--cert", str(ca), "--index-url", with_token, "app").succeeded()
            assert pip.installed() == EXPECTED
            trusting = ssl.create_default_context(cafile=str(ca))
            trusting.set_alpn_protocols(["h2", "http/1.1"])
            host, port = urlsplit(gateway.url).netloc.split(":")
            with socket.create_connection((host, int(port))) as plain, trusting.wrap_socket(plain, server_hostname=host) as tls:
                assert tls.selected_alpn_protocol() == "http/1.1"  # see tests/unit/frontends/test_http_limits.py
            refused = clients.uv().run(
                "pip", "install", "--default-index", f"{gateway.url}/simple/", "app", environment={"SSL_CERT_FILE": str(ca)}
            )
            assert refused.returncode != 0
        assert "s3cret-word" not in gateway.log.read_text()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--listen", "nowhere"], "HOST:PORT"),
        (["--listen", "127.0.0.1:99999"], "HOST:PORT"),
        (["--listen", "192.0.2.1:0"], "Cannot assign requested address (this machine has no such address"),
        (["--tls-certificate", "absent.pem"], "--tls-key"),
        (["--tls-certificate", "absent.pem", "--tls-key", "absent.pem"], "PEM"),
        (["--token-file", "absent"], "No such file"),
    ],
)
def test_what_cannot_be_served_is_told_at_once(run_wheelfs: RunWheelfs, store_dir: Path, options: list[str], told: str) -> None:
    done = run_wheelfs("--store", str(store_dir), "serve", *options)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_told_of(tmp_path: Path, run_wheelfs: RunWheelfs) -> None:
    with FakeIndex() as index:
        gateway = Serving(tmp_path / "gateway", "--index", f"main={index.url}")
        with gateway:
            done = run_wheelfs("--store", str(tmp_path / "other"), "serve", "--listen", urlsplit(gateway.url).netloc)
            assert done.returncode == 2
            assert "in use (another program is using it" in done.stderr
            assert httpx2.get(f"{gateway.url}/healthz", trust_env=False).text == "ok\n"
