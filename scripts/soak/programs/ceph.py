"""Ceph on one machine, for `cluster`: three OSDs, of which one is killed, as CephFS and as a bucket of radosgw.

All daemons have one key.  Without any, what begins sends commands before it knows its cluster, and is refused ("wrong fsid").
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import urllib.error
import urllib.request
import uuid
from email.utils import formatdate
from typing import TYPE_CHECKING, ClassVar, Final

from scripts.soak.programs.file_systems import NODES, FileSystem, NotReady
from tests.fakes.waiting import eventually

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping
    from pathlib import Path

OSDS: Final = 3
_OSD_BYTES: Final = 3 << 30
"""Sparse: what is written is less."""
_PLACEMENT_GROUPS: Final = "8"
_BUCKET: Final = "lab"
_FIRST_PORT: Final = 7480
_CONFIGURATION: Final = """\
[global]
fsid = {fsid}
mon host = v1:127.0.0.1:6789
keyring = {where}/keyring
public network = 127.0.0.0/8
ms bind msgr2 = false
run dir = {where}
admin socket = /var/run/ceph/$name.$pid.asok
mon data = {where}/mon
mgr data = {where}/mgr
mds data = {where}/mds
osd data = {where}/osd$id
log file =
err to stderr = true
osd pool default size = {osds}
osd pool default min size = 2
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = bluestore
bluestore block size = {osd_bytes}
osd memory target = 1073741824
osd heartbeat interval = 1
osd heartbeat grace = 4
mon osd reporter subtree level = osd
mon osd adjust heartbeat grace = false
mon osd down out interval = 36000
mgr initial modules =
"""


class Ceph(FileSystem):
    """A monitor, a manager and the OSDs, each object on all of them; two are enough to go on."""

    needs: ClassVar[Mapping[str, str]] = {
        "ceph-authtool": "apt install ceph-common",
        "ceph": "apt install ceph-common",
        "ceph-mon": "apt install ceph-mon",
        "ceph-mgr": "apt install ceph-mgr",
        "ceph-osd": "apt install ceph-osd",
    }
    needs_root = True
    has_servers = True

    def __init__(self, where: Path) -> None:
        """See `FileSystem`."""
        super().__init__(where)
        self._configuration = str(where / "ceph.conf")
        self._last: subprocess.Popen[bytes] | None = None

    def set_up(self) -> None:
        """Start a cluster, and wait until it can be written to."""
        self.private("/var/run/ceph", "/var/log/ceph", "/etc/ceph")
        fsid = str(uuid.uuid4())
        (self.where / "ceph.conf").write_text(_CONFIGURATION.format(fsid=fsid, where=self.where, osds=OSDS, osd_bytes=_OSD_BYTES))
        for name in ("mon", "mgr", "mds"):
            (self.where / name).mkdir()
        self._write_keyring(self.run("ceph-authtool", "--gen-print-key").strip())
        monmap = str(self.where / "monmap")
        self.run("monmaptool", "--create", "--addv", "a", "v1:127.0.0.1:6789", "--fsid", fsid, monmap)
        made_of = ("--monmap", monmap, "--keyring", str(self.where / "keyring"))
        self.run("ceph-mon", "-c", self._configuration, "--mkfs", "-i", "a", *made_of)
        self._start("ceph-mon", "-i", "a")
        self.ceph("mon", "stat")
        self._start("ceph-mgr", "-i", "a")
        for number in range(OSDS):
            identity = str(uuid.uuid4())
            self.ceph("osd", "new", identity, str(number))
            (self.where / f"osd{number}").mkdir()
            self.run("ceph-osd", "-c", self._configuration, "-i", str(number), "--mkfs", "--osd-uuid", identity)
            self._start_osd(number)
        eventually(lambda: f"{OSDS} up" in self.ceph("osd", "stat"))

    def _write_keyring(self, key: str) -> None:
        names = ["mon.", "mgr.a", "mds.a", "client.admin"]
        names += [f"osd.{number}" for number in range(OSDS)] + [f"client.node{node}" for node in range(NODES)]
        may = "".join(f'\tcaps {what} = "allow *"\n' for what in ("mon", "mgr", "mds", "osd"))
        (self.where / "keyring").write_text("".join(f"[{name}]\n\tkey = {key}\n{may}" for name in names))

    def _start_osd(self, number: int) -> None:
        # The last one is the one that is killed.
        self._last = self._start("ceph-osd", "-i", str(number))

    def _start(self, program: str, *words: str) -> subprocess.Popen[bytes]:
        return self.start(program, "-c", self._configuration, "-f", *words)

    def ceph(self, *words: str) -> str:
        """Run a command of the monitor, which refuses some for a while after it has begun."""
        return self.until_it_works("ceph", "-c", self._configuration, "--connect-timeout", "20", *words)

    def hurt(self) -> None:
        """Kill the last OSD."""
        assert self._last is not None
        self._last.kill()
        self._last.wait()

    def heal(self) -> None:
        """Start it again."""
        self._start_osd(OSDS - 1)


class CephFs(Ceph):
    """CephFS, mounted by ceph-fuse."""

    name = "cephfs"
    needs: ClassVar[Mapping[str, str]] = {
        **Ceph.needs,
        "ceph-mds": "apt install ceph-mds",
        "ceph-fuse": "apt install ceph-fuse",
    }

    def set_up(self) -> None:
        """Make a file system, and mount it twice."""
        super().set_up()
        for pool in ("meta", "data"):
            self.ceph("osd", "pool", "create", pool, _PLACEMENT_GROUPS)
        self.ceph("fs", "new", "soak", "meta", "data")
        self._start("ceph-mds", "-i", "a")
        eventually(lambda: "active" in self.ceph("mds", "stat"))
        for node in range(NODES):
            self.mount(node, "ceph-fuse", "-c", self._configuration, "-f")


class RadosGw(Ceph):
    """A bucket of radosgw, which each node has one of."""

    name = "radosgw"
    needs: ClassVar[Mapping[str, str]] = {**Ceph.needs, "radosgw": "apt install radosgw", "radosgw-admin": "apt install radosgw"}
    _secrets: Final = ("soak", "only on loopback")

    def set_up(self) -> None:
        """Start two gateways, and make a bucket."""
        super().set_up()
        key, secret = self._secrets
        user = ("user", "create", "--uid", "soak", "--display-name", "soak", "--access-key", key, "--secret-key", secret)
        self.until_it_works("radosgw-admin", "-c", self._configuration, *user)
        for node in range(NODES):
            frontend = f"beast endpoint=127.0.0.1:{_FIRST_PORT + node}"
            self._start("radosgw", "-n", f"client.node{node}", f"--rgw-frontends={frontend}")
        eventually(self._made_bucket)

    def _made_bucket(self) -> bool:
        """Ask for the bucket, and return whether it is there."""
        date = formatdate(usegmt=True)
        signature = hmac.new(self._secrets[1].encode(), f"PUT\n\n\n{date}\n/{_BUCKET}".encode(), hashlib.sha1).digest()
        request = urllib.request.Request(f"http://127.0.0.1:{_FIRST_PORT}/{_BUCKET}", method="PUT")
        request.add_header("Date", date)
        request.add_header("Authorization", f"AWS {self._secrets[0]}:{base64.b64encode(signature).decode()}")
        try:
            with urllib.request.urlopen(request, timeout=30):
                return True
        except urllib.error.HTTPError as error:
            raise NotReady(f"radosgw makes no bucket: {error.code} {error.read()[:300]!r}") from None
        except OSError:
            return False

    def share(self, node: int) -> tuple[str, Mapping[str, str]]:
        """Return the URL of the share, and the environment in which a node's own gateway is found."""
        key, secret = self._secrets
        return f"s3://{_BUCKET}/wheels", {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{_FIRST_PORT + node}",
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": "us-east-1",
        }
