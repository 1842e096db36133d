"""``python -m tests.fakes.on_fuse ...`` is ``wheelfs ...`` that takes a store on FUSE, which is refused for good reasons.

The reasons are network file systems; `recording_fs`, which this is for, has one kernel.
"""

from __future__ import annotations

from wheelfs.__main__ import main
from wheelfs.store.engine import network_fs

if __name__ == "__main__":
    network_fs.refusal = lambda f_type: None
    raise SystemExit(main())
