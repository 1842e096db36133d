"""The ways to wheelfs that a client has, and how a habit looks at more than installs."""

from __future__ import annotations

import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.fakes.pages import JSON

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world.rig import Client, Node


@dataclass(frozen=True, slots=True)
class Way:
    """Where a client looks for packages: ``urls`` are indexes in order of priority, ``directory`` a flat one in their place."""

    face: str
    urls: tuple[str, ...] = ()
    directory: Path | None = None

    def is_mute_for(self, client: Client) -> bool:
        """Tell whether a client cannot distinguish an error from an absence there.

        A flat directory has no pages; and pip takes every failure of a page over HTTP for an absence, with a warning.
        """
        return self.directory is not None or (client == "pip" and self.urls[0].startswith("http"))


def ways(client: Client, node: Node, index: str) -> list[Way]:
    """Return the ways through wheelfs, in the order in which they are tried: the first one finds an empty store.

    All after it are second tries: what is stored by then is asked for again, by a client that has no cache.  Of two directories
    that show the same files each client has the one that the guide recommends to it.
    """
    mount, gateway = node.mount.path, node.gateway.url
    by_index, by_gateway = f"file://{mount}/index/{index}/simple", f"{gateway}/index/{index}/simple/"
    merged = Way("here", (f"file://{mount}/here/simple",)) if client == "pip" else Way("simple", (f"file://{mount}/simple",))
    tried = [Way("index", (by_index,)), merged, Way("flat", directory=mount), Way("gateway", (f"{gateway}/simple/",))]
    return [*tried, Way("gateway index", (by_gateway,))] if client == "pip" else tried


@dataclass(frozen=True, slots=True)
class Faces:
    """What ``also`` of a habit looks at, after all installs.  ``urls``: of its indexes, as clients are given them straight."""

    node: Node
    project: str
    index: str
    urls: tuple[str, ...]

    def ask(self, number: int) -> None:
        """Have the mount ask one index by itself, whatever comes of it."""
        with suppress(OSError):
            (self.node.mount.path / "index" / f"{self.index}.{number}" / "simple" / self.project / "index.html").read_bytes()

    @property
    def log(self) -> str:
        """All that the mount has logged, of other habits too."""
        return self.node.mount.log

    def page(self, way: str = "simple") -> str:
        """Return the project's page as the mount shows it."""
        return (self.node.mount.path / way / self.project / "index.html").read_text()

    def file(self, filename: str, way: str = "simple") -> bytes:
        """Return a file as the mount gives it."""
        return (self.node.mount.path / way / self.project / filename).read_bytes()

    def gateway(self, path: str, *, accept: str = JSON) -> tuple[int, bytes]:
        """Ask the gateway, ``path`` below its root; return status and body."""
        request = urllib.request.Request(f"{self.node.gateway.url}/{path}", headers={"Accept": accept})
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
