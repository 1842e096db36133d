"""Mounts a fake tree in a process of its own and obeys commands on stdin (pyfuse3 allows one mount per process).

Arguments: mount point and a JSON object ``{"entries", "big_mb", "options"}``.  Prints ``ready``, then
one line of JSON per command.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import trio
from msgspec.structs import replace

from tests.fakes.trees import FakeFilesystem, FakeNode, directory, file
from wheelfs import errors
from wheelfs.frontends.fuse.mount.daemon import report_error, report_ready
from wheelfs.frontends.fuse.mount.session import MountOptions, serve_mount
from wheelfs.service.process.spawn import take_report_pipe


def build(settings: dict[str, Any], release: trio.Event) -> FakeNode:
    def bug() -> BaseException:
        return RuntimeError("a bug in the tree")

    def nobody_came() -> BaseException:
        return trio.TooSlowError()

    def error_of(name: str) -> Any:
        return lambda: getattr(errors, name)("fetch a wheel", "the script says so")

    broken = {
        f"bug-{name}": file(b"x" * 10, fails={name: bug}) for name in ("lookup", "refreshed", "open", "read", "close", "xattrs")
    }
    broken["bug-listing"] = directory()
    broken["bug-listing"].fails["listing"] = bug
    broken["too-slow"] = file(b"x", fails={"open": nobody_came})
    for name in (
        "OriginUnreachable",
        "OriginTimeout",
        "OriginDenied",
        "OriginMissing",
        "OriginFault",
        "StoreFull",
        "StoreDamaged",
    ):
        broken[name] = file(b"x" * 10, fails={"open": error_of(name)})
    slow = directory({"there.whl": file(b"there")})
    slow.slow_names["waits"] = release
    big = os.urandom(1 << 20) * int(settings.get("big_mb", 0))
    return directory(
        {
            "a.whl": file(b"wheel" * 1000, xattrs={"user.wheelfs.state": b"stored", "user.wheelfs.origin": b"index.example"}),
            "big.whl": file(big),
            "remote.whl": file(b"0123456789" * 1000, direct_io=True),
            "page.html": file(b"<p>one</p>", immutable=False),
            "hung": directory({f"{n}.whl": file(b"late" * 10_000, released=release, direct_io=n % 2 == 0) for n in range(64)}),
            "many": directory(
                {f"project-{n}-1.0-py3-none-any.whl": file(b"x" * (n % 7)) for n in range(int(settings.get("entries", 0)))}
            ),
            "broken": directory(broken),
            "slow": slow,
            "twice": directory({"file": file(b"f", inode=1 << 40), "directory": _directory_with_inode(1 << 40)}),
        }
    )


def _directory_with_inode(inode: int) -> FakeNode:
    node = directory({"inside": file(b"inside")})
    node.attributes = replace(node.attributes, inode=inode)
    return node


async def main(mountpoint: Path, settings: dict[str, Any]) -> None:
    release = trio.Event()
    root = build(settings, release)
    filesystem = FakeFilesystem(root)
    shutdown = trio.Event()
    ready_fd = take_report_pipe()

    def say(answer: object) -> None:
        print(json.dumps(answer), flush=True)

    def ready() -> None:
        if ready_fd is None:
            say("ready")
        else:
            report_ready(ready_fd, {"mountpoint": str(mountpoint)})

    async def obey() -> None:
        async with await trio.open_file(0, closefd=False) as commands:
            async for line in commands:
                match json.loads(line):
                    case ["release"]:
                        release.set()
                    case ["rewrite", name, text]:
                        filesystem.rewrite(root.children[name], text.encode())
                    case ["add", parent, name, text]:
                        filesystem.add(root if parent == "" else root.children[parent], name, file(text.encode()))
                    case ["counted"]:
                        say([[operation, type(error).__name__] for operation, error in filesystem.counted])
                        continue
                    case ["lookups", name]:
                        say(filesystem.lookups.count(name))
                        continue
                    case ["shutdown"]:
                        shutdown.set()
                say("done")

    async with trio.open_nursery() as nursery:
        if ready_fd is None:
            nursery.start_soon(obey)
        try:
            await serve_mount(
                filesystem, mountpoint, MountOptions(**settings.get("options", {})), on_ready=ready, shutdown=shutdown
            )
        except errors.WheelfsError as error:
            if ready_fd is not None:
                report_error(ready_fd, error)
            else:
                say({"error": type(error).__name__, "message": str(error)})
            sys.stdout.flush()
            os._exit(error.exit_code)
        sys.stdout.flush()
        # The thread that reads stdin cannot be interrupted.
        os._exit(0)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    trio.run(main, Path(sys.argv[1]), json.loads(sys.argv[2]) if len(sys.argv) > 2 else {})
