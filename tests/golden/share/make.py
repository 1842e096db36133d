"""Makes the golden share: small wheels of two pushes in a directory, packed, and beside it what pulling must give.

Run from the project's directory, by the build whose format is to be kept::

    python -m tests.golden.share.make tests/golden/share/share-1

Like golden stores it is never made again: a later build must read what an earlier one wrote.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from wheelfs.model.share_catalog import SPAN
from wheelfs.remote.share.objects import open_objects
from wheelfs.remote.share.share import WrittenShare
from wheelfs.service.shares.push import push
from wheelfs.store.catalog.records import StoredName
from wheelfs.store.store import Store

AT_US = 1_760_000_000_000_000


def pack(target: Path) -> None:
    """Write the golden share and what it must give."""
    shared = {"golden/data.bin": incompressible(3_000, "shared"), "golden/empty": b""}
    wheels = {
        wheel_filename("golden", version): build_wheel("golden", version, files=shared, compression="stored")
        for version in ("1.0", "2.0", "3.0")
    }
    with tempfile.TemporaryDirectory() as scratch:
        share = Path(scratch) / "share"
        share.mkdir()
        with Store.open(Path(scratch) / "store") as store:
            for filename, content in wheels.items():
                (Path(scratch) / "input").write_bytes(content)
                name = StoredName(
                    project="golden",
                    filename=filename,
                    index="main",
                    size_bytes=len(content),
                    added_at_us=AT_US,
                    upload_time_us=AT_US,
                    requires_python=">=3.11",
                    yanked="it breaks" if "-1.0-" in filename else None,
                    url=f"https://index.example/{filename}",
                )
                with (Path(scratch) / "input").open("rb") as opened:
                    store.add_content(opened.fileno(), len(content), expected_sha256=None, names=[name])
                written = WrittenShare(open_objects(share.as_uri()))
                list(push(store, written, [filename], private=False))
                if "-2.0-" in filename:
                    # Enough for a root and its snapshot; what the third push tells is in a record alone.
                    for number in range(SPAN):
                        written.catalog.append(
                            None, [], [("golden", f"golden-0.{number}.tar.gz", bytes(32))], may_tell=lambda: True
                        )
        with tarfile.open(target.with_suffix(".tar.xz"), "w:xz") as archive:
            for path in sorted(path for path in share.rglob("*") if path.is_file()):
                archive.add(path, str(path.relative_to(share)), filter=_nobodys)
    told = {"files": {filename: hashlib.sha256(content).hexdigest() for filename, content in wheels.items()}}
    target.with_suffix(".json").write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")


def _nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    pack(Path(sys.argv[1]))
