"""``python -m tests.fakes.on_fuse ...`` is ``wheelfs ...`` that takes a store on FUSE, which is refused for good reasons.

The reasons are network file systems; `recording_fs`, which this is for, has one kernel.  Partial files are synced more often
than the small files of tests would be.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import force_setattr

from wheelfs.__main__ import main
from wheelfs.service.fetch.limits import FETCH_LIMITS
from wheelfs.store.engine import network_fs

SYNC_BYTES: Final = 64 << 10

if __name__ == "__main__":
    network_fs.refusal = lambda f_type: None
    force_setattr(FETCH_LIMITS, "sync_bytes", SYNC_BYTES)
    raise SystemExit(main())
