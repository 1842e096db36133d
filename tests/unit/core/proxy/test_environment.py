"""What a command under ``wheelfs run`` finds in its environment."""

from __future__ import annotations

import pytest

from wheelfs.core.proxy.environment import BUNDLES, child_environment

PROXY = "http://wheelfs:secret@127.0.0.1:4321"


def of(environ: dict[str, str]) -> dict[str, str]:
    return child_environment(environ, proxy_url=PROXY, bundle="/run/x/authorities.pem")


def test_every_client_is_led_to_the_proxy_and_trusts_the_bundle() -> None:
    child = of({"HOME": "/home/ada"})
    assert child["HOME"] == "/home/ada"
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "PIP_PROXY"):
        assert child[name] == PROXY
    assert {child[name] for name in BUNDLES} == {"/run/x/authorities.pem"}


def test_the_callers_exceptions_do_not_hide_an_index_from_the_proxy() -> None:
    child = of({"NO_PROXY": "index.example,.lab", "no_proxy": "*"})
    assert (child["NO_PROXY"], child["no_proxy"]) == ("", "")


@pytest.mark.parametrize("name", ["CONDA_SSL_VERIFY", "PDM_PYPI_CA_CERTS"])
def test_a_clients_own_setting_is_replaced_only_where_it_would_win(name: str) -> None:
    assert name not in of({})
    assert of({name: "mine"})[name] == "/run/x/authorities.pem"


def test_the_callers_own_environment_stays_as_it_is() -> None:
    environ = {"HTTPS_PROXY": "http://proxy.example:3128"}
    of(environ)
    assert environ == {"HTTPS_PROXY": "http://proxy.example:3128"}
