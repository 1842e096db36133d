"""What is wrong with a machine's set-up, and how to mend it: decided from what was observed, without IO.

Each function judges one kind of facts.  ``broken`` is what keeps something that was asked for from working, a ``note`` what works
less well than it could, or otherwise than one may expect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from wheelfs.core.formatting import size_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wheelfs.core.resolve.installer_traps import Trap

Level = Literal["ok", "note", "broken"]

SKEW_S: Final = 60.0
"""Clocks that are kept in time differ by less; the Date of an answer has whole seconds, and some caches keep it."""
WRONG_CLOCK_S: Final = 86_400.0
"""Then certificates may be held for invalid, and what was uploaded today for a thing of the future."""
LITTLE_SPACE_BYTES: Final = 1 << 30
"""A few large wheels, which exist twice while they are stored."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: ``mend`` says what to do about it, where it is not ``ok``."""

    level: Level
    subject: str
    what: str
    mend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FuseFacts:
    """Whether this user can mount.

    ``user_background`` is the kernel's bound on background requests of users' mounts, of which wheelfs wants
    ``wanted_background``.  ``request_timeout_s``: after this long a request, the kernel ends a mount; wheelfs waits for an index
    up to ``wait_s``.  None: there is no such bound, or it cannot be read.
    """

    device: Literal["usable", "missing", "forbidden"]
    is_root: bool
    has_fusermount: bool
    may_gain_privileges: bool
    may_allow_other: bool
    wants_allow_other: bool
    has_fusectl: bool
    user_background: int | None
    wanted_background: int
    request_timeout_s: float | None
    wait_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MountFacts:
    """A mount of wheelfs that is there; limits are None where they cannot be read."""

    path: str
    state: Literal["answers", "dead", "silent"]
    background: int | None
    wanted_background: int
    read_ahead_kb: int | None
    wanted_read_ahead_kb: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """The store, or the place where it will be made.  ``network`` names its network file system.

    ``has_inodes``: files can be made there.  ``error``: why it does not open; ``advice``: what that says to do, may be empty.
    """

    path: str
    exists: bool
    network: str | None
    is_writable: bool
    is_open_to_others: bool
    free_bytes: int
    total_bytes: int
    has_inodes: bool
    error: str | None
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginFacts:
    """An index or share that was asked; ``error``: it gave no good answer.  ``ahead_s``: how far its clock is ahead of ours."""

    kind: Literal["index", "share"]
    name: str
    error: str | None
    ahead_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InterpreterFacts:
    """The interpreter of environment ``name``: ``is_python`` where one answers at ``path``; ``problem``: why it does not run."""

    name: str
    path: str
    is_python: bool
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FstabFacts:
    """Lines of fstab for wheelfs, by mount point; and what mount(8) needs for them."""

    mounts: tuple[str, ...]
    automounts: tuple[str, ...]
    has_autofs: bool
    has_helper: bool
    is_in_system_path: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramFacts:
    """Programs that are found on PATH."""

    has_wheelfs: bool
    has_uv: bool


def fuse_findings(facts: FuseFacts) -> Iterator[Finding]:
    """Judge whether mounting works, and how well."""
    subject = "fuse"
    without = "without a mount work wheelfs run and wheelfs serve"
    if facts.device == "missing":
        mend = f"as root: modprobe fuse; in a container: --device /dev/fuse --cap-add SYS_ADMIN; {without}"
        yield Finding("broken", subject, "there is no /dev/fuse, so nothing can be mounted", mend)
        return
    if facts.device == "forbidden":
        mend = f"as root: chmod a+rw /dev/fuse; in a container: --device /dev/fuse --cap-add SYS_ADMIN; {without}"
        yield Finding("broken", subject, "/dev/fuse may not be opened by this user, so nothing can be mounted", mend)
        return
    obstacles = list(_obstacles_of_users(facts)) if not facts.is_root else []
    yield from obstacles
    if not obstacles:
        yield Finding("ok", subject, "/dev/fuse can be used, so mounting works")
    if not facts.is_root and not facts.has_fusectl:
        what = "fusectl is not mounted: while 12 reads wait for the network, all other reads wait, too"
        yield Finding("note", subject, what, "as root: mount -t fusectl fusectl /sys/fs/fuse/connections")
    elif not facts.is_root and facts.user_background is not None and facts.user_background < facts.wanted_background:
        what = f"while {facts.user_background} reads of a mount wait for the network, all its other reads wait, too"
        mend = f"as root: echo {facts.wanted_background} > /sys/module/fuse/parameters/max_user_bgreq"
        yield Finding("note", subject, what, mend)
    if facts.request_timeout_s is not None and facts.request_timeout_s / 2 < facts.wait_s:
        what = (
            f"the kernel ends a mount in which one request takes {facts.request_timeout_s:.0f} s, so no index is waited for "
            f"longer than {facts.request_timeout_s / 2:.0f} s, though {facts.wait_s:.0f} s are configured"
        )
        mend = "as root: sysctl fs.fuse.default_request_timeout=0 fs.fuse.max_request_timeout=0"
        yield Finding("note", subject, what, mend)


