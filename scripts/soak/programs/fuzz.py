"""Feed mutated input to every parser of what strangers write, and measure two things: foreign exceptions, and how cost grows.

An exception is foreign when the parser does not name it among its errors.  Cost grows as it should when twice the input takes
about twice the time: a piece of some inputs is repeated, twice and four times as often, and the thread's processor time compared.
"""

from __future__ import annotations

import argparse
import base64
import random
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from scripts.soak.programs.parsers import PARSERS, Parser

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES: Final = 1 << 16
"""Of a mutated input; what is repeated for the growth of its cost becomes longer."""
GROWTH_BYTES: Final = 1 << 16
SUSPICIOUS: Final = 3.2
"""Twice the input may take this many times the time; quadratic is 4, and a busy machine adds some."""
LEAST_S: Final = 0.05
"""Shorter times are mostly noise."""
REPORTED: Final = 100_000
HOPELESS: Final = 64
"""For four times the input even what grows with the cube takes no more than this many times the time."""


def main() -> int:
    """Fuzz as the command line asks; the exit code is 1 when something foreign or quadratic was found."""
    asked = _arguments()
    chosen = [parser for parser in PARSERS if not asked.parser or parser.name in asked.parser]
    deadline_s = time.monotonic() + asked.seconds
    counts: Counter[str] = Counter()
    findings: dict[tuple[str, str], str] = {}
    stopped = threading.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: stopped.set())
    for number in range(asked.inputs):
        if stopped.is_set() or time.monotonic() > deadline_s:
            break
        if number and number % REPORTED == 0:
            print(f"{number:,} inputs, {len(findings)} kinds of findings", file=sys.stderr)
        parser = chosen[number % len(chosen)]
        chance = random.Random(f"{asked.seed}/{number}")
        data = mutated(parser, chance)
        counts[parser.name] += 1
        for kind, found in problems(parser, data, chance, growth=number % asked.growth_every < len(chosen)):
            if (parser.name, kind) not in findings:
                shown = base64.b64encode(data[:600]).decode()
                findings[parser.name, kind] = found
                print(f"{parser.name}: {kind}\n  input {number}, {len(data)} bytes: {shown}\n{found}", file=sys.stderr)
    for parser in chosen:
        print(f"{counts[parser.name]:9,}  {parser.name}")
    print(f"{counts.total():9,}  inputs (seed {asked.seed}), {len(findings)} kinds of findings")
    return 1 if findings else 0


def mutated(parser: Parser, chance: random.Random) -> bytes:
    """Return an input: good ones with pieces cut, doubled, swapped and replaced, or many of one construct."""
    if parser.tokens and chance.random() < 0.15:
        few = chance.choices(parser.tokens, k=chance.randint(1, 3))
        return (b"".join(few) * int(2 ** chance.uniform(0, 12)))[: min(MAX_BYTES, parser.limit_bytes)]
    data = bytearray(chance.choice(parser.seeds))
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + int(2 ** chance.uniform(0, 8)))
        match chance.randrange(6):
            case 0:
                del data[at:end]
            case 1:
                data[at:at] = data[at:end] * chance.randint(1, 9)
            case 2:
                data[at:end] = chance.randbytes(chance.randint(0, 9))
            case 3 if parser.tokens:
                data[at:end] = chance.choice(parser.tokens) * chance.choice((1, 1, 2, 50, 5_000))
            case 4 if data:
                data[at % len(data)] ^= 1 << chance.randrange(8)
            case _:
                data[at:end] = chance.choice(
                    (b"", b"\0", b"\xff", b"9" * 5_000, b"\xed\xa0\x80", b"\xf0\x9f\x92\xa9", b"-1", b" ")
                )
    return bytes(data[: min(MAX_BYTES, parser.limit_bytes)])


def problems(parser: Parser, data: bytes, chance: random.Random, *, growth: bool) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with how a parser takes an input: a kind, and what is to be seen of it."""
    try:
        parser.parse(data)
    except parser.expected:
        pass
    except Exception as error:
        yield type(error).__name__, "".join(traceback.format_exception(error)[-4:])
        return
    if growth and data:
        begin = chance.randrange(len(data))
        part = data[begin : begin + int(2 ** chance.uniform(0, 9))]
        if parser.tokens and chance.random() < 0.5:
            part = b"".join(chance.choices(parser.tokens, k=chance.randint(1, 2)))
        at = chance.choice((0, begin, len(data)))
        repeated = [data[:at] + part * times + data[at:] for times in _times(parser, part)]
        if _cost_s(parser, repeated[0]) * HOPELESS < LEAST_S:
            return
        costs: list[float] = []
        for measurements in (2, 5):  # the second time only what looked suspicious
            costs = [min(_cost_s(parser, longer) for _ in range(measurements)) for longer in repeated]
            ratios = [later / max(earlier, 1e-6) for earlier, later in pairwise(costs)]
            if costs[-1] <= LEAST_S or min(ratios) <= SUSPICIOUS:
                return
        where = f"after {data[:at][-40:]!r}, before {data[at:][:40]!r}"
        shown = ", ".join(f"{cost:.3f} s" for cost in costs)
        yield "growth", f"  {part[:80]!r} x {_times(parser, part)} {where}: {shown}\n"


def _times(parser: Parser, part: bytes) -> list[int]:
    most = min(GROWTH_BYTES, parser.limit_bytes) // max(1, len(part))
    return [most // 4, most // 2, most]


def _cost_s(parser: Parser, data: bytes) -> float:
    began = time.thread_time()
    try:
        parser.parse(data)
    except Exception:  # which is counted elsewhere: only the cost matters here
        return time.thread_time() - began
    return time.thread_time() - began


def _arguments() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--inputs", type=int, default=20_000, metavar="N", help="how many inputs (20000)")
    arguments.add_argument(
        "--seconds", type=float, default=600, metavar="S", help="stop after so many seconds at the latest (600)"
    )
    arguments.add_argument("--seed", type=int, default=1, help="each seed gives the same inputs each time (1)")
    arguments.add_argument(
        "--growth-every", type=int, default=2_000, metavar="N", help="one input in N is measured for its growth"
    )
    arguments.add_argument("--parser", action="append", choices=[parser.name for parser in PARSERS], help="only this one")
    return arguments.parse_args()


if __name__ == "__main__":
    sys.exit(main())
