"""The settings that the first page shows work as they stand, with the clients that they are for, also with a token."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import httpx2
import pytest
from lxml import html

from tests.fakes.environments import pdm
from tests.fakes.processes import run
from tests.gateway.serving import Serving
from wheelfs.frontends.http.set_up import settings_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.clients import Clients
    from tests.fakes.index import FakeIndex

TOKEN = "s3cret-word"


@pytest.fixture
def gateway(fake_index: FakeIndex, tmp_path: Path) -> Iterator[Serving]:
    fake_index.add_wheel("app", "1.0")
    (tmp_path / "token").write_text(TOKEN)
    options = ["--index", f"main={fake_index.url}", "--token-file", str(tmp_path / "token")]
    with Serving(tmp_path / "gateway", *options) as serving:
        yield serving


@pytest.fixture
def shown(gateway: Serving) -> dict[str, str]:
    """What the page shows, with the token in the place of the word that stands for it."""
    page = html.fromstring(httpx2.get(f"{gateway.url}/", auth=("any", TOKEN), trust_env=False).text)
    blocks = cast("list[html.HtmlElement]", page.xpath("//details"))
    texts = {str(block.findtext("summary")): str(block.findtext("pre/code")) for block in blocks}
    assert texts == settings_files(gateway.url, has_token=True)
    assert TOKEN not in html.tostring(page).decode()
    return {name: text.replace("TOKEN", TOKEN) for name, text in texts.items()}


def test_pips_and_uvs_files(shown: dict[str, str], clients: Clients, tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text(shown["pip.conf"])
    pip = clients.pip()
    pip.run("install", "app", environment={"PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}).succeeded()
    uv = clients.uv()
    del uv.environment["UV_NO_CONFIG"]
    (tmp_path / "uv.toml").write_text(shown["uv.toml"])
    uv.run("pip", "install", "app", environment={"UV_CONFIG_FILE": str(tmp_path / "uv.toml")}).succeeded()
    (tmp_path / "uv.toml").write_text(shown["uv.toml"].partition("names this gateway\n")[2].replace("# ", ""))
    other = clients.uv()
    del other.environment["UV_NO_CONFIG"]
    other.run("pip", "install", "app", environment={"UV_CONFIG_FILE": str(tmp_path / "uv.toml")}).succeeded()
    assert pip.installed() == uv.installed() == other.installed() == {"app": "1.0"}


def test_the_variables_of_the_dockerfile_and_its_netrc(shown: dict[str, str], clients: Clients) -> None:
    lines = shown["Dockerfile"].splitlines()
    variables = dict(word.split("=", 1) for word in lines[0].removeprefix("ENV ").split())
    [netrc] = [line.removeprefix("# .netrc: ") for line in lines if line.startswith("# .netrc")]
    for client in (clients.pip(), clients.uv()):
        home = Path(client.environment["HOME"])
        (home / ".netrc").write_text(f"{netrc}\n")
        (home / ".netrc").chmod(0o600)
        words = ("install", "app") if "pip" in type(client).__name__.lower() else ("pip", "install", "app")
        client.run(*words, environment=variables).succeeded()
        assert client.installed() == {"app": "1.0"}


@pytest.mark.real_index
def test_pdms_lines(shown: dict[str, str], clients: Clients, real_index_url: str, tmp_path: Path) -> None:
    programs = pdm(real_index_url)
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "mine"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["app"]\n'
    )
    uv = clients.uv()
    path = ":".join(map(str, [programs, uv.venv() / "bin", uv.environment["PATH"]]))
    script = f"export PDM_CHECK_UPDATE=false\n{shown['pdm']}\npdm lock\npdm sync --no-self"
    run(["bash", "-euc", script], environment={**uv.environment, "PATH": path}, cwd=tmp_path).succeeded()
    assert uv.installed() == {"app": "1.0"}


def test_a_gateway_on_another_machine_without_tls_is_trusted_by_name() -> None:
    shown = settings_files("http://head:8080")
    assert "trusted-host = head:8080" in shown["pip.conf"]
    assert "pdm config pypi.verify_ssl false" in shown["pdm"]
    assert "PIP_TRUSTED_HOST=head:8080" in shown["Dockerfile"]
    assert "trusted" not in settings_files("https://head:8443")["pip.conf"]