def _obstacles_of_users(facts: FuseFacts) -> Iterator[Finding]:
    """Yield what keeps a user who is not root from mounting."""
    if not facts.has_fusermount:
        yield Finding("broken", "fuse", "fusermount3 is not installed, and users other than root mount with it", "install fuse3")
    if not facts.may_gain_privileges:
        what = "this process may not gain privileges (no_new_privs), so fusermount3 cannot mount"
        mend = "run it outside of the sandbox (systemd: NoNewPrivileges=no, docker: without no-new-privileges), or as root"
        yield Finding("broken", "fuse", what, mend)
    if facts.wants_allow_other and not facts.may_allow_other:
        what = "allow-other is configured, and users may not use it on this machine"
        yield Finding("broken", "fuse", what, "an administrator adds the line user_allow_other to /etc/fuse.conf")


def mount_findings(facts: MountFacts) -> Iterator[Finding]:
    """Judge a mount that is there."""
    subject = f"mount {facts.path}"
    if facts.state == "dead":
        what = 'its process was killed: everything in it fails with "Transport endpoint is not connected"'
        yield Finding("broken", subject, what, f"wheelfs umount {facts.path}, or mount there again")
        return
    if facts.state == "silent":
        what = "it does not answer: its process is stopped or hangs"
        mend = f"kill -CONT its process, or wheelfs umount --lazy {facts.path} and kill it"
        yield Finding("broken", subject, what, mend)
        return
    if facts.background is not None and facts.background < facts.wanted_background:
        what = f"while {facts.background} of its reads wait for the network, all others wait, too"
        mend = "mount as root, or see the note on fuse; the log of the mount says why it could not be raised"
        yield Finding("note", subject, what, mend)
    if facts.read_ahead_kb is not None and facts.read_ahead_kb < facts.wanted_read_ahead_kb:
        what = f"large files are read in pieces of {facts.read_ahead_kb} KiB: {facts.wanted_read_ahead_kb} are faster"
        yield Finding("note", subject, what, "mount as root, which may raise it (read_ahead_kb in /sys/class/bdi)")
    yield Finding("ok", subject, "it answers")


