"""What other file systems and programs make of a mount and its store: laid over, bound, copied, and a mount of few means."""

from __future__ import annotations

import os
import shlex
import subprocess
import tarfile
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.crashes import stored
from tests.fakes.jumping_clock import JumpingClock
from tests.fakes.memory import taken_by
from tests.fakes.mounts import unmount_lazily
from tests.fakes.nginx import Nginx, nginx_program
from tests.fakes.processes import wheelfs_command, wheelfs_environment
from tests.fakes.waiting import eventually
from tests.fuse.mounting import requires_fuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import MountWheelfs
    from tests.fakes.index import FakeIndex

pytestmark = requires_fuse()

READERS = 48
BARE = """ulimit -n 128
exec env -i LANG=C PYTHONPATH="$PYTHONPATH" HOME="$HOME" WHEELFS_TEST_RUN="$WHEELFS_TEST_RUN" "$@"
"""
"""As a bare init starts it: no PATH, no XDG_..., another character set, few descriptors."""


@pytest.fixture
def laid_over(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "laid-over"
    for name in ("laid-over", "upper", "work"):
        (tmp_path / name).mkdir()
    yield place
    unmount_lazily(place)


def test_an_overlay_and_a_bind_mount_show_the_mounts_files_and_take_changes_where_they_can(
    fake_index: FakeIndex, mounted: MountWheelfs, laid_over: Path, tmp_path: Path
) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=300_000)
    lower = mounted(index=fake_index.url).path / "simple" / "numbers"
    layers = f"lowerdir={lower},upperdir={tmp_path / 'upper'},workdir={tmp_path / 'work'}"
    for command in (["mount", "-t", "overlay", "-o", layers, "overlay"], ["mount", "--bind", str(lower)]):
        subprocess.run([*command, str(laid_over)], check=True)
        assert (laid_over / name).read_bytes() == content
        if command[1] == "-t":
            (laid_over / name).write_bytes(b"changed")
            assert (laid_over / name).read_bytes() == b"changed"
        else:
            with pytest.raises(OSError, match="Read-only"):
                (laid_over / name).write_bytes(b"changed")
        subprocess.run(["umount", str(laid_over)], check=True)
    assert (lower / name).read_bytes() == content


ROOTLESS = """mount -t overlay -o "userxattr,lowerdir=$1,upperdir=$2,workdir=$3" overlay "$4"
cmp "$4/$5" "$1/$5"
echo changed >"$4/$5"
cat "$4/$5"
"""


def test_a_user_without_rights_may_lay_an_overlay_over_it(fake_index: FakeIndex, mounted: MountWheelfs, tmp_path: Path) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=300_000)
    lower = mounted(index=fake_index.url).path / "simple" / "numbers"
    for part in ("upper", "work", "seen"):
        (tmp_path / part).mkdir()
    places = [str(lower), *(str(tmp_path / part) for part in ("upper", "work", "seen")), name]
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-euc", ROOTLESS, "sh", *places]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "changed\n"
    assert (lower / name).read_bytes() == content


def test_a_mount_in_a_namespace_of_its_own_is_read_and_unmounted_there_and_seen_nowhere_else(
    fake_index: FakeIndex, store_dir: Path, tmp_path: Path
) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=300_000)
    place = tmp_path / "mnt"
    wheelfs = shlex.join(wheelfs_command("--store", str(store_dir)))
    script = f"""
        {wheelfs} mount {place} --index main={fake_index.url} >&2
        cat {place}/simple/numbers/{name}
        {wheelfs} umount {place} >&2
        cat /proc/mounts >{tmp_path / "afterwards"}
    """
    inside = subprocess.run(
        ["unshare", "--mount", "sh", "-euc", script], env=wheelfs_environment(tmp_path / "home"), capture_output=True, check=True
    )
    assert inside.stdout == content
    assert str(place) not in (tmp_path / "afterwards").read_text()
    assert not place.is_mount()
    assert list(place.iterdir()) == []


@pytest.mark.skipif(nginx_program() is None, reason="needs nginx (Debian: nginx-light)")
@pytest.mark.parametrize("how", ["sendfile on;", "sendfile off; directio 1; output_buffers 2 128k;", "aio threads;"])
def test_a_web_server_gives_whole_files_and_parts_of_a_mount(
    fake_index: FakeIndex, mounted: MountWheelfs, tmp_path: Path, how: str
) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=3_000_000)
    mount = mounted(index=fake_index.url)
    location = f"location /files/ {{ alias {mount.path}/simple/numbers/; {how} }}"
    with Nginx(tmp_path, tmp_path / "nginx", locations=location) as server:
        url = f"{server.url}/files/{name}"
        for asked, there in (
            (None, content),
            ("bytes=1000-1999999", content[1000:2_000_000]),
            ("bytes=-70000", content[-70_000:]),
        ):
            request = urllib.request.Request(url, headers={} if asked is None else {"Range": asked})
            with urllib.request.urlopen(request, timeout=60) as reply:
                assert reply.read() == there


def test_programs_that_copy_get_all_bytes_with_holes_or_without(
    fake_index: FakeIndex, mounted: MountWheelfs, tmp_path: Path
) -> None:
    name, content = fake_index.add_wheel("numbers", "1.0", files={"numbers/zeros.bin": bytes(300_000)}, compression="stored")
    source = mounted(index=fake_index.url).path / "simple" / "numbers" / name
    for number, option in enumerate(("--sparse=always", "--sparse=never", "--reflink=auto")):
        subprocess.run(["cp", option, str(source), str(tmp_path / str(number))], check=True)
        assert (tmp_path / str(number)).read_bytes() == content


