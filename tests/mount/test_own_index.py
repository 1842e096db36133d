"""pip configured with the lines that wheelfs prints: a mount or a gateway that starts then does not ask itself."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.fakes.commands import error_of, objects
from tests.gateway.serving import Serving
from wheelfs.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.index import FakeIndex


def test_a_mount_that_pip_is_configured_with_takes_the_next_index_at_its_next_start(
    fake_index: FakeIndex, mounted: MountWheelfs, run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    path, pip, uv = tmp_path / "mnt", tmp_path / "pip.conf", tmp_path / "uv.toml"
    printed = run_wheelfs("config", "pip", "--mount", str(path)).succeeded().stdout
    pip.write_text(f"{printed}\nextra-index-url = https://me:hunter2@extra.example/simple\n")
    uv.write_text(f'index-url = "{fake_index.url}"\n')
    environ = {"PIP_CONFIG_FILE": str(pip), "UV_CONFIG_FILE": str(uv), "UV_NO_CONFIG": ""}
    name, _ = fake_index.add_wheel("numbers", "1.0")
    mount = mounted(path=path, env=environ)
    assert name in os.listdir(path / "simple" / "numbers")
    assert f"{pip} [global] index-url leads to the mount point itself, {path}: no index to ask" in mount.log
    assert f"so {uv} index-url is taken instead" in mount.log
    assert f"not taken as indexes: {pip} [global] extra-index-url; packages from there are not stored" in mount.log
    # While it is mounted, every other command on the machine takes the same.
    for command in ("status", "config"):
        told = run_wheelfs("--store", str(store_dir), command, env=environ).succeeded().stdout
        assert fake_index.url in told
        assert "extra.example" not in told
    [whole] = objects(run_wheelfs("--store", str(store_dir), "config", "--json", env=environ).succeeded())
    assert whole["notes"][0].startswith(f"{pip} [global] index-url leads to the wheelfs mount at {path}: no index to ask")
    done = run_wheelfs("--store", str(store_dir), "run", "--", "true", env=environ).succeeded()
    assert "not taken as indexes" in done.stderr
    assert "hunter2" not in mount.log + done.stderr


def test_a_mount_refuses_to_be_its_own_index(run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path) -> None:
    url = (tmp_path / "mnt/here/simple").as_uri()
    done = run_wheelfs("--store", str(store_dir), "--json", "mount", str(tmp_path / "mnt"), "--index", f"lab={url}")
    assert done.returncode == UsageError.exit_code
    assert "a mount has only what it gets from an index" in error_of(done)["message"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_gateway_that_pip_is_configured_with_takes_the_next_index(
    fake_index: FakeIndex, run_wheelfs: RunWheelfs, tmp_path: Path, workers: int
) -> None:
    name, _ = fake_index.add_wheel("numbers", "1.0")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    environ = {"PIP_INDEX_URL": f"http://{listen}/simple/", "UV_DEFAULT_INDEX": fake_index.url}
    where = tmp_path / "gateway"
    with Serving(where, "--workers", str(workers), listen=listen, environment=environ) as gateway:
        assert name in httpx2.get(f"{gateway.url}/simple/numbers/", trust_env=False, timeout=60).text
        [told] = objects(run_wheelfs("--store", str(gateway.store), "status", "--json", env=environ).succeeded())
        assert [origin["url"] for origin in told["origins"]] == [fake_index.url]
    log = gateway.log.read_text()
    assert log.count(f"PIP_INDEX_URL in the environment leads to the gateway itself, at {listen}: no index to ask") == 1
    done = run_wheelfs("--json", "serve", "--listen", listen, "--index", f"lab=http://{listen}/simple")
    assert done.returncode == UsageError.exit_code
    assert f"leads to the gateway itself, at {listen}" in error_of(done)["message"]
