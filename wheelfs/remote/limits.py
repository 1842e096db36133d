"""How long other people's servers are waited for, and how much is taken from them; passed in, so that tests choose their own."""

from __future__ import annotations

from typing import Final

import msgspec

from wheelfs.core.simple.api import MAX_BODY_BYTES
from wheelfs.model.share_catalog import MAX_RECORD_FILES, MAX_SNAPSHOT_FILES, SPAN


class HttpLimits(msgspec.Struct, frozen=True):
    """Of one index, its files included."""

    connect_timeout_s: float = 5.0
    read_timeout_s: float = 30.0
    """Between two arrivals; callers have a tighter bound around the whole."""
    max_connections: int = 32
    """Half of them for files (`FetchLimits.whole_streams`): what browsers and installers grant one site, times two; more gains
    nothing and annoys its owners.  The others for what is small, which must not wait for files: pages, METADATA, tails."""
    max_redirects: int = 30
    """As many as pip follows (uv: 10): where a file is reached by a chain of proxies, it is installed as it is straight."""
    attempts: int = 3
    reconnects: bool = True
    """Whether a connection that fails is one of them.  Not of a share: others are asked in its place, and at once."""
    first_pause_s: float = 0.2
    longest_retry_after_s: float = 25.0
    """An origin that wants more patience, or more than its caller has, is reported as it is: ``open`` has 30 s."""
    answer_s: float = 2.0
    """What must be left of the caller's time for the answer itself."""
    keyring_renew_s: float = 30.0
    """How long the keyring's answer holds, even when refused or empty: a client that is refused asks again at once."""
    page_bytes: int = MAX_BODY_BYTES
    metadata_bytes: int = 10 << 20
    parse_in_thread_bytes: int = 64 * 1024
    """Parsing takes 25 to 40 ms a megabyte; a smaller page is parsed sooner than a thread is started."""


HTTP_LIMITS: Final = HttpLimits()


class CloudLimits(msgspec.Struct, frozen=True):
    """Of an object store in a cloud."""

    connect_timeout_s: float = 5.0
    silence_s: float = 20.0
    """How long a store that is read from may send nothing.  Not for writing: there the time of sending would count."""
    request_timeout_s: float = 300.0
    """A pack of 64 MiB in it is 1.8 Mbit/s."""
    retries: int = 4
    retry_timeout_s: float = 60.0


CLOUD_LIMITS: Final = CloudLimits()


class ShareLimits(msgspec.Struct, frozen=True):
    """Of a share of objects."""

    span: int = SPAN
    """Records from one root to the next.  Part of the format: all who use one share must agree on it."""
    record_files: int = MAX_RECORD_FILES
    snapshot_files: int = MAX_SNAPSHOT_FILES
    portion_files: int = 1_000
    """Files reported in one go."""
    look_around: int = 6
    """After this many questions without news, check whether this is still the same share, and the log goes on elsewhere."""
    records_at_once: int = 16
    """Records read together, where it is known that there are many."""
    collect_at_once: int = 8
    """Small objects that a collection reads at a time: each costs a round trip."""
    probes: int = 32
    """Names that a collection makes, before it looks and before it acts: of those on a server that is away none can be made."""
    run_bytes: int = 8 << 20
    """Asked for in one request, and held in memory, at most."""
    gap_bytes: int = 64 << 10
    """Read along with what is wanted rather than asked around: a request of its own costs more."""
    piece_bytes: int = 4 << 20
    """Of a file, given to a reader at a time."""


SHARE_LIMITS: Final = ShareLimits()
