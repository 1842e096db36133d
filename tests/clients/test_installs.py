"""The real pip and uv install through a real mount: online, offline, and never something else than they should."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.fakes.faults import Fault, Reset, Truncate
from tests.fakes.index import FakeIndex
from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.clients import Clients


def fill(index: FakeIndex) -> None:
    """An application, its libraries in two versions each, and one wheel large enough to be fetched lazily."""
    index.add_wheel("app", "1.0", requires=["library>=1", "numbers"])
    for version in ("1.0", "1.1"):
        index.add_wheel("library", version, requires=["numbers<3"])
    for version in ("1.0", "2.0", "3.0"):
        index.add_wheel("numbers", version, big_bytes=800_000)


EXPECTED = {"app": "1.0", "library": "1.1", "numbers": "2.0"}
KINDS = [
    {},
    {"page_format": "html", "sizes": False, "core_metadata": False, "upload_times": False},
    {"page_format": "html", "sizes": False, "core_metadata": False, "ranges": "ignore"},
]


def install_lines(mount: Path) -> dict[str, list[str]]:
    return {
        "pip here": ["pip", "install", "--index-url", f"file://{mount}/here/simple", "app"],
        "pip simple": ["pip", "install", "--index-url", f"file://{mount}/simple", "app"],
        "uv here": ["uv", "pip", "install", "--default-index", f"file://{mount}/here/simple", "app"],
        "uv simple": ["uv", "pip", "install", "--default-index", f"file://{mount}/simple", "app"],
        "pip flat": ["pip", "install", "--no-index", "--find-links", str(mount), "app"],
        "uv flat": ["uv", "pip", "install", "--no-index", "--find-links", str(mount), "app"],
        "pip stored": ["pip", "install", "--index-url", f"file://{mount}/stored/simple", "app"],
        "uv stored": ["uv", "pip", "install", "--offline", "--default-index", f"file://{mount}/stored/simple", "app"],
    }


def run_line(clients: Clients, line: list[str]) -> dict[str, str]:
    tool = clients.pip() if line[0] == "pip" else clients.uv()
    tool.run(*line[1:]).succeeded()
    return tool.installed()


@pytest.mark.parametrize("kind", KINDS, ids=repr)
def test_online_then_unplugged_with_fresh_caches_both_tools_install_the_same(
    mounted: MountWheelfs, clients: Clients, kind: dict[str, object]
) -> None:
    with FakeIndex(**kind) as index:  # type: ignore[arg-type]
        fill(index)
        mount = mounted(index=index.url)
        lines = install_lines(mount.path)
        assert run_line(clients, lines["pip here"]) == EXPECTED
        assert run_line(clients, lines["uv here"]) == EXPECTED
        eventually(lambda: {name.partition("-")[0] for name in os.listdir(mount.path) if name.endswith(".whl")} >= set(EXPECTED))
        index.stop()
        index.reset_counters()
        for line in lines.values():
            assert run_line(clients, line) == EXPECTED, line
        assert index.requests == []


def test_offline_from_the_start_needs_no_network_at_all(mounted: MountWheelfs, clients: Clients, fake_index: FakeIndex) -> None:
    fill(fake_index)
    first = mounted(index=fake_index.url)
    run_line(clients, install_lines(first.path)["uv simple"])
    first.stop()
    fake_index.reset_counters()
    mount = mounted("--offline", index=fake_index.url)
    for line in install_lines(mount.path).values():
        assert run_line(clients, line) == EXPECTED, line
    assert fake_index.requests == []


@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_resolving_fetches_a_twentieth_of_the_bytes(mounted: MountWheelfs, clients: Clients, tool: str) -> None:
    with FakeIndex(page_format="html", sizes=False, core_metadata=False) as index:
        total = 0
        for number in range(5):
            requires = [f"part{number + 1}"] if number < 4 else []
            total += len(index.add_wheel(f"part{number}", "1.0", requires=requires, big_bytes=2_500_000)[1])
        mount = mounted(index=index.url).path
        if tool == "pip":
            clients.pip().run("install", "--dry-run", "--index-url", f"file://{mount}/here/simple", "part0").succeeded()
        else:
            (mount.parent / "requirements.in").write_text("part0\n")
            clients.uv().run(
                "pip", "compile", "--default-index", f"file://{mount}/here/simple", str(mount.parent / "requirements.in")
            ).succeeded()
        assert index.body_bytes(".whl") <= total / 20


@pytest.mark.parametrize("when", ["page", "file", "middle"])
def test_uv_compile_while_the_index_fails_is_an_error_and_never_an_older_version(
    mounted: MountWheelfs, clients: Clients, tmp_path: Path, when: str
) -> None:
    with FakeIndex(page_format="html", sizes=False, core_metadata=False) as index:
        for version in ("1.0", "2.0"):
            index.add_wheel("numbers", version, big_bytes=900_000, metadata_first=True)
        mount = mounted(index=index.url).path
        newest = wheel_filename("numbers", "2.0")
        match when:
            case "page":
                index.stop()
            case "file":
                index.faults.append(Fault(newest, Reset(after_bytes=0), times=None))
            case "middle":
                index.faults.append(Fault(newest, Truncate(after_bytes=10_000), times=None))
        (tmp_path / "requirements.in").write_text("numbers\n")
        uv = clients.uv()
        done = uv.run("pip", "compile", "--default-index", f"file://{mount}/simple", str(tmp_path / "requirements.in"))
        assert done.returncode != 0, done.stdout
        assert "numbers==1.0" not in done.stdout
        assert any(word in done.stderr for word in ("unreachable", "Remote I/O error", "timed out"))


@pytest.mark.parametrize("asked", ["metadata", "wheel"])
def test_pip_says_why_when_the_index_goes_away_after_its_page_was_read(
    mounted: MountWheelfs, clients: Clients, asked: str
) -> None:
    with FakeIndex(page_format="html", sizes=False, core_metadata=False) as index:
        name, _ = index.add_wheel("numbers", "1.0", big_bytes=900_000)
        project = mounted(index=index.url).path / "simple" / "numbers"
        assert name in (project / "index.html").read_text()
        if asked == "wheel":
            (project / f"{name}.metadata").read_bytes()
        index.stop()
        done = clients.pip().run("install", "--index-url", f"file://{project.parent}", "numbers")
        assert done.returncode != 0
        assert "Network is unreachable" in done.stderr
        assert "404" not in done.stderr


def test_pip_never_takes_the_public_package_while_the_private_index_is_silent(
    mounted: MountWheelfs, clients: Clients, fake_index: FakeIndex
) -> None:
    with FakeIndex() as public:
        fake_index.add_wheel("labtool", "1.0")
        public.add_wheel("labtool", "9.0")
        fake_index.stop()
        mount = mounted("--index", f"lab={fake_index.url}", "--index", f"public={public.url}").path
        for tool, option in ((clients.pip(), "--index-url"), (clients.uv(), "--default-index")):
            verb = ["install"] if option == "--index-url" else ["pip", "install"]
            done = tool.run(*verb, option, f"file://{mount}/simple", "labtool")
            assert done.returncode != 0
            assert tool.installed() == {}


def test_a_private_wheel_added_once_installs_by_name_with_any_index_or_none(
    mounted: MountWheelfs, clients: Clients, run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    path = tmp_path / wheel_filename("labtool", "1.0")
    path.write_bytes(build_wheel("labtool", "1.0"))
    run_wheelfs("--store", str(store_dir), "add", str(path)).succeeded()
    path.unlink()
    with FakeIndex() as index, FakeIndex() as other:
        other.add_wheel("labtool", "9.0")
        for url in (index.url, other.url, "http://127.0.0.1:9/simple"):
            mount = mounted(index=url)
            lines = install_lines(mount.path)
            # All where an index has another of that name; that it has none, or is away, is no matter of the client.
            for name in lines if url == other.url else ("uv simple", "uv flat"):
                line = lines[name]
                assert run_line(clients, [*line[:-1], "labtool"]) == {"labtool": "1.0"}, (name, url)
            mount.stop()
        mount = mounted("--offline")
        assert run_line(clients, [*install_lines(mount.path)["uv simple"][:-1], "labtool"]) == {"labtool": "1.0"}


def test_uv_locks_and_syncs_through_simple(
    mounted: MountWheelfs, clients: Clients, fake_index: FakeIndex, tmp_path: Path
) -> None:
    fill(fake_index)
    mount = mounted(index=fake_index.url)
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "mine"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["app"]\n'
    )
    index = ["--default-index", f"file://{mount.path}/simple"]
    uv = clients.uv()
    uv.run("lock", *index, cwd=project).succeeded()
    lock = (project / "uv.lock").read_text()
    assert lock.count("sha256:") == len(EXPECTED)
    fake_index.stop()
    fresh = clients.uv()
    # The other versions are in the lock too; what was not fetched is not needed to sync once it is here.
    first = fresh.run("sync", "--frozen", *index, cwd=project)
    assert first.returncode != 0, "nothing but tails was fetched by locking"
    fake_index.start()
    eventually(lambda: clients.uv().run("sync", "--frozen", *index, cwd=project).returncode == 0)
    fake_index.stop()
    clients.uv().run("sync", "--frozen", *index, cwd=project).succeeded()
    assert (project / "uv.lock").read_text() == lock


def test_hashes_are_checked_by_the_tools_too(
    mounted: MountWheelfs, clients: Clients, fake_index: FakeIndex, tmp_path: Path
) -> None:
    import hashlib

    _, content = fake_index.add_wheel("numbers", "1.0")
    mount = mounted(index=fake_index.url).path
    requirements = tmp_path / "requirements.txt"
    for digest, code in ((hashlib.sha256(content).hexdigest(), 0), ("0" * 64, 1)):
        requirements.write_text(f"numbers==1.0 --hash=sha256:{digest}\n")
        for tool, verb, option in (
            (clients.pip(), ["install"], "--index-url"),
            (clients.uv(), ["pip", "install"], "--default-index"),
        ):
            done = tool.run(*verb, "--require-hashes", option, f"file://{mount}/simple", "-r", str(requirements))
            assert bool(done.returncode) == bool(code), done.stderr
