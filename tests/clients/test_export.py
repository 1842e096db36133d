"""An exported directory is enough for pip and uv: no store, no mount, no server of ours."""

from __future__ import annotations

import functools
import hashlib
import shutil
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.fakes.commands import error_of, objects
from tests.fakes.wheels import build_sdist, build_wheel, sdist_filename, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import RunWheelfs
    from tests.fakes.clients import Clients
    from tests.fakes.index import FakeIndex

EXPECTED = {"app": "1.0", "library": "1.1"}
APP, LIBRARY, OLD = wheel_filename("app", "1.0"), wheel_filename("library", "1.1"), wheel_filename("library", "1.0")
SDIST = sdist_filename("source", "1.0")


@pytest.fixture
def wheels(tmp_path: Path) -> dict[str, bytes]:
    """What is in the store, by filename."""
    files = {
        APP: build_wheel("app", "1.0", requires=["library>=1"]),
        OLD: build_wheel("library", "1.0"),
        LIBRARY: build_wheel("library", "1.1", big_bytes=2_500_000, requires_python=">=3.8"),
    }
    where = tmp_path / "incoming"
    where.mkdir()
    for name, content in files.items():
        (where / name).write_bytes(content)
    return files


@pytest.fixture
def store(wheels: dict[str, bytes], tmp_path: Path, store_dir: Path, run_wheelfs: RunWheelfs) -> tuple[str, str]:
    """The store, as options."""
    run_wheelfs("--store", str(store_dir), "add", str(tmp_path / "incoming")).succeeded()
    return "--store", str(store_dir)


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """Serve a directory as any web server would; yield its URL."""
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(directory))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_pip_and_uv_install_from_the_directory_alone(
    wheels: dict[str, bytes], store: tuple[str, str], run_wheelfs: RunWheelfs, clients: Clients, tmp_path: Path, store_dir: Path
) -> None:
    out = tmp_path / "a place" / "wheels"
    run_wheelfs(*store, "export", str(out)).succeeded()
    for name, content in wheels.items():
        assert (out / name).read_bytes() == content
        assert (out / name).stat().st_nlink == 1
        assert b"Metadata-Version" in (out / f"{name}.metadata").read_bytes()
    shutil.rmtree(store_dir)
    index = (out / "simple").as_uri()
    with served(out) as url:
        lines = (
            ["--no-index", "--find-links", str(out)],
            ["--no-index", "--find-links", f"{url}/"],
            ["--index-url", index],
            ["--index-url", f"{url}/simple/"],
        )
        for line in lines:
            pip, uv = clients.pip(), clients.uv()
            pip.run("install", *line, "app").succeeded()
            assert pip.installed() == EXPECTED
            uv.run("pip", "install", *line, "app").succeeded()
            assert uv.installed() == EXPECTED


