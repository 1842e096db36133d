"""Ready-to-paste lines for pip, uv and poetry, as they were tried against a mount."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final, Literal

Client = Literal["pip", "uv", "poetry"]
CLIENTS: Final[tuple[Client, ...]] = ("pip", "uv", "poetry")
USUAL_MOUNT: Final = Path("/mnt/wheels")


def mount_lines(mount: Path) -> dict[str, str]:
    """Return what a fresh mount tells its user, keyed by what each line is for; all have the mount's real path in them."""
    quoted = shlex.quote(str(mount))
    return {
        "pip": f"pip install --index-url {(mount / 'here/simple').as_uri()} PACKAGE",
        "uv pip": f"uv pip install --default-index {(mount / 'here/simple').as_uri()} PACKAGE",
        "uv lock": f"uv lock --default-index {(mount / 'simple').as_uri()}",
        "without any index": f"pip install --no-index --find-links {quoted} PACKAGE",
    }


def client_lines(client: Client, mount: Path) -> list[str]:
    """Return configuration lines for one client."""
    here = (mount / "here/simple").as_uri()
    match client:
        case "pip":
            # --no-index would switch file:// indexes off as well, so this is an index-url and nothing else.
            return [
                "# pip.conf (pip config debug tells where)",
                "[global]",
                f"index-url = {here}",
            ]
        case "uv":
            # Not UV_FIND_LINKS and no global index: both would write the mount's path into every uv.lock.
            return [
                "# uv.toml: for uv pip; leaves uv lock and uv sync alone",
                "[pip]",
                "no-index = true",
                f"find-links = [{_toml(str(mount))}]",
                "",
                "# or any package of the index, fetched when it is needed:",
                f"# uv pip install --default-index {here} PACKAGE",
                "",
                "# pyproject.toml of a project whose uv.lock may name the mount:",
                "# [[tool.uv.index]]",
                f"# url = {_toml((mount / 'simple').as_uri())}",
                "# default = true",
            ]
        case "poetry":
            # poetry fails on file:// with a misleading connection error.
            return [
                "# poetry cannot use a file:// index. Install from its lock (with the plugin poetry-plugin-export):",
                # An index that the export names would go before the mount: pip obeys the file.
                "poetry export --without-urls -f requirements.txt -o requirements.txt",
                f"pip install --no-deps --require-hashes --index-url {here} -r requirements.txt",
            ]


def _toml(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