def store_findings(facts: StoreFacts) -> Iterator[Finding]:
    """Judge the place of the store."""
    subject = "store"
    place = facts.path if facts.exists else f"{facts.path}, which does not exist yet,"
    if facts.network is not None:
        what = f"{place} is on a network file system ({facts.network}), where LMDB corrupts data"
        yield Finding("broken", subject, what, "keep it on a local disk (--store DIR), and share wheels with --share URL")
        return
    if facts.error is not None:
        mend = facts.advice or "check the directory, and the disk that it is on"
        yield Finding("broken", subject, f"{place} cannot be opened: {facts.error}", mend)
        return
    if not facts.is_writable:
        what = f"{place} cannot be written: nothing can be fetched or added"
        yield Finding("broken", subject, what, "check the owner and mode of the directory, or name another one with --store")
        return
    if facts.is_open_to_others:
        what = f"other users may read {facts.path}: private wheels are in it"
        yield Finding("note", subject, what, f"chmod go= {facts.path}, or name the group that may: store-group")
    if facts.free_bytes == 0:
        yield Finding("broken", subject, "its disk is full", "free some space, or wheelfs rm and wheelfs gc")
    elif not facts.has_inodes:
        what = "its file system has no free inode, whatever room it has"
        yield Finding("broken", subject, what, "delete files on it, such as caches and environments; nothing stored was lost")
    elif facts.free_bytes < min(LITTLE_SPACE_BYTES, facts.total_bytes // 20):
        what = f"its disk has {size_text(facts.free_bytes)} left"
        yield Finding("note", subject, what, "free some space, or bound the store with a quota ([cache] quota)")
    else:
        yield Finding("ok", subject, f"{place} can be written, {size_text(facts.free_bytes)} are free")


def origin_findings(facts: OriginFacts) -> Iterator[Finding]:
    """Judge an index or share, and this machine's clock by its."""
    subject = f"{facts.kind} {facts.name}"
    if facts.error is not None:
        mend = "check its address with wheelfs config, and proxies, certificates and credentials; --offline uses what is stored"
        yield Finding("broken", subject, f"it gave no good answer: {facts.error}", mend)
    else:
        yield Finding("ok", subject, "it answers")
    if facts.ahead_s is None or abs(facts.ahead_s) < SKEW_S:
        return
    direction = "slow" if facts.ahead_s > 0 else "fast"
    what = f"by the {subject}, this machine's clock is {abs(facts.ahead_s):,.0f} s {direction}: asof and min-age go by it"
    level: Level = "note" if abs(facts.ahead_s) < WRONG_CLOCK_S else "broken"
    yield Finding(level, "clock", what, "set the clock, or keep it: timedatectl set-ntp true")


def environment_findings(found: Iterable[InterpreterFacts]) -> Iterator[Finding]:
    """Judge whether environments still have the interpreters that they were made for."""
    count, broken = 0, 0
    for facts in found:
        count += 1
        if facts.problem:
            broken += 1
            mend = again(facts.name, facts.path if facts.is_python else None)
            yield Finding("broken", f"environment {facts.name}", facts.problem, mend)
    if count and not broken:
        yield Finding("ok", "environments", "their interpreters, where they may be asked, are those that they were made for")


def again(name: str, python: str | None) -> str:
    """Return how to make an environment again for the interpreter at a path, or for any where that is None."""
    return f"make it again: wheelfs env create {name} LOCK --python {python or 'PATH'}"


def fstab_findings(facts: FstabFacts) -> Iterator[Finding]:
    """Judge whether what fstab has of wheelfs can be mounted."""
    if not facts.mounts:
        return
    places = ", ".join(facts.mounts)
    found = []
    if not facts.has_helper:
        what = f"mount(8) cannot mount {places}: there is no mount.fuse3 or mount.fuse"
        found.append(Finding("broken", "fstab", what, "install fuse3"))
    if not facts.is_in_system_path:
        what = f"mount(8) cannot mount {places}: it looks for wheelfs in the system's own directories only"
        mend = "as root: ln -s $(command -v wheelfs) /usr/local/bin/wheelfs, or type fuse with /PATH/TO/wheelfs#SOURCE"
        found.append(Finding("broken", "fstab", what, mend))
    if facts.automounts and not facts.has_autofs:
        what = f"{', '.join(facts.automounts)} cannot be mounted when first used: the kernel has no autofs"
        found.append(Finding("broken", "fstab", what, "as root: modprobe autofs4, or leave x-systemd.automount out"))
    yield from found or [Finding("ok", "fstab", f"mount(8) can mount {places}")]


def client_findings(found: Iterable[Trap], upload_cutoff: str | None, notes: Iterable[str]) -> Iterator[Finding]:
    """Judge pip's and uv's configuration.

    ``upload_cutoff`` is where pip is told to take no new files, ``notes`` are sentences about indexes that are not taken.
    """
    subject, count = "clients", 0
    if upload_cutoff is not None:
        what = f"{upload_cutoff} keeps new files from pip, and pip (26.3) ignores it for every file:// address"
        yield Finding("note", subject, what, "set min-age, mount asof/TIME/simple, or use wheelfs serve")
        count += 1
    for trap in found:
        yield Finding("note", subject, f"{trap.place} {trap.effect}", trap.mend)
        count += 1
    for note in notes:
        yield Finding("note", subject, note)
        count += 1
    if not count:
        yield Finding("ok", subject, "nothing in the configuration of pip and uv is in the way")


def program_findings(facts: ProgramFacts) -> Iterator[Finding]:
    """Judge what is found on PATH."""
    if not facts.has_wheelfs:
        what = "wheelfs is not on PATH: completions, fstab and units need its whole path"
        yield Finding("note", "path", what, "add the directory that it is in to PATH")
    if not facts.has_uv:
        yield Finding("note", "path", "uv is not found, so --with-deps cannot resolve", "install uv beside wheelfs, or on PATH")