def test_what_the_kernel_moves_by_itself_is_right(fake_index: FakeIndex, mounted: MountWheelfs, tmp_path: Path) -> None:
    """Sendfile and splice, as servers and containers' runtimes copy, of a file that is fetched meanwhile and of a stored one."""
    name, content = fake_index.add_wheel("numbers", "1.0", big_bytes=1_000_000)
    source = mounted(index=fake_index.url).path / "simple" / "numbers" / name
    for _ in range(2):
        with source.open("rb") as file, (tmp_path / "sent").open("wb") as sent:
            while os.sendfile(sent.fileno(), file.fileno(), None, 1 << 20):
                pass
        assert (tmp_path / "sent").read_bytes() == content
        with source.open("rb") as file:
            out, into = os.pipe()
            moved = []
            while count := os.splice(file.fileno(), into, 65_536):
                moved.append(os.read(out, count))
            os.close(out)
            os.close(into)
        assert b"".join(moved) == content


def test_a_clock_that_jumps_by_years_changes_no_byte_and_hides_no_file(
    fake_index: FakeIndex, mounted: MountWheelfs, tmp_path: Path
) -> None:
    clock = JumpingClock(tmp_path / "clock")
    mount = mounted(index=fake_index.url, env=clock.environment)
    wheels: dict[str, bytes] = {}
    for number, years in enumerate((0, 20, -20, 0)):
        clock.set(years * 365 * 86_400)
        name, wheels[name] = fake_index.add_wheel(f"numbers{number}", "1.0", big_bytes=100_000)
        assert (mount.path / "simple" / f"numbers{number}" / name).read_bytes() == wheels[name]
        eventually(lambda: wheels.keys() <= set(os.listdir(mount.path / "stored")))
        assert {name: (mount.path / name).read_bytes() for name in wheels} == wheels
    mount.stop()
    assert "Traceback" not in mount.log


def increment(of: Path, places: Path, *options: str) -> set[str]:
    """Write the next increment of an archive, and return the names of the wheels in it."""
    archive = places / f"{len(list(places.iterdir()))}.tar"
    listed = f"--listed-incremental={places / 'list'}"
    subprocess.run(["tar", *options, listed, "-C", str(of.parent), "-cf", str(archive), of.name], check=True)
    with tarfile.open(archive) as written:
        return {Path(name).name for name in written.getnames() if name.endswith(".whl")}


@pytest.mark.parametrize("options", [(), ("--no-check-device",)])
def test_tars_increments_after_a_remount_have_only_what_is_new_where_it_goes_by_names(
    fake_index: FakeIndex, mounted: MountWheelfs, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """A second mount of the store is like a remount: another device number.  The wheels' times are those of their upload."""
    first, _ = fake_index.add_wheel("numbers", "1.0", big_bytes=100_000)
    second, _ = fake_index.add_wheel("numbers", "2.0", big_bytes=100_000)
    before, after = (mounted(index=fake_index.url, path=tmp_path / name).path / "stored" for name in ("before", "after"))
    places = tmp_path / "backups"
    places.mkdir()
    (before.parent / "simple" / "numbers" / first).read_bytes()
    eventually((before / first).exists)
    assert increment(before, places, *options) == {first}
    assert increment(before, places, *options) == set()
    (after.parent / "simple" / "numbers" / second).read_bytes()
    eventually(lambda: {first, second} <= set(os.listdir(after)))
    assert increment(after, places, *options) == ({second} if options else {first, second})


def test_a_mount_of_128_descriptors_without_path_and_directories_of_its_own_serves_48_readers_at_once(
    fake_index: FakeIndex, store_dir: Path, tmp_path: Path
) -> None:
    wheels = dict(fake_index.add_wheel("numbers", f"1.{minor}", big_bytes=2_000_000) for minor in range(READERS))
    place, log = tmp_path / "mnt", tmp_path / "log"
    words = wheelfs_command("--store", str(store_dir), "mount", str(place), "-f", "--index", f"main={fake_index.url}")
    with log.open("wb") as said:
        process = subprocess.Popen(
            ["sh", "-c", BARE, "sh", *words], env=wheelfs_environment(tmp_path / "home"), stdout=said, stderr=said
        )
    try:
        eventually(lambda: process.poll() is not None or place.is_mount())
        assert process.poll() is None, log.read_text()
        most_bytes = before_bytes = taken_by(process.pid).anonymous
        with ThreadPoolExecutor(READERS) as pool:
            found = pool.map(lambda name: (place / "simple" / "numbers" / name).read_bytes(), wheels)
            for content in wheels.values():
                most_bytes = max(most_bytes, taken_by(process.pid).anonymous)
                assert next(found) == content
        assert most_bytes - before_bytes < sum(map(len, wheels.values())), "it keeps in memory what passes through it"
    finally:
        process.terminate()
        assert process.wait(60) == 0, log.read_text()
    assert stored(store_dir) == wheels


def test_a_copy_of_a_store_that_a_mount_has_open_holds_what_was_stored(
    fake_index: FakeIndex, mounted: MountWheelfs, store_dir: Path, tmp_path: Path, tools: bytes
) -> None:
    mounted(index=fake_index.url)
    subprocess.run(["cp", "-a", "--sparse=always", str(store_dir), str(tmp_path / "copy")], check=True)
    assert list(stored(tmp_path / "copy").values()) == [tools]
