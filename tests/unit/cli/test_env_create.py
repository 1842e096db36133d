"""What ``wheelfs env create`` of a lock whose wheels are stored starts, and what it leaves alone."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.fakes.processes import isolated_environment
from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from pathlib import Path

WITHOUT = {
    *("trio", "wheelfs.service.node", "wheelfs.service.operations.fetch", "wheelfs.service.operations.resolve"),
    *("packaging.metadata", "email.message"),
}


def test_env_create_of_a_stored_lock_needs_no_node_and_no_network(tmp_path: Path) -> None:
    wheel, lock, store = tmp_path / wheel_filename("demo", "1.0"), tmp_path / "pylock.toml", str(tmp_path / "store")
    wheel.write_bytes(build_wheel("demo", "1.0"))
    lock.write_text(
        'lock-version = "1.0"\ncreated-by = "test"\n[[packages]]\nname = "demo"\nversion = "1.0"\n'
        f'[[packages.wheels]]\nname = "{wheel.name}"\nurl = "https://index.example/{wheel.name}"\n'
        f'hashes = {{sha256 = "{hashlib.sha256(wheel.read_bytes()).hexdigest()}"}}\n'
    )
    script = f"""
import sys
from wheelfs.cli.main import main
words = ["env", "create", "it", {str(lock)!r}, "--index", "lab=http://localhost:1/simple"]
code = main(["--store", {store!r}, *words], program="wheelfs")
print(code, *sorted({WITHOUT!r} & set(sys.modules)))
"""
    environment = isolated_environment(tmp_path)
    add = [sys.executable, "-m", "wheelfs", "--store", store, "add", str(wheel)]
    subprocess.run(add, env=environment, capture_output=True, check=True)
    ran = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "0"
