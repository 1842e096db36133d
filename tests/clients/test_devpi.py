"""What the guide tells people who come from devpi, with a real devpi-server."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.fakes.devpi import Devpi
from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.clients import Clients
    from tests.fakes.index import FakeIndex

pytestmark = [pytest.mark.real_index, pytest.mark.soak]


def test_devpi_is_an_index_and_its_files_are_taken_in(
    mounted: MountWheelfs, run_wheelfs: RunWheelfs, store_dir: Path, clients: Clients, fake_index: FakeIndex, tmp_path: Path
) -> None:
    fake_index.add_wheel("app", "1.0", requires=["numbers"])
    fake_index.add_wheel("numbers", "2.0", big_bytes=400_000)
    upload = wheel_filename("labtool", "1.0")
    with Devpi(tmp_path / "devpi") as devpi:
        mirror, lab = devpi.add_mirror("pypi", fake_index.url), devpi.add_stage("lab")
        devpi.upload(lab, upload, build_wheel("labtool", "1.0"))
        first = mounted("--index", f"devpi={mirror}")
        source = ["--default-index", f"file://{first.path}/simple"]
        clients.uv().run("pip", "install", *source, "app").succeeded()

        fake_index.stop()
        with pytest.raises(urllib.error.HTTPError) as told:
            urllib.request.urlopen(f"{mirror}never-seen/", timeout=60.0)
        told.value.close()
        assert told.value.code == 404, "devpi takes silence for a no"
    wheels = list((tmp_path / "devpi" / "+files" / "root" / "lab").rglob("*.whl"))
    assert [path.name for path in wheels] == [upload]
    run_wheelfs("--store", str(store_dir), "add", *map(str, wheels)).succeeded()
    uv = clients.uv()
    uv.run("pip", "install", *source, "app", "labtool").succeeded()
    assert uv.installed() == {"app": "1.0", "numbers": "2.0", "labtool": "1.0"}
