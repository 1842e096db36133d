"""Owning all wheels of what is installed: bytes over the line, processor time, and which builders' wheels are made again."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from scripts.bench.programs.ground import Ground, Wheels, arguments, ground, index_of, wheels
from scripts.bench.programs.line import Line, slow_line
from scripts.bench.programs.processors import waited_for_s
from tests.fakes.processes import run, wheelfs_command, wheelfs_environment

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path


class _Wheel(NamedTuple):
    """A wheel, and what was to be fetched of it; ``reason`` is why it was not made again, where it was not."""

    path: Path
    fetched_bytes: int
    reason: str | None

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size


def measure(on: Ground, held: Wheels, line: Line, source: Sequence[str]) -> None:
    """Take in what ``source`` names, fetch the rest, and check that all wheels are the index's own."""
    store = on.directory / f"store-{source[0].strip('-')}"
    environment = wheelfs_environment(on.directory / "home") | {"WHEELFS_INDEX": f"main={line.origin}/simple"}

    def wheelfs(*words: str) -> list[dict[str, Any]]:
        done = run(wheelfs_command("--store", str(store), *words, "--json"), environment=environment, timeout_s=900.0)
        if done.returncode not in (0, 1):
            raise SystemExit(f"{words}: {done.stderr}")
        return [json.loads(text) for text in done.stdout.splitlines()]

    before_bytes, before_s = line.brought_bytes, waited_for_s()
    taken = [one["file"] for one in wheelfs("add", *source)]
    used_s, brought = waited_for_s() - before_s, line.brought_bytes - before_bytes
    rebuilt = {file["filename"]: file for file in taken if file["result"] == "added"}
    reasons = {_project(file["filename"]): file["reason"] for file in taken if file["result"] == "refused"}
    found = [
        _Wheel(path, rebuilt[path.name]["fetched_bytes"], None)
        if path.name in rebuilt
        else _Wheel(path, path.stat().st_size, reasons.get(_project(path.name), "not found"))
        for path in held.paths
    ]
    rest = [f"{one.path.name.split('-')[0]}=={one.path.name.split('-')[1]}" for one in found if one.reason is not None]
    if rest:
        wheelfs("fetch", *rest)
    total = line.brought_bytes - before_bytes
    _check(held, wheelfs("ls"))
    size = held.total_bytes
    print(f"{' '.join(source[:1])}: {len(rebuilt)} of {len(held.paths)} wheels made again, {used_s:.1f} s of processor time,")
    print(f"  {1e6 * used_s / size:.3f} s a MB; {brought / 1e6:.2f} MB over the line = {brought / size:.4f} of all wheels,")
    print(f"  {total / 1e6:.2f} MB with what is fetched whole = {total / size:.4f} (pages and headers counted; a peer: 1.0)")
    _show_builders(found)


def _project(filename: str) -> str:
    return filename.split("-")[0].lower().replace("_", "-").replace(".", "-")


def _check(held: Wheels, listed: Sequence[dict[str, Any]]) -> None:
    stored = {file["filename"]: file["sha256"] for file in listed}
    for path in held.paths:
        if stored.get(path.name) != hashlib.sha256(path.read_bytes()).hexdigest():
            raise SystemExit(f"{path.name} is not stored, or is another file than the index has")


def _show_builders(found: Sequence[_Wheel]) -> None:
    by_builder: dict[str, list[_Wheel]] = defaultdict(list)
    for one in found:
        by_builder[_builder(one.path)].append(one)
    for builder, its in sorted(by_builder.items(), key=lambda pair: -sum(one.size_bytes for one in pair[1])):
        size = sum(one.size_bytes for one in its)
        here = size - sum(one.fetched_bytes for one in its)
        again = sum(one.reason is None for one in its)
        print(f"  {builder:<20} {again:3} of {len(its):3} wheels, {here / size:.3f} of {size / 1e6:6.1f} MB from unpacked files")
        for one in its:
            if one.reason is not None:
                print(f"    not {one.path.name.split('-')[0]}: {one.reason.partition(': ')[2][:100]}")


def _builder(wheel: Path) -> str:
    """Return the program that made a wheel, by its WHEEL (``Generator: maturin (1.15.0)``)."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/WHEEL"))
        for text in archive.read(name).decode("utf-8", "replace").splitlines():
            if text.startswith("Generator:"):
                return text.partition(":")[2].strip().partition(" ")[0]
    return "not told"


def _more_options(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(set="large")


def main() -> None:
    """Measure uv's cache, and an environment that pip has made."""
    options = arguments(__doc__, rounds=None, add=_more_options)
    held = wheels(options.set)
    print(held)
    with ground() as on, index_of(held) as index:
        port = urlsplit(index.origin).port or 0
        with slow_line(port, bits_per_s=1e9, delay_s=0.0) as line:
            uv, pip = on.uv(), on.pip()
            uv.run("pip", "install", "--default-index", index.url, *held.requirements, timeout_s=300.0).succeeded()
            cache = uv.run("cache", "dir").succeeded().stdout.strip()
            measure(on, held, line, ("--uv-cache", cache))
            plain = ("--no-index", "--find-links", str(held.directory))
            pip.run("install", "--quiet", *plain, *held.requirements, timeout_s=600.0).succeeded()
            measure(on, held, line, ("--venv", str(pip.venv())))


if __name__ == "__main__":
    main()
