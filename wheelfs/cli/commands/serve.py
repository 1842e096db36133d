"""``serve``: the gateway."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from wheelfs.cli.command import Command, session_of
from wheelfs.config import Given

if TYPE_CHECKING:
    from wheelfs.cli.command import Session
    from wheelfs.reports.mounts import GatewayReady


@click.command(
    cls=Command,
    short_help="Serve the wheels over HTTP.",
    examples=(
        "wheelfs serve",
        "wheelfs serve --listen 0.0.0.0:8080 --token-file /etc/wheelfs.token",
        "wheelfs serve --listen 0.0.0.0:8080 --workers 4",
        "wheelfs serve --index lab=https://index.example/simple",
    ),
)
@click.option("--listen", metavar="HOST:PORT", help="Where to listen; 127.0.0.1:8080 unless told otherwise.")
@click.option("--workers", metavar="N", help="How many processes answer; 1 unless told otherwise.")
@click.option("--index", "indexes", multiple=True, metavar="NAME=URL", help="A package index; repeat in order of priority.")
@click.option("--share", "shares", multiple=True, metavar="URL", help="Another gateway to ask for files first.")
@click.option("--share-write", is_flag=True, default=None, help="Push what is stored to the first directory or bucket of them.")
@click.option("--offline", is_flag=True, default=None, help="Never use the network to fetch.")
@click.option("--quota", metavar="SIZE", help="How large the store may become, such as 200GiB.")
@click.option(
    "--min-age", metavar="AGE", help="Hide files uploaded less than this long ago, such as 7d, and those of unknown age."
)
@click.option("--token-file", metavar="FILE", help="A file with the token that clients must give, as the password of any user.")
@click.option("--tls-certificate", metavar="FILE", help="The certificate chain, in PEM: serve HTTPS.")
@click.option("--tls-key", metavar="FILE", help="The key of the certificate, in PEM.")
@click.pass_context
def serve(
    context: click.Context,
    listen: str | None,
    workers: str | None,
    indexes: tuple[str, ...],
    shares: tuple[str, ...],
    share_write: bool | None,
    offline: bool | None,
    quota: str | None,
    min_age: str | None,
    token_file: str | None,
    tls_certificate: str | None,
    tls_key: str | None,
) -> None:
    """Serve the same tree as a mount over HTTP, for machines without a mount: simple/ is an index for pip, uv and poetry.

    Stays in the foreground and logs to stderr; SIGTERM ends it after the requests under way. Pages come as HTML or JSON, files
    with ranges; what is not stored is fetched once, however many ask, and streamed while it comes.
    """
    from wheelfs.app import gateway
    from wheelfs.telemetry import level_for, set_up_logging

    session = session_of(context)
    given = [
        Given(field, value, flag)
        for field, value, flag in (
            ("serve_listen", listen, "--listen"),
            ("serve_workers", workers, "--workers"),
            ("indexes", list(indexes) or None, "--index"),
            ("shares", list(shares) or None, "--share"),
            ("share_write", share_write or None, "--share-write"),
            ("offline", offline or None, "--offline"),
            ("quota_bytes", quota, "--quota"),
            ("min_age_s", min_age, "--min-age"),
            ("serve_token_file", token_file, "--token-file"),
            ("serve_tls_certificate", tls_certificate, "--tls-certificate"),
            ("serve_tls_key", tls_key, "--tls-key"),
        )
        if value is not None
    ]
    settings = session.settings(given)
    set_up_logging(level_for(settings.log_level, session.verbosity), log_file=settings.log_file)
    gateway.run_gateway(settings, arguments=sys.argv[1:], ready=lambda serving: _print_ready(session, serving))


def _print_ready(session: Session, serving: GatewayReady) -> None:
    from wheelfs.frontends.http.people import is_loopback, setup_lines

    output = session.output
    lines = setup_lines(_for_others(serving.urls[0]))
    if session.json:
        output.record({"urls": serving.urls, "pid": serving.pid, "store": serving.store, "lines": lines})
    else:
        for url in serving.urls:
            output.line(f"serving at {url}")
        width = max(len(purpose) for purpose in lines) + 1
        for purpose, line in lines.items():
            output.line(f"  {purpose + ':':<{width}} {line}")
        if serving.open and not all(map(is_loopback, serving.urls)):
            output.line("whoever reaches this address can read all that is stored, private wheels too; --token-file restricts it")
        if not serving.open:
            scheme, _, rest = _for_others(serving.urls[0]).partition("://")
            output.line(f"clients give the token as the password of any user, such as {scheme}://__token__:TOKEN@{rest}/simple/")
    output.flush()


def _for_others(url: str) -> str:
    """Return the address with this machine's name where it stands for all that the machine has, which nobody can ask."""
    parts = urlsplit(url)
    if parts.hostname not in ("0.0.0.0", "::"):
        return url
    return parts._replace(netloc=f"{socket.gethostname()}:{parts.port}").geturl()
