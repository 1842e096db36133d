"""What the guides promise of any web server, with the one that they name: nginx."""

from __future__ import annotations

import re
import ssl
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import trustme

from tests.fakes.crashes import stored
from tests.fakes.nginx import Nginx, nginx_program
from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel
from tests.gateway.serving import Serving
from tests.shares.test_mounts import CONTENT, NAME, NO_INDEX, fill, push_all

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.clients import Clients

pytestmark = pytest.mark.skipif(nginx_program() is None, reason="needs nginx (Debian: nginx-light)")


def test_a_share_below_a_path_behind_tls_and_a_password_is_listed_read_and_followed(
    tmp_path: Path, mounted: MountWheelfs, run_wheelfs: RunWheelfs
) -> None:
    (share := tmp_path / "share").mkdir()
    fill(tmp_path / "a", demo=CONTENT)
    push_all(tmp_path / "a", share.as_uri())
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    trust = {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    with Nginx(share, tmp_path / "nginx", location="/lab/wheels", tls=tmp_path / "server.pem", login=("me", "s3cret")) as server:
        where = urlsplit(server.url)
        url = where._replace(netloc=f"me:s3cret@{where.netloc}").geturl()
        refused = run_wheelfs("--store", str(tmp_path / "b"), "pull", "--share", server.url, env=trust)
        assert refused.returncode == 23
        assert "401" in refused.stderr
        node = mounted("--no-index", "--share", f"lab={url}", env=trust)
        eventually((node.path / NAME).exists)
        assert (node.path / NAME).read_bytes() == CONTENT
        fill(tmp_path / "a", other=build_wheel("other", "1.0"))
        push_all(tmp_path / "a", share.as_uri())
        run_wheelfs("--store", str(tmp_path / "b"), "pull", "--contents", "--share", url, env=trust).succeeded()
        assert stored(tmp_path / "b") == stored(tmp_path / "a")


def test_an_export_is_an_index_and_a_directory_of_wheels_for_pip_and_uv(
    tmp_path: Path, run_wheelfs: RunWheelfs, clients: Clients
) -> None:
    fill(tmp_path / "a", demo=CONTENT, other=build_wheel("other", "1.0", requires=["demo"]))
    run_wheelfs("--store", str(tmp_path / "a"), "export", str(tmp_path / "plain")).succeeded()
    with Nginx(tmp_path / "plain", tmp_path / "nginx") as server:
        pip, uv = clients.pip(), clients.uv()
        pip.run("install", "--index-url", f"{server.url}/simple/", "other").succeeded()
        uv.run("pip", "install", "--no-index", "--find-links", f"{server.url}/", "other").succeeded()
        assert pip.installed() == uv.installed() == {"demo": "1.0", "other": "1.0"}


def test_a_gateway_behind_tls_of_nginx_is_an_index_also_below_a_path_and_its_page_says_how_to_reach_it(
    tmp_path: Path, clients: Clients
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    store = tmp_path / "gateway" / "store"
    fill(store, demo=CONTENT)
    with Serving(tmp_path / "gateway", "--index", f"main={NO_INDEX}", "--workers", "2") as gateway:
        headers = "proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto $scheme;"
        places = f"location / {{ proxy_pass {gateway.url}; {headers} }} location /wheels/ {{ proxy_pass {gateway.url}/; }}"
        with Nginx(tmp_path, tmp_path / "nginx", locations=places, tls=tmp_path / "server.pem") as server:
            uv = clients.uv()
            index = f"{server.url}/wheels/simple/"
            uv.run("pip", "install", "--default-index", index, "demo", environment={"SSL_CERT_FILE": str(tmp_path / "ca.pem")})
            assert uv.installed() == {"demo": "1.0"}
            trust = ssl.create_default_context(cafile=tmp_path / "ca.pem")
            # Workers pass both on to their head, which sees no TLS of theirs.
            for path, package in (("/", "PACKAGE"), ("/project/demo/", "demo")):
                with urllib.request.urlopen(f"{server.url}{path}", context=trust) as page:
                    text = re.sub(r"</?span[^>]*>", "", page.read().decode())
                    assert f"pip install --index-url {server.url}/simple/ {package}" in text
