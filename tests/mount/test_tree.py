"""The names that a mount shows, and what they mean."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import subprocess
import tarfile
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.fakes.index import FIRST_CONTACT, FakeIndex
from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs


def add_local(
    run_wheelfs: RunWheelfs, store: Path, tmp_path: Path, name: str, version: str, **build: object
) -> tuple[str, bytes]:
    content = build_wheel(name, version, **build)  # type: ignore[arg-type]
    path = tmp_path / wheel_filename(name, version, tag=str(build.get("tag", "py3-none-any")))
    path.write_bytes(content)
    run_wheelfs("--store", str(store), "add", str(path)).succeeded()
    return path.name, content


def test_an_empty_mount_has_its_views_and_hides_what_would_cripple_pip(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    mount = mounted(index=fake_index.url).path
    assert sorted(os.listdir(mount)) == ["asof", "here", "index", "simple", "stored"]
    assert (mount / "index.html").read_text().startswith("<!DOCTYPE html>")
    assert (mount / ".wheelfs" / "status.json").is_file()
    assert os.listdir(mount / "index") == ["main"]
    assert os.listdir(mount / "here") == ["simple"]


def test_a_backup_that_knows_cache_tags_takes_nothing_but_the_tag_and_fetches_nothing(
    fake_index: FakeIndex, mounted: MountWheelfs, tmp_path: Path, store_dir: Path
) -> None:
    name, _ = fake_index.add_wheel("numbers", "1.0", big_bytes=300_000)
    mount = mounted(index=fake_index.url).path
    (mount / "simple" / "numbers" / name).stat()
    fake_index.reset_counters()
    # The specification asks for a regular file that begins with these 43 bytes: https://bford.info/cachedir/
    assert (mount / "CACHEDIR.TAG").read_bytes()[:43] == b"Signature: 8a477f597d28d172789f06886806bc55"
    assert stat.S_ISREG(os.lstat(mount / "CACHEDIR.TAG").st_mode)
    archive = tmp_path / "backup.tar"
    command = ["tar", "--exclude-caches", "-C", str(mount.parent), "-cf", str(archive), mount.name]
    subprocess.run(command, check=True)
    with tarfile.open(archive) as written:
        assert written.getnames() == [mount.name, f"{mount.name}/CACHEDIR.TAG"]
    assert {request.path for request in fake_index.requests} <= {FIRST_CONTACT}
    assert not list(store_dir.rglob("CACHEDIR.TAG")), "private wheels live there alone"


def test_any_project_of_the_index_is_found_and_unknown_ones_are_absent(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    fake_index.add_wheel("known", "1.0")
    mount = mounted(index=fake_index.url).path
    for view in ("simple", "here/simple", "index/main/simple"):
        assert "known-1.0-py3-none-any.whl" in (mount / view / "known" / "index.html").read_text()
        with pytest.raises(FileNotFoundError):
            (mount / view / "unknown" / "index.html").read_text()
        assert os.listdir(mount / view) == ["known"]
    with pytest.raises(FileNotFoundError):
        os.listdir(mount / "stored" / "simple" / "known")


@pytest.mark.parametrize("name", ["Known", "..known", "a" * 300, "kn\nown", "kn own", "known."])
def test_names_that_are_no_normalized_project_are_absent_and_never_asked_for(
    fake_index: FakeIndex, mounted: MountWheelfs, name: str
) -> None:
    fake_index.add_wheel("known", "1.0")
    mount = mounted(index=fake_index.url).path
    with pytest.raises(OSError, match="Errno") as caught:
        (mount / "simple" / name).stat()
    assert caught.value.errno in (errno.ENOENT, errno.ENAMETOOLONG)
    assert {request.path for request in fake_index.requests} <= {FIRST_CONTACT}


def test_here_lists_what_this_machine_can_use(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    for tag in (
        "cp311-cp311-win_amd64",
        "cp311-cp311-macosx_11_0_arm64",
        "pp310-pypy310_pp73-manylinux2014_x86_64",
        "py3-none-any",
    ):
        fake_index.add_wheel("mixed", "1.0", tag=tag)
    mount = mounted(index=fake_index.url).path
    here = (mount / "here" / "simple" / "mixed" / "index.html").read_text()
    assert here.count("<a ") == 1
    assert "py3-none-any" in here
    assert (mount / "simple" / "mixed" / "index.html").read_text().count("<a ") == 4


def test_stored_and_flat_show_what_is_stored(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0")
    other, _ = fake_index.add_wheel("numbers", "2.0")
    mount = mounted(index=fake_index.url).path
    with pytest.raises(FileNotFoundError):
        (mount / name).stat()
    (mount / "simple" / "numbers" / name).read_bytes()
    for place in (mount, mount / "stored"):
        eventually(partial(_lists, place, name))
        assert (place / name).read_bytes() == content
        assert name in (place / "index.html").read_text()
        assert other not in (place / "index.html").read_text()
    assert "index.html" not in os.listdir(mount)
    page = (mount / "stored" / "simple" / "numbers" / "index.html").read_text()
    assert name in page
    assert other not in page
    assert os.listdir(mount / "stored" / "simple") == ["numbers"]


def _lists(place: Path, name: str) -> bool:
    return name in os.listdir(place)


def test_one_content_has_one_inode_everywhere_and_after_a_restart(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, _ = fake_index.add_wheel("numbers", "1.0")
    mount = mounted(index=fake_index.url)
    (mount.path / "simple" / "numbers" / name).read_bytes()
    eventually(lambda: name in os.listdir(mount.path))

    def look() -> set[tuple[int, int, int, int]]:
        places = ["", "stored/", "simple/numbers/", "here/simple/numbers/", "index/main/simple/numbers/"]
        stats = [(mount.path / f"{place}{name}").stat() for place in places]
        return {(one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for one in stats}

    before = look()
    assert len(before) == 1
    directories = {place: (mount.path / place).stat().st_ino for place in ("simple", "here", "stored", "simple/numbers")}
    mount.restart()
    assert look() == before
    assert {place: (mount.path / place).stat().st_ino for place in directories} == directories


def test_times_are_upload_times_and_never_negative(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    dated, _ = fake_index.add_wheel("numbers", "1.0")
    undated = wheel_filename("numbers", "2.0")
    fake_index.add(undated, build_wheel("numbers", "2.0"), upload_time=None)
    project = mounted(index=fake_index.url).path / "simple" / "numbers"
    assert (project / dated).stat().st_mtime == 1_714_979_289
    found = (project / undated).stat()
    assert found.st_mtime == found.st_ctime == 315_532_800


def test_everything_is_read_only(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, _ = fake_index.add_wheel("numbers", "1.0")
    mount = mounted(index=fake_index.url).path
    path = mount / "simple" / "numbers" / name
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert stat.S_IMODE(mount.stat().st_mode) == 0o555
    for attempt in (
        lambda: path.open("r+b"),
        lambda: (mount / "new").write_bytes(b""),
        lambda: (mount / "new").mkdir(),
        path.unlink,
        lambda: path.rename(mount / "other"),
        lambda: os.setxattr(path, "user.x", b"1"),
    ):
        with pytest.raises(OSError, match="Read-only file system"):
            attempt()


def test_syncing_what_is_only_read_succeeds(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, _ = fake_index.add_wheel("numbers", "1.0")
    with (mounted(index=fake_index.url).path / "simple" / "numbers" / name).open("rb") as file:
        for _ in range(2):
            os.fsync(file.fileno())


def test_metadata_files_match_the_wheel(mounted: MountWheelfs) -> None:
    with FakeIndex(core_metadata=False) as index:
        name, content = index.add_wheel("numbers", "1.0", big_bytes=1_000_000, requires=["other>=2"])
        project = mounted(index=index.url).path / "simple" / "numbers"
        assert "data-core-metadata" in (project / "index.html").read_text()
        text = (project / f"{name}.metadata").read_text()
        assert "Requires-Dist: other>=2" in text
        assert (project / f"{name}.metadata").stat().st_size == len(text.encode())
        assert index.body_bytes(name) < len(content) / 5


def test_metadata_comes_from_the_index_where_it_is_offered(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name, _ = fake_index.add_wheel("numbers", "1.0", big_bytes=1_000_000)
    project = mounted(index=fake_index.url).path / "simple" / "numbers"
    assert "Name: numbers" in (project / f"{name}.metadata").read_text()
    assert fake_index.body_bytes(name) == 0
    assert fake_index.body_bytes(f"{name}.metadata") > 0


def test_pages_carry_what_the_index_says_escaped(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    name = wheel_filename("numbers", "1.0")
    fake_index.add(name, build_wheel("numbers", "1.0"), requires_python=">=3.9,<4", yanked='broken "<b>"')
    page = (mounted(index=fake_index.url).path / "simple" / "numbers" / "index.html").read_text()
    assert "&gt;=3.9,&lt;4" in page
    assert "<b>" not in page
    for attribute in ("#sha256=", "data-size=", "data-upload-time=", "data-yanked=", "data-core-metadata="):
        assert attribute in page


@pytest.mark.parametrize(
    "hostile", ["../../etc/passwd", "a/b-1.0-py3-none-any.whl", "numbers-1.0-py3-none-any.whl\n", "<script>alert(1)</script>.whl"]
)
def test_hostile_names_in_pages_never_reach_the_tree(fake_index: FakeIndex, mounted: MountWheelfs, hostile: str) -> None:
    import html

    good, _ = fake_index.add_wheel("numbers", "1.0")
    link = f'<a href="{fake_index.file_url(good)}">{good}</a>'
    fake_index.set_page(
        "numbers",
        f'<!DOCTYPE html><html><body>{link}<a href="{html.escape(hostile)}">{html.escape(hostile)}</a></body></html>'.encode(),
    )
    project = mounted(index=fake_index.url).path / "simple" / "numbers"
    page = (project / "index.html").read_text()
    assert good in page
    assert "<script>" not in page
    assert "etc/passwd" not in page
    assert all("/" not in name and "\n" not in name for name in os.listdir(project))


def test_what_another_process_adds_is_seen_without_remounting(
    fake_index: FakeIndex, mounted: MountWheelfs, run_wheelfs: RunWheelfs, tmp_path: Path
) -> None:
    mount = mounted(index=fake_index.url)
    name = wheel_filename("lab-tool", "1.0")
    with pytest.raises(FileNotFoundError):
        (mount.path / name).stat()
    with pytest.raises(FileNotFoundError):
        (mount.path / "simple" / "lab-tool" / "index.html").read_text()
    added, content = add_local(run_wheelfs, mount.store, tmp_path, "lab-tool", "1.0")
    assert added == name
    eventually(lambda: (mount.path / name).exists(), deadline_s=2.0)
    assert (mount.path / name).read_bytes() == content
    assert name in os.listdir(mount.path)
    eventually(lambda: (mount.path / "simple" / "lab-tool" / "index.html").exists(), deadline_s=2.0)
    assert name in (mount.path / "simple" / "lab-tool" / "index.html").read_text()
    add_local(run_wheelfs, mount.store, tmp_path, "lab-tool", "1.1")
    eventually(lambda: "1.1" in (mount.path / "simple" / "lab-tool" / "index.html").read_text(), deadline_s=2.0)


def test_a_new_page_of_the_index_is_seen_after_its_ttl(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    fake_index.add_wheel("numbers", "1.0")
    page = mounted(index=fake_index.url, env={"WHEELFS_PAGE_TTL_S": "0"}).path / "simple" / "numbers" / "index.html"
    assert "2.0" not in page.read_text()
    fake_index.add_wheel("numbers", "2.0")
    eventually(lambda: "2.0" in page.read_text())


def test_an_index_that_moved_is_asked_again_at_its_new_address(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    with FakeIndex() as new:
        fake_index.add_wheel("numbers", "1.0")
        new.add_wheel("numbers", "2.0")
        first = mounted(index=fake_index.url)
        assert "1.0" in (first.path / "simple" / "numbers" / "index.html").read_text()
        first.stop()
        moved = mounted(index=new.url)
        page = moved.path / "simple" / "numbers" / "index.html"
        assert "2.0" in page.read_text()
        assert "1.0" not in page.read_text()


def test_statfs_answers(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    found = os.statvfs(mounted(index=fake_index.url).path)
    assert found.f_blocks > 0
    assert found.f_namemax == 255


def test_the_first_index_that_has_a_project_owns_it(fake_index: FakeIndex, mounted: MountWheelfs) -> None:
    with FakeIndex() as lower:
        fake_index.add_wheel("both", "1.0")
        lower.add_wheel("both", "9.0")
        lower.add_wheel("only", "1.0")
        mount = mounted("--index", f"first={fake_index.url}", "--index", f"second={lower.url}").path
        assert "both-9.0" not in (mount / "simple" / "both" / "index.html").read_text()
        assert "both-9.0" in (mount / "index" / "second" / "simple" / "both" / "index.html").read_text()
        assert "only-1.0" in (mount / "simple" / "only" / "index.html").read_text()
        assert not lower.requests_for("/simple/both/")[1:], "the lower index was asked for the merged view"


def test_pages_promise_the_metadata_that_is_served_for_stored_wheels_too(
    mounted: MountWheelfs, run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    ours, _ = add_local(run_wheelfs, store_dir, tmp_path, "ours", "1.0")
    with FakeIndex(page_format="html", core_metadata=False, hashes=False) as index:
        bare, _ = index.add_wheel("bare", "1.0", big_bytes=400_000)
        mount = mounted(index=index.url).path
        page = mount / "simple" / "bare" / "index.html"
        assert 'data-core-metadata="true"' in page.read_text(), "its digest is unknown before the wheel was looked at"
        (mount / "simple" / "bare" / bare).read_bytes()
        eventually(lambda: 'data-core-metadata="sha256=' in page.read_text())
        for view in ("simple", "stored/simple", "here/simple"):
            for project, name in (("ours", ours), ("bare", bare)):
                served = (mount / view / project / f"{name}.metadata").read_bytes()
                promised = f'data-core-metadata="sha256={hashlib.sha256(served).hexdigest()}"'
                assert promised in (mount / view / project / "index.html").read_text()
                assert served.startswith(b"Metadata-Version:")
        assert ours in (mount / "asof" / "2020-01-01" / "simple" / "ours" / "index.html").read_text()
