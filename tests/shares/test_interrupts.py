"""Ctrl-C for commands on a share that hangs."""

from __future__ import annotations

import signal
import socket
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.fakes.processes import wheelfs_command, wheelfs_environment
from tests.shares.test_mounts import CONTENT, fill

if TYPE_CHECKING:
    from pathlib import Path

URL = "s3://lab/wheels"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "anybody", "AWS_SECRET_ACCESS_KEY": "s3cret", "AWS_REGION": "us-east-1"}


def test_ctrl_c_ends_commands_whose_bucket_hangs_as_interrupted_ones(tmp_path: Path) -> None:
    fill(tmp_path / "a", demo=CONTENT)
    with socket.create_server(("127.0.0.1", 0)) as silent, ExitStack() as stack:
        silent.settimeout(30)
        environment = wheelfs_environment(tmp_path / "home") | CREDENTIALS
        environment["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        commands = []
        for words in (["push"], ["pull"], ["gc"], ["rm", "demo"]):
            command = wheelfs_command("--store", str(tmp_path / "a"), *words, "--share", URL)
            process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
            commands.append(stack.enter_context(process))
            connection, _ = silent.accept()
            stack.enter_context(connection).settimeout(30)
            assert connection.recv(1), "the request, of which the library awaits the answer"
        for process in commands:
            process.send_signal(signal.SIGINT)
        # The library would wait for a minute.
        ends = [(process.communicate(timeout=20)[1], process.returncode) for process in commands]
    assert ends == [("", 130)] * 4


def test_ctrl_c_while_a_command_is_being_imported_leaves_no_traceback(tmp_path: Path) -> None:
    # Signals itself when the command line is looked for, which is before any of it has run.
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'click':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
    )
    environment = wheelfs_environment(tmp_path / "home")
    environment["PYTHONPATH"] = f"{tmp_path}:{environment.get('PYTHONPATH', '')}"
    done = subprocess.run(wheelfs_command("ls"), env=environment, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (130, "")