def test_pages_have_hashes_of_files_and_metadata(
    wheels: dict[str, bytes], store: tuple[str, str], run_wheelfs: RunWheelfs, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_wheelfs(*store, "export", str(out)).succeeded()
    flat, page = (out / "index.html").read_text(), (out / "simple" / "library" / "index.html").read_text()
    for name in (OLD, LIBRARY):
        told = f"{name}#sha256={hashlib.sha256(wheels[name]).hexdigest()}"
        metadata = hashlib.sha256((out / f"{name}.metadata").read_bytes()).hexdigest()
        assert f'"{told}"' in flat
        assert f'"../../{told}"' in page
        assert page.count(f'data-core-metadata="sha256={metadata}"') == 1
    assert 'data-requires-python="&gt;=3.8"' in page
    root = (out / "simple" / "index.html").read_text()
    assert [name for name in ("app", "library", "nothing") if f'<a href="{name}/">' in root] == ["app", "library"]


def test_an_sdist_is_in_simple_and_not_among_the_wheels(
    store_dir: Path, run_wheelfs: RunWheelfs, fake_index: FakeIndex, clients: Clients, tmp_path: Path
) -> None:
    content = build_sdist("source", "1.0")
    fake_index.add(SDIST, content, project="source")
    options = {"WHEELFS_INDEX": f"main={fake_index.url}"}
    run_wheelfs("--store", str(store_dir), "fetch", "source", env=options).succeeded()
    fake_index.close()
    out = tmp_path / "out"
    run_wheelfs("--store", str(store_dir), "export", str(out), env=options).succeeded()
    assert (out / "simple" / "source" / SDIST).read_bytes() == content
    assert not (out / SDIST).exists()
    assert SDIST not in (out / "index.html").read_text()
    uv = clients.uv()
    uv.run("pip", "install", "--default-index", (out / "simple").as_uri(), "source").succeeded()
    assert uv.installed() == {"source": "1.0"}


def test_running_it_again_writes_only_what_is_missing_or_broken(
    wheels: dict[str, bytes], store: tuple[str, str], run_wheelfs: RunWheelfs, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_wheelfs(*store, "export", str(out)).succeeded()
    before = {path: path.stat().st_ino for path in out.rglob("*") if path.is_file()}
    again = objects(run_wheelfs(*store, "export", str(out), "--json").succeeded())
    assert [line["file"]["result"] for line in again[:-1]] == ["present"] * 3
    assert {path: path.stat().st_ino for path in out.rglob("*") if path.is_file()} == before
    # What a run that was killed, and a bad copy, leave.
    (out / ".wheelfs-export.part").write_bytes(b"half")
    (out / LIBRARY).write_bytes(wheels[LIBRARY][:-1] + b"!")
    (out / OLD).unlink()
    (out / OLD).symlink_to(tmp_path / "incoming" / OLD)
    (out / f"{APP}.metadata").unlink()
    mended = objects(run_wheelfs(*store, "export", str(out), "--json").succeeded())
    results = {line["file"]["filename"]: line["file"]["result"] for line in mended[:-1]}
    assert results == {APP: "present", LIBRARY: "written", OLD: "written"}
    assert not (out / OLD).is_symlink()
    assert {path for path in out.rglob("*") if path.is_file()} == set(before)
    assert {name: (out / name).read_bytes() for name in wheels} == wheels
    done = mended[-1]["export"]
    assert (done["written"], done["present"], done["refused"], done["directory"]) == (2, 1, 0, str(out))
    assert done["written_bytes"] == len(wheels[LIBRARY]) + len(wheels[OLD])


def test_several_exports_add_up_and_what_was_deleted_leaves_the_pages(
    store: tuple[str, str], run_wheelfs: RunWheelfs, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_wheelfs(*store, "export", str(out), "library-1.0*").succeeded()
    assert not (out / APP).exists()
    run_wheelfs(*store, "export", str(out), "app").succeeded()
    run_wheelfs(*store, "export", str(out), LIBRARY).succeeded()
    flat = (out / "index.html").read_text()
    assert [flat.count(f">{name}</a>") for name in (APP, OLD, LIBRARY)] == [1, 1, 1]
    assert (out / "simple" / "library" / "index.html").read_text().count("</a>") == 2
    (out / OLD).unlink()
    run_wheelfs(*store, "export", str(out), "app").succeeded()
    assert OLD not in (out / "index.html").read_text()


def test_files_of_an_index_that_does_not_own_the_project_are_refused(
    store: tuple[str, str], store_dir: Path, run_wheelfs: RunWheelfs, fake_index: FakeIndex, tmp_path: Path
) -> None:
    name, content = fake_index.add_wheel("app", "99.0")
    stranger = tmp_path / name
    stranger.write_bytes(content)
    options = {"WHEELFS_INDEX": f"main={fake_index.url}"}
    run_wheelfs(*store, "add", "--index", "main", str(stranger), env=options).succeeded()
    out = tmp_path / "out"
    done = run_wheelfs(*store, "export", str(out), "--json", env=options)
    assert done.returncode == 1
    files = {line["file"]["filename"]: line["file"] for line in objects(done)[:-1]}
    assert files[name]["result"] == "refused"
    assert "local" in files[name]["reason"]
    assert not (out / name).exists()
    assert name not in (out / "index.html").read_text()
    assert (out / APP).exists()


def test_a_damaged_file_is_refused_and_the_others_are_written(
    wheels: dict[str, bytes], store: tuple[str, str], store_dir: Path, run_wheelfs: RunWheelfs, tmp_path: Path
) -> None:
    environment = store_dir / "chunks" / "data.mdb"
    raw = environment.read_bytes()
    # Bytes of the one large member: they are in the file as they are in the wheel.
    at = raw.index(wheels[LIBRARY][len(wheels[LIBRARY]) // 2 :][:64])
    with environment.open("r+b") as file:
        file.seek(at)
        file.write(bytes(byte ^ 0xFF for byte in raw[at : at + 16]))
    out = tmp_path / "out"
    done = run_wheelfs(*store, "export", str(out))
    assert done.returncode == 1
    assert f"refused {LIBRARY}" in done.stderr
    assert sorted(path.name for path in out.glob("*.whl")) == [APP, OLD]
    assert not list(out.glob(".*"))
    assert LIBRARY not in (out / "index.html").read_text()


def test_what_cannot_be_written_or_found_is_told(
    store: tuple[str, str], store_dir: Path, run_wheelfs: RunWheelfs, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    for place in (tmp_path / "file", tmp_path / "file" / "below", store_dir / "out", store_dir):
        done = run_wheelfs(*store, "export", str(place), "--json")
        assert done.returncode == 12, done
        assert error_of(done)["class"] == "DestinationError"
    (tmp_path / "out" / APP).mkdir(parents=True)
    assert run_wheelfs(*store, "export", str(tmp_path / "out")).returncode == 12
    nothing = run_wheelfs(*store, "export", str(tmp_path / "new"), "nothing*", "--json")
    assert error_of(nothing)["class"] == "NotKnown"
    some = run_wheelfs(*store, "export", str(tmp_path / "new"), "nothing*", "app")
    assert some.returncode == 1
    assert "no stored file matches nothing*" in some.stderr
    assert run_wheelfs("--store", str(tmp_path / "no-store"), "export", str(tmp_path / "new")).returncode == 5
    assert not (tmp_path / "no-store").exists()
