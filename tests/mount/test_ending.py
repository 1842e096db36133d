"""A mount or gateway that is told to end ends, whatever its threads do: what they hold is far longer than a test waits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from tests.fakes.mounts import mount_points, unmount_lazily
from tests.fakes.processes import ROOT, wheelfs_environment
from tests.fakes.waiting import DEADLINE_S, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.index import FakeIndex

FOR_EVER_S = 20 * DEADLINE_S

# A page that takes long to parse and lets no other thread run for long; and a seal that waits for a disk, in no thread's hands.
HOOKS = {
    "page": f"""
import time
import wheelfs.remote.index.http as http
def parse_page(*_):
    open(began, "w").close()
    end = time.monotonic() + {FOR_EVER_S}
    while time.monotonic() < end:
        pass
http.parse_page = parse_page
""",
    "seal": f"""
import time
from wheelfs.store.store import Store
def add_content(*_, **__):
    open(began, "w").close()
    time.sleep({FOR_EVER_S})
Store.add_content = add_content
""",
}
RUN = "\nfrom wheelfs.__main__ import main\nsys.argv[0] = 'wheelfs'\nsys.exit(main())\n"


@pytest.fixture
def point(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "mnt").mkdir()
    yield tmp_path / "mnt"
    for left in mount_points(tmp_path / "mnt"):
        unmount_lazily(left)


def program(tmp_path: Path, hook: str, *arguments: str) -> subprocess.Popen[str]:
    # The time that it may take is a second here: what it waits for never comes.
    began = (
        f"import sys\nimport wheelfs.service.process.end_bound as bound\nbound.END_S = 1.0\nbegan = {str(tmp_path / 'began')!r}\n"
    )
    environment = {**wheelfs_environment(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", began + HOOKS[hook] + RUN, "--store", str(tmp_path / "store"), *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended_by_signal(process: subprocess.Popen[str], tmp_path: Path) -> str:
    """Tell the process to end when its thread is busy, and return what it said."""
    eventually((tmp_path / "began").exists)
    process.send_signal(signal.SIGTERM)
    eventually(lambda: process.poll() is not None)
    assert process.returncode == 0
    return process.communicate()[1]


@pytest.mark.parametrize("hook", HOOKS)
def test_a_mount_that_is_told_to_end_does_and_is_mounted_no_more(
    tmp_path: Path, point: Path, fake_index: FakeIndex, hook: str
) -> None:
    name, _ = fake_index.add_wheel("demo", "1.0", big_bytes=70_000)
    fake_index.set_page("demo", page(name, fake_index))
    with program(tmp_path, hook, "--json", "mount", str(point), "-f", "--index", f"main={fake_index.url}") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["path"] == str(point)
        reader = threading.Thread(target=read, args=(point / "simple" / "demo" / name,))
        reader.start()
        said = ended_by_signal(process, tmp_path)
        reader.join(DEADLINE_S)
    assert not mount_points(point)
    assert hook == "page" or "ending without waiting" in said


@pytest.mark.parametrize("hook", HOOKS)
def test_a_gateway_that_is_told_to_end_does(tmp_path: Path, fake_index: FakeIndex, hook: str) -> None:
    name, _ = fake_index.add_wheel("demo", "1.0", big_bytes=70_000)
    fake_index.set_page("demo", page(name, fake_index))
    with program(tmp_path, hook, "--json", "serve", "--listen", "127.0.0.1:0", "--index", f"main={fake_index.url}") as process:
        assert process.stdout is not None
        [url] = json.loads(process.stdout.readline())["urls"]
        reader = threading.Thread(target=get, args=(f"{url}/simple/demo/{name}",))
        reader.start()
        said = ended_by_signal(process, tmp_path)
        reader.join(DEADLINE_S)
    assert hook == "page" or "ending without waiting" in said
    assert hook == "page" or "fetch/context.py" in said, "where it was is said"


def page(name: str, index: FakeIndex) -> bytes:
    """Return a page that is long enough for a thread of its own."""
    return f"<title>Links for demo</title><a href='{index.file_url(name)}'>{name}</a>".encode() + b"<p>x</p>" * 20_000


def read(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_RDONLY))
        path.read_bytes()
    except OSError:
        return


def get(url: str) -> None:
    try:
        with urlopen(url, timeout=DEADLINE_S) as answer:
            answer.read()
    except OSError:
        return
