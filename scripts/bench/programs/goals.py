"""What is to be reached: the rows of the table in docs/performance.md, and which figures of which program answer them."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

FIRST: Final = "the time of uv straight from the index, 200 Mbit/s and 30 ms"
PLAIN: Final = "a plain directory"
BEFORE: Final = "the build before"
READS: Final = "docs/design/decisions/0076-reads-through-pyfuse3.md"
START: Final = "docs/design/decisions/0082-starting.md"
INSTALLS: Final = "docs/design/decisions/0074-purposes-of-clients.md"
SOLID: Final = "docs/design/decisions/0080-solid-blocks.md"
IMPORTS: Final = "docs/design/decisions/0071-inflating.md"
PAGES: Final = "docs/design/decisions/0088-beside-plain-pages.md"


class Program(msgspec.Struct, frozen=True):
    """A benchmark and its arguments: a run of it gives figures; ``quick`` are arguments in place of them for a try.

    ``is_alone``: not with the build before, which cannot do what is measured, or has its rows elsewhere; rounds by turns with
    peers are then the program's own.
    """

    name: str
    arguments: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()
    rounds: int = 5
    is_alone: bool = False


class Goal(msgspec.Struct, frozen=True):
    """A row: the figures whose section and case are as these patterns (fnmatch) say; of several the worst counts.

    ``by``: what is compared with ``limit``: the figure itself, its ratio to the program's own peer, or its ratio to the build
    before.  ``profile`` is the page, from the root of the checkout, that says what is left where the limit is missed.
    """

    what: str
    against: str
    program: Program
    case: str
    limit: float
    by: Literal["value", "peer", "before"] = "peer"
    section: str = "*"
    unit: str = ""
    at_least: bool = False
    profile: str = ""


_COMMANDS = Program("commands", ("--rounds", "1"), quick=("--rounds", "1", "--set", "small"))
_INSTALL = Program("install", ("--rounds", "1", "--only", "uv", "--set", "large"), quick=("--rounds", "1", "--only", "uv"))
_DOWNLOAD = Program(
    "install",
    ("--rounds", "1", "--only", "pip-download", "--set", "large"),
    quick=("--rounds", "1", "--only", "pip-download"),
)
_FIRST = Program("first", ("--rounds", "1", "--set", "large"), quick=("--rounds", "1"))
_RESOLVE = Program("resolve", ("--set", "large"), quick=("--set", "small"), rounds=2)
_LISTING = Program("listing", ("--rounds", "1"), quick=("--rounds", "1", "--files", "2000"))
_READ = Program("read", ("--rounds", "1"), quick=("--rounds", "1"))
_FILL = Program("fill", ("--rounds", "1", "--mb", "400"), quick=("--rounds", "1", "--mb", "50"))
_MEMORY = Program("memory", ("--rounds", "1", "--set", "large"), quick=("--rounds", "1"))
_DELTA = Program("delta", rounds=1)
_DEDUP = Program("dedup", ("--solid", "--no-peers"), rounds=1, is_alone=True)
_OPEN = Program("lab", ("--parts", "open"), quick=("--parts", "open", "--nodes", "2", "--readers", "4"))
_NODES = Program("lab", ("--parts", "stocked", "--rounds", "1"), quick=("--parts", "stocked", "--nodes", "2", "--set", "small"))
_CATALOG = Program("catalog", quick=("--files", "2000"), rounds=3)
_ENV = Program("env", ("--rounds", "5", "--set", "large"), quick=("--rounds", "1"), rounds=1, is_alone=True)
_PEERS = Program("peers", ("--rounds", "5", "--set", "large"), quick=("--rounds", "1"), rounds=1, is_alone=True)

GOALS: Final = (
    Goal("install of what is stored, flat", PLAIN, _INSTALL, "mount, --no-index --find-links, warm", 1.0),
    Goal(
        "the same by `here/simple`, index up, closed or hanging",
        PLAIN,
        _INSTALL,
        "mount, here/simple, pages stale*",
        0.65,
        profile=PAGES,
    ),
    Goal("`pip download` by `here/simple`", PLAIN, _DOWNLOAD, "mount, --index-url here/simple", 1.05, profile=PAGES),
    Goal(
        "first install, index with metadata files",
        FIRST,
        _FIRST,
        "mount, empty store, here/simple",
        0.95,
        section="core metadata offered*",
        profile=INSTALLS,
    ),
    Goal(
        "the same, index without them",
        FIRST,
        _FIRST,
        "mount, empty store, here/simple",
        0.9,
        section="no core metadata*",
        profile=INSTALLS,
    ),
    Goal(
        "its bytes",
        "those of uv straight",
        _FIRST,
        "bytes, mount, empty store, here/simple",
        1.0,
        section="core metadata offered*",
    ),
    Goal(
        "the install with half of the set stored in the version before",
        FIRST,
        _FIRST,
        "mount, half in the version before, the rest as it is",
        0.6,
        section="half of it upgraded, core metadata offered*",
        profile=INSTALLS,
    ),
    Goal(
        "the bytes of that",
        "those of uv straight",
        _FIRST,
        "bytes, mount, half in the version before, the rest as it is",
        0.65,
        section="half of it upgraded, core metadata offered*",
    ),
    Goal(
        "resolving alone, bytes",
        "the wheels'",
        _RESOLVE,
        "uv, mount, here/simple",
        0.02,
        by="value",
        section="core metadata offered*",
    ),
    Goal(
        "`uv pip compile`, 50,000 flat wheels",
        BEFORE,
        _LISTING,
        "mount, stored",
        0.5,
        by="before",
        section="uv pip compile",
        unit="s",
    ),
    Goal(
        "reading a wheel, kernel cache cold",
        BEFORE,
        _READ,
        "mount, kernel cache cold",
        0.67,
        by="before",
        unit="s",
        profile=READS,
    ),
    Goal("reading it from the page cache, time", "the same file on disk", _READ, "mount, cached", 1.11, profile=READS),
    Goal("16 readers of 16 wheels, kernel cache cold, time", "one reader", _READ, "16 readers", 0.59, profile=READS),
    Goal(
        "`add`, processor time",
        BEFORE,
        _COMMANDS,
        "add, processor s a GB",
        0.6,
        by="before",
        unit="s/GB",
        profile="docs/design/decisions/0078-storing-by-the-run.md",
    ),
    Goal(
        "a node filling itself, processor time",
        BEFORE,
        _FILL,
        "processor s a GB, gateway, node",
        0.55,
        by="before",
        unit="s/GB",
        profile="docs/design/decisions/0079-hashed-again.md",
    ),
    Goal("memory of the daemon after the set", "devpi 267, nginx 16", _MEMORY, "at rest", 70, by="value", unit="MB"),
    Goal("`wheelfs ls`, processor time", BEFORE, _COMMANDS, "ls, processor s", 0.5, by="before", unit="s", profile=START),
    Goal("`wheelfs status`, processor time", BEFORE, _COMMANDS, "status, processor s", 0.5, by="before", unit="s", profile=START),
    Goal(
        "`wheelfs mount` until it answers, processor time",
        BEFORE,
        _COMMANDS,
        "mount, processor s",
        0.5,
        by="before",
        unit="s",
        profile=START,
    ),
    Goal(
        'upgrading, `delta = "always"`, bytes',
        "the simulated need",
        _DELTA,
        "of need, all *",
        0.95,
        by="value",
        profile="docs/design/decisions/0007-delta.md",
    ),
    Goal("room for pure wheels", "the wheels' size", _DEDUP, "pure", 0.15, by="value", profile=SOLID),
    Goal("the same, solid but for the newest", "the wheels' size", _DEDUP, "pure, solid", 0.15, by="value", profile=SOLID),
    Goal("room for all wheels", "the wheels' size", _DEDUP, "all in one", 0.45, by="value", profile=SOLID),
    Goal(
        "all wheels, solid but for the newest", "the wheels' size", _DEDUP, "all in one, solid", 0.45, by="value", profile=SOLID
    ),
    Goal(
        "first read of a solid wheel, the slowest",
        "50 MB/s",
        _DEDUP,
        "all in one, solid, slowest first read, MB/s",
        50,
        by="value",
        unit="MB/s",
        at_least=True,
        profile=SOLID,
    ),
    Goal("64 processes on 8 nodes open a new wheel", "upstream fetches", _OPEN, "upstream fetches of a new wheel", 1, by="value"),
    Goal(
        "a set on 8 nodes, stocked gateway",
        "nginx with plain files",
        _NODES,
        "mounts, gateway that has all",
        1.3,
        profile="docs/design/decisions/0087-sets-from-a-stocked-gateway.md",
    ),
    Goal(
        "1,000,000 files: mount answers", "2 s", _CATALOG, "mounted, and answers", 2, by="value", section="many files", unit="s"
    ),
    Goal("the same: memory", "300 MB", _CATALOG, "memory after that", 300, by="value", section="many files", unit="MB"),
    Goal("the same: look-up", "1 ms", _CATALOG, "look-up of a wheel", 1, by="value", section="many files", unit="ms"),
    Goal(
        "environment, lock to first import",
        "`uv sync`, import",
        _ENV,
        "wheelfs: env create, mount, import*",
        0.35,
        section="to the first import",
        profile=IMPORTS,
    ),
    Goal(
        "that, beside bytecode compiled by uv",
        "`uv sync --compile-bytecode`, import",
        _ENV,
        "wheelfs: env create, mount, import*",
        0.6,
        section="the same, beside the one that compiles",
        profile=IMPORTS,
    ),
    Goal(
        "its import again",
        "a virtual environment",
        _ENV,
        "the mounted environment",
        1.0,
        section="the import again, 1 at a time",
        profile=IMPORTS,
    ),
    Goal(
        "8 of these at once",
        "a virtual environment",
        _ENV,
        "the mounted environment",
        1.0,
        section="the import again, 8 at a time",
        profile=IMPORTS,
    ),
    Goal(
        "environment on a node with nothing, a profile in the share",
        "`uv sync`, import, 200 Mbit/s and 30 ms",
        _ENV,
        "pull --env, mount, import; with a profile",
        0.4,
        section="a node that has nothing stored*",
        profile=IMPORTS,
    ),
    Goal(
        "the bytes on that node",
        "the wheels'",
        _ENV,
        "bytes, pull --env, mount, import; with a profile",
        0.38,
        by="value",
        profile=IMPORTS,
    ),
    Goal(
        "an environment on 8 nodes at once",
        "one node",
        _ENV,
        "all nodes at once",
        1.3,
        section="an environment on 8 nodes at once",
        profile=IMPORTS,
    ),
    Goal("the same: bytes over the uplink", "one node's", _ENV, "uplink bytes, *", 1.0, by="value", profile=IMPORTS),
    Goal("install of what is stored, nginx", PLAIN, _PEERS, "nginx", 0, by="peer", at_least=True),
    Goal("the same, devpi", PLAIN, _PEERS, "devpi", 0, by="peer", at_least=True),
    Goal("the same, proxpi", PLAIN, _PEERS, "proxpi", 0, by="peer", at_least=True),
    Goal("the same, pypiserver", PLAIN, _PEERS, "pypiserver", 0, by="peer", at_least=True),
    Goal("the same, wheelfs by `here/simple`", PLAIN, _PEERS, "wheelfs, here/simple", 0.65, profile=PAGES),
    Goal("the same, wheelfs as a gateway", PLAIN, _PEERS, "wheelfs, gateway", 1.0, profile=PAGES),
)
"""In the order of the table."""
