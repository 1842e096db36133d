"""What only resolving costs: bytes asked of the index through an empty mount, over the bytes of the wheels resolved to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts.bench.programs import figures
from scripts.bench.programs.ground import Ground, Wheels, arguments, ground, index_of, wheels
from scripts.bench.programs.measuring import section

if TYPE_CHECKING:
    from tests.fakes.index import FakeIndex


def resolve(on: Ground, tool: str, url: str, held: Wheels) -> None:
    """Resolve a set and install nothing."""
    if tool == "uv":
        source = on.directory / "requirements.in"
        source.write_text("\n".join(held.requirements))
        on.uv().run("pip", "compile", "-q", "--default-index", url, str(source)).succeeded()
    else:
        on.pip().run("install", "-q", "--dry-run", "--index-url", url, *held.requirements).succeeded()


def show(what: str, index: FakeIndex, held: Wheels) -> None:
    """Print what the index has sent since its counters were reset."""
    sent = {"pages": 0, "metadata": 0, "wheels": 0}
    for request in list(index.requests):
        kind = "pages" if "/simple" in request.path else "metadata" if request.path.endswith(".metadata") else "wheels"
        sent[kind] += request.body_bytes_sent
    parts = ", ".join(f"{kind} {count / 1e3:.0f} kB" for kind, count in sent.items())
    share = sum(sent.values()) / held.total_bytes
    figures.note(what, [share])
    print(f"  {what:<46} {share:7.2%}  ({parts}; {len(index.requests)} requests)", flush=True)


def main() -> None:
    """Measure uv and pip, with indexes that offer core metadata and that do not."""
    options = arguments(__doc__, rounds=1)
    held = wheels(options.set)
    print(f"{held}\nshare: body bytes of all answers / bytes of the wheels; the index has no other files than these")
    for offered in (True, False):
        with section(f"core metadata {'offered' if offered else 'not offered'} by the index"):
            for tool in ("uv", "pip"):
                for view in (None, "here/simple", "simple"):
                    with ground() as on, index_of(held, core_metadata=offered) as index:
                        url = index.url if view is None else f"file://{on.mount(index.url).path}/{view}"
                        index.reset_counters()
                        resolve(on, tool, url, held)
                        show(f"{tool}, {'straight from the index' if view is None else f'mount, {view}'}", index, held)


if __name__ == "__main__":
    main()
