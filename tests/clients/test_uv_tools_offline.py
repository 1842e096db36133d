"""uv issue 13747, "Behavior of the --offline flag along with cached packages from an internal pypi index seem to not work as
expected".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.index import FakeIndex

if TYPE_CHECKING:
    from tests.conftest import MountWheelfs
    from tests.fakes.clients import Clients

INFO = "internal_tool-1.0.0.dist-info"
TOOL = {
    "internal_tool/__init__.py": b"import renderer\n\ndef main():\n    print('internal-tool: 1.0.0', renderer.__version__)\n",
    f"{INFO}/entry_points.txt": b"[console_scripts]\nrender = internal_tool:main\n",
}
RENDER = ("--prerelease", "allow", "--from", "internal-tool", "render", "--version")
SAYS = "internal-tool: 1.0.0 2.0rc1\n"


def fill(index: FakeIndex) -> None:
    index.add_wheel("internal-tool", "1.0.0", files=TOOL, requires=["renderer"])
    index.add_wheel("renderer", "2.0rc1", big_bytes=300_000)


@pytest.mark.usefixtures("no_route")
def test_a_tool_runs_offline_whatever_the_index_url_is_now(mounted: MountWheelfs, clients: Clients) -> None:
    """The reporter runs a tool of an internal index with `uvx`, and wants to run it with `--offline` where that index is named
    otherwise or not at all.  uv finds what it has cached only when the index's URL is the same to the letter.
    """
    with FakeIndex() as internal, FakeIndex() as pypi:
        fill(internal)
        plain = {"UV_DEFAULT_INDEX": pypi.url}
        uv = clients.uv()
        assert uv.uvx("--index", internal.url, *RENDER, environment=plain).succeeded().stdout == SAYS
        assert uv.uvx("--offline", "--index", internal.url, *RENDER, environment=plain).succeeded().stdout == SAYS
        wrong = internal.url.replace("127.0.0.1", "localhost")
        for index in (["--index", wrong], []):
            failed = uv.uvx("--offline", *index, *RENDER, environment=plain)
            assert failed.returncode != 0, index
            assert "not found in the cache" in failed.stderr

        mount = mounted("--index", f"internal={internal.url}", "--index", f"pypi={pypi.url}")
        through = {"UV_DEFAULT_INDEX": f"file://{mount.path}/simple"}
        user = clients.uv()
        assert user.uvx(*RENDER, environment=through).succeeded().stdout == SAYS
        internal.stop()
        pypi.stop()
        for offline in ([], ["--offline"]):
            for tool in (user, clients.uv()):
                assert tool.uvx(*offline, *RENDER, environment=through).succeeded().stdout == SAYS
        mount.stop()
        for options in (
            ["--index", f"renamed={wrong}"],
            ["--index", "typo=https://intrenal.index.example/simple"],
            ["--offline"],
        ):
            other = mounted(*options)
            source = ["--index", f"file://{other.path}/simple"]
            assert clients.uv().uvx("--offline", *source, *RENDER).succeeded().stdout == SAYS
            other.stop()
