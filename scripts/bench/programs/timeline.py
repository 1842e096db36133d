"""What was asked of the index when, in one run: a line for each request, drawn over the time of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.fakes.server import Request

_COLUMNS = 60


def draw(title: str, requests: Sequence[Request], began_s: float, ended_s: float) -> list[str]:
    """Return the lines of one run that took from ``began_s`` to ``ended_s`` (`time.perf_counter`).

    A request begins when it came in at the index, and ends when the last of its answer was sent.
    """
    lines = [f"  {title}: {ended_s - began_s:.3f} s, {len(requests)} requests"]
    width_s = max(ended_s - began_s, 1e-6)
    for request in sorted(requests, key=lambda one: one.began_s):
        last_s = max(request.began_s, request.ended_s)
        first, last = (min(_COLUMNS - 1, max(0, int((at - began_s) / width_s * _COLUMNS))) for at in (request.began_s, last_s))
        bar = " " * first + "=" * (last - first + 1)
        what = f"{request.path.rsplit('/', 1)[-1] or request.path.rstrip('/').rsplit('/', 1)[-1] + '/'}"[:24]
        wanted = (request.range or ("HEAD" if request.method == "HEAD" else "")).removeprefix("bytes=")
        times = f"{(request.began_s - began_s) * 1e3:6.0f} {(last_s - began_s) * 1e3:6.0f} ms"
        lines.append(f"  {times} {request.body_bytes_sent / 1e3:8.0f} kB |{bar:<{_COLUMNS}}| {what} {wanted}")
    return lines
