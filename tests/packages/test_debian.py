"""``scripts/build-deb``: the package is installed, used as mount(8), systemd and users do, and removed, in a root of its own."""

from __future__ import annotations

import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from scripts.programs.build_deb import set_modes
from tests.fakes.processes import ROOT
from tests.fakes.wheels import build_wheel, wheel_filename

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.roots import MachineRoot

USE = """
dpkg -i /packages/wheelfs_*.deb
wheelfs --version
/usr/lib/wheelfs/bin/python -I -c "import pip"
test "$(man -w wheelfs-mount)" = /usr/share/man/man1/wheelfs-mount.1.gz
units="wheelfs-gateway.service wheelfs-gateway-housekeeping.timer wheelfs-housekeeping.timer"
systemd-analyze verify --man=no $units 2>&1 | grep wheelfs && exit 1
complete -p wheelfs 2>/dev/null || { . /usr/share/bash-completion/completions/wheelfs; complete -p wheelfs; }
wheelfs add /packages/demo-1.0-py3-none-any.whl
mkdir -p /mnt/wheels
mount -t fuse.wheelfs none /mnt/wheels -o no-index,offline
cmp /mnt/wheels/demo-1.0-py3-none-any.whl /packages/demo-1.0-py3-none-any.whl
wheelfs status
umount /mnt/wheels
wheelfs umount /mnt/wheels 2>/dev/null || true
dpkg -V wheelfs
"""
UPGRADE = "dpkg -i /packages/wheelfs_*.deb && wheelfs ls demo"
REMOVE = """
dpkg -P wheelfs
! command -v wheelfs
for gone in lib/wheelfs sbin/mount.fuse.wheelfs share/doc/wheelfs lib/systemd/system/wheelfs-gateway.service; do
    test ! -e "/usr/$gone"
done
ls -d /var/lib/wheelfs /var/log/wheelfs
"""


def test_a_package_is_readable_by_all_whoever_builds_it(tmp_path: Path) -> None:
    program, plain, link = (tmp_path / "lib" / name for name in ("program", "plain", "link"))
    program.parent.mkdir(mode=0o700)
    for path, mode in ((program, 0o700), (plain, 0o600)):
        path.touch(mode)
        path.chmod(mode)
    link.symlink_to("/nowhere")
    set_modes(tmp_path)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path, program.parent, program, plain)] == [0o755] * 3 + [0o644]


@pytest.mark.soak
@pytest.mark.real_index
def test_the_package_is_installed_used_upgraded_and_removed(root: MachineRoot) -> None:
    packages = root.changed / "packages"
    packages.mkdir()
    subprocess.run([ROOT / "scripts" / "build-deb", "--into", packages], check=True, stdout=subprocess.DEVNULL, umask=0o077)
    [package] = packages.glob("*.deb")
    listed = subprocess.run(["dpkg-deb", "-c", package], check=True, capture_output=True, text=True).stdout
    assert [line for line in listed.splitlines() if line[7:10] not in ("r--", "r-x", "rwx")] == [], "every user can read it"
    name = wheel_filename("demo", "1.0")
    (packages / name).write_bytes(build_wheel("demo", "1.0"))
    used = root.run(USE).succeeded()
    assert "mount   /mnt/wheels" in used.stdout
    assert used.stdout.splitlines()[-1].startswith("network"), "what was installed has not changed by use"
    assert name in root.run(UPGRADE).succeeded().stdout
    root.run(REMOVE).succeeded()
