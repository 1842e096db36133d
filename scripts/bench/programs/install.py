"""Installing a set of which everything is stored, through the mount and from the plain directory; index up, closed, hanging."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from scripts.bench.programs.ground import Ground, Wheels, arguments, ground, index_of, project_of, store_all, wheels
from scripts.bench.programs.measuring import Case, interleaved, section, show_times

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

    from tests.fakes.clients import Pip, Uv
    from tests.fakes.index import FakeIndex
    from tests.fakes.mounts import Mounted

_STALE = {"WHEELFS_PAGE_TTL_S": "1"}
"""A second mount of the store, whose pages are always stale: an index that is closed or hangs is really asked."""
_STATIC = "the same pages and wheels as plain files"


def uv_case(on: Ground, name: str, requirements: list[str], source: list[str], prepare: Callable[[], None] | None = None) -> Case:
    """``uv pip install`` with a cache and an environment that are new each time."""

    def ready() -> Uv:
        if prepare is not None:
            prepare()
        return on.uv()

    def install(client: Uv) -> None:
        client.run("pip", "install", *source, *requirements).succeeded()

    return Case(name, install, ready, on.forget_clients)


def pip_case(on: Ground, name: str, requirements: list[str], verb: str, source: list[str]) -> Case:
    """``pip download`` or ``pip install``, likewise."""

    def work(client: Pip) -> None:
        into = ["-d", str(client.directory / "downloaded")] if verb == "download" else []
        client.run(verb, "-q", *into, *source, *requirements, timeout_s=300.0).succeeded()

    return Case(name, work, on.pip, on.forget_clients)


def flat(directory: Path) -> list[str]:
    """Return the options for a directory of wheels, the same for pip and uv."""
    return ["--no-index", "--find-links", str(directory)]


def measure_uv(
    on: Ground,
    mounted: Mounted,
    asking: Mounted,
    index: FakeIndex,
    plain: Path,
    static: Path,
    requirements: list[str],
    rounds: int,
) -> None:
    """Measure uv; the index is changed before each case that needs it, and is up again afterwards."""
    here = ["--default-index", f"file://{mounted.path}/here/simple"]
    stale = ["--default-index", f"file://{asking.path}/here/simple"]

    def state(change: Callable[[], Any] | None) -> Callable[[], None]:
        def prepare() -> None:
            index.start()
            index.unhang()
            if change is not None:
                change()

        return prepare

    peer = "plain directory, --no-index --find-links"
    cases = [
        uv_case(on, peer, requirements, flat(plain)),
        uv_case(on, "mount, --no-index --find-links, warm", requirements, flat(mounted.path)),
        uv_case(on, "mount, --default-index here/simple, warm", requirements, here),
        uv_case(on, "mount, here/simple, pages stale, index up", requirements, stale, state(None)),
        uv_case(on, "mount, here/simple, pages stale, index closed", requirements, stale, state(index.stop)),
        uv_case(on, "mount, here/simple, pages stale, index hanging", requirements, stale, state(index.hang)),
        uv_case(on, "mount, --find-links, index hanging", requirements, flat(asking.path), state(index.hang)),
        uv_case(on, "mount, --find-links, fresh daemon and mount", requirements, flat(mounted.path), state(mounted.restart)),
        uv_case(on, "mount, here/simple, fresh daemon and mount", requirements, here, state(mounted.restart)),
        uv_case(on, _STATIC, requirements, ["--default-index", f"file://{static}"]),
    ]
    measured = interleaved(cases, rounds)
    show_times(measured, {case.name: peer for case in cases[1:]})
    state(None)()


def static_index(on: Ground, mounted: Mounted, held: Wheels) -> Path:
    """Write what ``here/simple`` serves as plain files: what is left against it is the mount's own cost, and not pip's."""
    static = on.directory / "static"
    for wheel in held.paths:
        source, target = mounted.path / "here" / "simple" / project_of(wheel), static / project_of(wheel)
        target.mkdir(parents=True)
        for name in ("index.html", wheel.name, f"{wheel.name}.metadata"):
            shutil.copyfile(source / name, target / name)
    return static


def measure_pip(on: Ground, mounted: Mounted, plain: Path, static: Path, requirements: list[str], verb: str, rounds: int) -> None:
    """Measure pip with the index up."""
    here = ["--index-url", f"file://{mounted.path}/here/simple"]
    peer = "plain directory, --no-index --find-links"
    cases = [
        pip_case(on, peer, requirements, verb, flat(plain)),
        pip_case(on, "mount, --no-index --find-links", requirements, verb, flat(mounted.path)),
        pip_case(on, "mount, --index-url here/simple", requirements, verb, here),
        pip_case(on, _STATIC, requirements, verb, ["--index-url", f"file://{static}"]),
    ]
    show_times(interleaved(cases, rounds), {case.name: peer for case in cases[1:]})


def _more_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", choices=["uv", "pip-download", "pip-install"], help="measure only this")


def main() -> None:
    """Measure uv, ``pip download`` and ``pip install``."""
    options = arguments(__doc__, rounds=5, add=_more_options)
    held = wheels(options.set)
    print(f"{held}\nfiles, store, caches and environments on tmpfs; new cache and environment each time; ratio: of times")
    with ground() as on, index_of(held) as index:
        plain = held.copy_to(on.directory)
        mounted = on.mount(index.url)
        store_all(mounted, held)
        static = static_index(on, mounted, held)
        asking = on.mount(index.url, store=mounted.store, env=_STALE)
        if options.only in (None, "uv"):
            with section("uv pip install"):
                measure_uv(on, mounted, asking, index, plain, static, held.requirements, options.rounds)
        for verb in ("download", "install"):
            if options.only in (None, f"pip-{verb}"):
                with section(f"pip {verb}"):
                    measure_pip(on, mounted, plain, static, held.requirements, verb, max(3, options.rounds // 2))
        asking.stop()
        mounted.stop()


if __name__ == "__main__":
    main()
