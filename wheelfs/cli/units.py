"""Units of systemd for mounts, gateways and housekeeping; pure functions that return their texts.

A mount's unit has none of the settings that give a service a mount namespace of its own (ProtectSystem, PrivateTmp, ...): the
mount would be seen by no other process.  Nor may it forbid gaining privileges, since fusermount3 does.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

MARK: Final = "# Written by wheelfs service; it is replaced by the next one, so changes belong into `systemctl edit`."
"""The first line of our units, by which they are known."""

WATCHDOG_S: Final = 60
"""Far longer than a loop that turns is silent, also on a machine that swaps."""
IDLE_S: Final = 600
"""How long a mount that is made when it is first used stays without being used."""
STOP_S: Final = 30
"""A mount or gateway ends within some ten seconds."""

_GATEWAY: Final = "wheelfs-gateway.service"
_OWN_STORE: Final = (
    "DynamicUser=yes",
    "User=wheelfs-gateway",
    "StateDirectory=wheelfs-gateway",
    "Environment=WHEELFS_STORE=%S/wheelfs-gateway",
)
"""Of the gateway that has a user and a store of its own, and of what looks after that store."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit file; ``enable``: it is what is enabled, others are started by it."""

    name: str
    text: str
    enable: bool = True


def mount_unit(program: Sequence[str], mountpoint: Path, options: Sequence[str], *, for_user: bool) -> Unit:
    """Return the unit of a mount; ``program`` is the command with its common options, ``options`` those of mount."""
    command = command_line([*program, "mount", "-f", *options, "--", str(mountpoint)])
    # Its configuration is not read for that, so a broken one keeps nothing mounted.
    clearing = command_line([*program, "umount", "--dead", str(mountpoint)])
    lines = [
        f"ExecStart={command}",
        # For a mount whose process was killed together with what would have cleared it.  It is run as well where the start was
        # refused since a mount made by hand is there, which must stay.
        f"ExecStopPost=-{clearing}",
    ]
    return Unit(
        f"wheelfs-mount-{_escaped(mountpoint)}.service", _service(f"Wheels at {mountpoint}", lines, stays=True, for_user=for_user)
    )


def automount_units(mountpoint: Path, options: Sequence[str]) -> list[Unit]:
    """Return the units that mount when the mount point is first used, and unmount what is idle; ``options`` are those of fstab.

    They go by mount(8), so wheelfs has to be in the system's own directories.
    """
    name, where = _escaped(mountpoint), str(mountpoint).replace("%", "%%")
    mount = [MARK, "[Unit]", f"Description=Wheels at {where}", "Wants=network-online.target", "After=network-online.target", ""]
    mount += ["[Mount]", "What=none", f"Where={where}", "Type=fuse.wheelfs"]
    mount += [f"Options={','.join(options).replace('%', '%%')}"] if options else []
    automount = [MARK, "[Unit]", f"Description=Wheels at {where}, when they are first used", ""]
    automount += ["[Automount]", f"Where={where}", f"TimeoutIdleSec={IDLE_S}", "", "[Install]", "WantedBy=multi-user.target"]
    return [
        Unit(f"{name}.mount", "\n".join(mount) + "\n", enable=False),
        Unit(f"{name}.automount", "\n".join(automount) + "\n"),
    ]


