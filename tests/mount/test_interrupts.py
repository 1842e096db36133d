"""Ctrl-C in commands that bring files here: they end as interrupted ones, and say what of their work is kept."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from typing import TYPE_CHECKING

from tests.fakes.commands import fetched_files
from tests.fakes.faults import Fault, Stall
from tests.fakes.processes import wheelfs_command, wheelfs_environment
from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fakes.index import FakeIndex
    from tests.fakes.processes import Finished

BIG = 1_500_000


def interrupted(home: Path, *words: str, when: Callable[[], bool]) -> tuple[int, str, str]:
    """Run a command, interrupt it once ``when`` holds, and return its exit code and what it said."""
    with subprocess.Popen(
        wheelfs_command(*words), env=wheelfs_environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        eventually(lambda: when() or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        return process.returncode, out, err


def test_an_interrupted_fetch_says_what_is_kept_and_the_next_one_what_it_resumed(
    fake_index: FakeIndex, fetch: Callable[..., Finished], store_dir: Path, tmp_path: Path
) -> None:
    small, _ = fake_index.add_wheel("one", "0.1")
    contents = dict(fake_index.add_wheel(name, "1.0", big_bytes=BIG) for name in ("one", "two"))
    for name in contents:
        fake_index.faults.append(Fault(name, Stall(after_bytes=1_000_000), times=None))
    command = ("--store", str(store_dir), "fetch", "--json", "--index", f"main={fake_index.url}")
    words = ("one==0.1", "one==1.0", "two")  # the files of one project are brought in their order

    def is_stalled() -> bool:
        return sum(part.stat().st_blocks * 512 for part in store_dir.glob("spool/*.part")) >= 1_500_000

    code, out, err = interrupted(tmp_path / "home", *command, *words, when=is_stalled)
    assert code == 130
    said = re.fullmatch(r"wheelfs: interrupted; 1 file was fetched, and (.*) of 2 files are kept, .*\n", err)
    assert said, err
    files = {line["file"]["filename"]: line["file"] for line in map(json.loads, out.splitlines())}
    assert {name: file["result"] for name, file in files.items()} == {small: "fetched", **dict.fromkeys(contents, "interrupted")}
    kept = {name: files[name]["kept_bytes"] for name in contents}
    assert all(kept.values())
    fake_index.faults.clear()
    again = fetched_files(fetch("--json", "--delta", "never", "one==1.0").succeeded())
    [name] = again
    assert (again[name]["resumed_bytes"], again[name]["fetched_bytes"]) == (kept[name], len(contents[name]) - kept[name])
    said_again = fetch("two").succeeded().stdout
    assert said_again.count(" of an earlier run") == 2


def test_an_interrupted_add_says_what_was_added(fake_index: FakeIndex, store_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / wheel_filename("good", "1.0")
    path.write_bytes(build_wheel("good", "1.0"))
    name, _ = fake_index.add_wheel("slow", "1.0", big_bytes=BIG)
    fake_index.faults.append(Fault(name, Stall(after_bytes=1_000_000), times=None))
    words = ("--store", str(store_dir), "add", str(path), fake_index.file_url(name))
    code, out, err = interrupted(tmp_path / "home", *words, when=lambda: fake_index.body_bytes(name) >= 1_000_000)
    assert (code, out, err) == (130, f"added {path.name}\n", "wheelfs: interrupted; 1 file was added\n")
