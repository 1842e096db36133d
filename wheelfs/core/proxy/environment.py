"""The environment of a command under ``wheelfs run``: its traffic goes through the proxy, and it trusts the run's authority.

Clients read different variables, and some take the first that is set, so all of them are set.  Nothing here changes the caller's
own environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

PROXIES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
"""curl reads ``http_proxy`` in lower case only; Go, requests and reqwest read both."""

EXCEPTIONS: Final = ("NO_PROXY", "no_proxy")

BUNDLES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS")
"""Who reads which, in this order: OpenSSL, Python's ssl, uv and pixi; requests, poetry and conda; curl; pip; Node.js."""

PIP_PROXY: Final = "PIP_PROXY"
"""Set always: ``proxy`` in pip's files, and ``no-proxy-env``, would win over the general variables, and it wins over them."""

OWN_BUNDLES: Final = ("CONDA_SSL_VERIFY", "PDM_PYPI_CA_CERTS")
"""Settings of single clients that would win over the general variables: replaced where the caller has set them."""

USERS_BUNDLES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
"""What may name the caller's own trusted authorities (``NODE_EXTRA_CA_CERTS`` only ever adds to a client's own)."""


def child_environment(environ: Mapping[str, str], *, proxy_url: str, bundle: str) -> dict[str, str]:
    """Return the command's environment.

    ``proxy_url`` has the proxy's password in it; ``bundle`` is the path of a PEM file with the caller's authorities and the
    run's.  The caller's exceptions from proxying are applied by the proxy itself: left in place, they would hide indexes
    from it.
    """
    child = dict(environ)
    for name in PROXIES:
        child[name] = child[name.lower()] = proxy_url
    child[PIP_PROXY] = proxy_url
    for name in EXCEPTIONS:
        child[name] = ""
    for name in BUNDLES:
        child[name] = bundle
    for name in OWN_BUNDLES:
        if name in environ:
            child[name] = bundle
    return child
