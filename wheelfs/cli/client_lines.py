"""Ready-to-paste lines for pip, uv, poetry and pdm.  tests/clients runs them as they are printed, each through a real mount.

A line that begins with ``# $`` is a command; PACKAGE and TOOL in it are to be replaced.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final, Literal

Client = Literal["pip", "uv", "poetry", "pdm"]
CLIENTS: Final[tuple[Client, ...]] = ("pip", "uv", "poetry", "pdm")
USUAL_MOUNT: Final = Path("/mnt/wheels")


def mount_lines(mount: Path) -> dict[str, str]:
    """Return the lines that a new mount prints, keyed by what each is for; all have the mount's real path in them."""
    quoted = shlex.quote(str(mount))
    return {
        "pip": f"pip install --index-url {(mount / 'here/simple').as_uri()} PACKAGE",
        "uv pip": f"uv pip install --default-index {(mount / 'here/simple').as_uri()} PACKAGE",
        # Not `uv lock --default-index …`: that writes the mount's path into the lock.
        "uv lock, uv sync": "wheelfs run -- uv sync",
        "without any index": f"pip install --no-index --find-links {quoted} PACKAGE",
    }


def client_lines(client: Client, mount: Path) -> list[str]:
    """Return configuration lines for one client, ready to be a file (pip, uv) or to be run (poetry, pdm)."""
    quoted = shlex.quote(str(mount))
    here, everything = (mount / "here/simple").as_uri(), (mount / "simple").as_uri()
    match client:
        case "pip":
            # --no-index would switch file:// indexes off as well, so this is an index-url and nothing else.
            return [
                "# pip.conf (pip config debug tells where)",
                "[global]",
                f"index-url = {here}",
                "",
                "# uploaded-prior-to has no effect on a file:// index (pip 26.3): set min-age, or read asof/TIME/simple.",
                "",
                "# only what is stored, whether the index answers or not:",
                f"# $ pip install --no-index --find-links {quoted} PACKAGE",
            ]
        case "uv":
            return _uv_lines(quoted, here, everything)
        case "poetry":
            # poetry installs nothing from file://, with a misleading connection error.
            return [
                "# poetry cannot use a file:// index. Install from its lock (with the plugin poetry-plugin-export):",
                # An index that the export names would go before the mount: pip obeys the file.
                "poetry export --without-urls -f requirements.txt -o requirements.txt",
                f"pip install --no-deps --require-hashes --index-url {here} -r requirements.txt",
                "",
                "# Or without a mount, the lock as its sources made it:",
                "# $ wheelfs run -- poetry install",
                "",
                "# Or over HTTP, while wheelfs serve runs; this writes the gateway into pyproject.toml:",
                "# $ poetry source add --priority primary wheelfs http://127.0.0.1:8080/simple/",
            ]
        case "pdm":
            # Not a [[tool.pdm.source]] of the project: sources count for the lock's content_hash.
            return [
                "# For this user; pdm lock and pdm sync then go through the mount, and pdm.lock is the same as without it:",
                f"pdm config pypi.url {everything}",
                "",
                "# Or without a mount:",
                "# $ wheelfs run -- pdm sync",
            ]


def _uv_lines(quoted: str, here: str, everything: str) -> list[str]:
    # Not UV_FIND_LINKS, UV_DEFAULT_INDEX or a global index: all would write the mount's path into every uv.lock.
    return [
        "# uv.toml: for uv pip; leaves uv lock and uv sync alone",
        "[pip]",
        f"index-url = {_toml(here)}",
        "",
        "# only what is stored, whether the index answers or not:",
        f"# $ uv pip install --no-index --find-links {quoted} PACKAGE",
        "",
        "# tools:",
        f"# $ uvx --default-index {everything} TOOL",
        f"# $ uv tool install --default-index {everything} TOOL",
        "",
        "# projects, also frozen and offline; their locks stay as the index made them:",
        "# $ wheelfs run -- uv sync",
        "",
        "# the same where wheelfs is not installed:",
        "# $ uv export --frozen --no-emit-project -o requirements.txt",
        f"# $ uv pip sync --offline --no-index --find-links {quoted} --require-hashes requirements.txt",
        "",
        "# pyproject.toml of a project whose uv.lock may name the mount; no machine without a mount can use that lock:",
        "# [[tool.uv.index]]",
        f"# url = {_toml(everything)}",
        "# default = true",
    ]


def _toml(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