def gateway_units(
    program: Sequence[str],
    options: Sequence[str],
    store: Path | None,
    *,
    secrets: Mapping[str, Path] = MappingProxyType({}),
    log_file: Path | None = None,
    for_user: bool,
) -> list[Unit]:
    """Return the units of a gateway.

    ``store``: the directory that it writes to.  None: one of its own below /var/lib, under a user of its own, with a timer of its
    own, since that of `timer_units` is for the store of the machine's administrator.  ``secrets`` are files that this user may
    not read, by the variables that name them.  ``log_file`` is one that root's gateway is to write, besides the store.
    """
    lines = [f"ExecStart={command_line([*program, 'serve', *options])}"]
    if not for_user:
        lines += ["NoNewPrivileges=yes", "PrivateTmp=yes", "PrivateDevices=yes", "ProtectSystem=strict", "ProtectHome=read-only"]
        lines += ["ProtectKernelTunables=yes", "ProtectKernelModules=yes", "ProtectControlGroups=yes", "RestrictSUIDSGID=yes"]
        lines += ["RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "LockPersonality=yes"]
        if store is None:
            lines += [*_OWN_STORE, *_as_credentials(secrets, _GATEWAY)]
        else:
            # What ReadWritePaths names has to be there; made outside of them (+), since only it is writable inside.
            lines += [f"ExecStartPre=+{command_line(['/bin/mkdir', '-p', '-m', '700', '--', str(store)])}"]
            lines += [f"ReadWritePaths={_quoted(str(store))}"]
            lines += [] if log_file is None else [f"ReadWritePaths={_quoted(f'-{log_file.parent}')}"]
    gateway = Unit(_GATEWAY, _service("Gateway of wheels", lines, stays=True, for_user=for_user))
    if for_user or store is not None:
        return [gateway]
    made = "ConditionPathExists=%S/wheelfs-gateway/format"  # by the gateway, when it first starts
    return [gateway, *_weekly("wheelfs-gateway-housekeeping", "the gateway's store of wheels", program, [made], _OWN_STORE)]


def _as_credentials(secrets: Mapping[str, Path], unit: str) -> Iterator[str]:
    """Yield what lets a unit read files that its user may not: systemd copies them at each start (systemd.exec(5))."""
    for variable, path in secrets.items():
        yield f"LoadCredential={variable}:{str(path).replace('%', '%%')}"
        # Not %d, which systemd knows since its version 250 only.
        yield f"Environment={variable}=/run/credentials/{unit}/{variable}"


def timer_units(program: Sequence[str], *, for_user: bool) -> list[Unit]:
    """Return the units that free space and look for damage once a week."""
    return _weekly("wheelfs-housekeeping", "the store of wheels", program, for_user=for_user)


def _weekly(
    name: str,
    of_what: str,
    program: Sequence[str],
    conditions: Sequence[str] = (),
    more: Sequence[str] = (),
    *,
    for_user: bool = False,
) -> list[Unit]:
    """Return a service of housekeeping, with ``more`` lines, and the timer that starts it."""
    lines = [f"ExecStart={command_line([*program, 'gc'])}", f"ExecStart={command_line([*program, 'verify', '--quick'])}"]
    lines += ["Nice=10", "IOSchedulingClass=idle", *more]
    timer = [
        MARK,
        "[Unit]",
        f"Description=Housekeeping of {of_what}, once a week",
        "",
        "[Timer]",
        "OnCalendar=weekly",
        "RandomizedDelaySec=1h",
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    service = _service(f"Housekeeping of {of_what}", lines, conditions, stays=False, for_user=for_user)
    return [Unit(f"{name}.service", service, enable=False), Unit(f"{name}.timer", "\n".join(timer) + "\n")]


def command_line(words: Sequence[str]) -> str:
    """Return a command as systemd reads it (systemd.service(5), "Command lines")."""
    return " ".join(map(_quoted, words))


def _service(description: str, lines: Sequence[str], conditions: Sequence[str] = (), *, stays: bool, for_user: bool) -> str:
    # Users' managers have no network-online.target; an index that is away at the beginning comes back by itself.
    network = [] if for_user else ["Wants=network-online.target", "After=network-online.target"]
    kind = ["Type=oneshot"]
    if stays:
        # all: opening a store may go on in a child.
        kind = ["Type=notify", "NotifyAccess=all", f"WatchdogSec={WATCHDOG_S}", "Restart=on-failure", "RestartSec=5"]
        kind += [f"TimeoutStopSec={STOP_S}", "LimitNOFILE=65536", "ExecReload=/bin/kill -HUP $MAINPID"]
    install = ["", "[Install]", f"WantedBy={'default' if for_user else 'multi-user'}.target"] if stays else []
    head = [MARK, "[Unit]", f"Description={description.replace('%', '%%')}", *network, *conditions]
    return "\n".join([*head, "", "[Service]", *kind, *lines, *install]) + "\n"


def _quoted(word: str) -> str:
    """Return one word of a command, with nothing in it expanded."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{plain}"' if plain != word or not word or any(mark in word for mark in " \t'\";") else word


def _escaped(path: Path) -> str:
    """Return a path as a part of a unit's name (systemd-escape --path)."""
    text = str(path).strip("/")
    kept = "".join(
        "-" if char == "/" else char if char.isascii() and (char.isalnum() or char in ":_.") else _hex(char) for char in text
    )
    return f"\\x2e{kept[1:]}" if kept.startswith(".") else kept or "-"


def _hex(char: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in char.encode())
