"""``serve``: the gateway."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from wheelfs.cli.command import Command
from wheelfs.cli.logs import log_to
from wheelfs.cli.session import session_of

if TYPE_CHECKING:
    from wheelfs.cli.session import Session
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
@click.pass_context
def serve(context: click.Context) -> None:
    """Serve the same tree as a mount over HTTP, for machines without a mount: simple/ is an index for pip, uv and poetry.

    Stays in the foreground and logs to stderr. SIGTERM ends it after the requests under way; on SIGHUP it reads its
    configuration, token and certificate again. Pages come as HTML or JSON, files with ranges; what is not stored is fetched once,
    however many ask, and streamed while it comes.
    """
    from wheelfs.app import gateway

    session = session_of(context)
    settings = session.settings()
    log_to(settings, session.verbosity, settings.log_file)
    gateway.run_gateway(
        settings,
        arguments=sys.argv[1:],
        ready=lambda serving: _print_ready(session, serving),
        reread=lambda: session.reread(settings.log_file),
    )


def _print_ready(session: Session, serving: GatewayReady) -> None:
    from wheelfs.frontends.http.set_up import is_loopback, setup_lines

    output = session.output
    lines = setup_lines(_for_others(serving.urls[0]), has_token=not serving.open)
    if session.json:
        output.record({"urls": serving.urls, "pid": serving.pid, "store": serving.store, "lines": lines})
    else:
        for url in serving.urls:
            output.line(f"serving at {url}")
        width = max(len(purpose) for purpose in lines) + 1
        for purpose, line in lines.items():
            output.line(f"  {purpose + ':':<{width}} {line}")
        if serving.open and not all(map(is_loopback, serving.urls)):
            output.line(
                "anyone who reaches this address can read everything stored, private wheels too; --token-file restricts it"
            )
        if not serving.open:
            output.line("TOKEN stands for the token, which clients give as the password of any user")
    output.flush()


def _for_others(url: str) -> str:
    """Return the address with this machine's name in place of the wildcard, which no client can connect to."""
    parts = urlsplit(url)
    if parts.hostname not in ("0.0.0.0", "::"):
        return url
    return parts._replace(netloc=f"{socket.gethostname()}:{parts.port}").geturl()
