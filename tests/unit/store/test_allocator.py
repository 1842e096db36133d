"""Memory that is free goes back to the system, also from between what is in use."""

from __future__ import annotations

import json
import subprocess
import sys

_HOLES = """
import ctypes, json
from wheelfs.store.allocator import bound_memory, give_back
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
def resident_bytes():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
bound_memory()
blocks = [libc.malloc(256 * 1024) for _ in range(400)]
for block in blocks:
    ctypes.memset(block, 1, 256 * 1024)
full = resident_bytes()
for number, block in enumerate(blocks):
    if number % 16 != 15:
        libc.free(block)
freed = resident_bytes()
give_back()
print(json.dumps([full, freed, resident_bytes()]))
"""


def test_what_is_free_between_what_lives_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", _HOLES], capture_output=True, text=True, check=True, timeout=60)
    full, freed, given_back = json.loads(done.stdout)
    assert full - freed < 20_000_000  # glibc keeps it, else there would be nothing to do
    assert full - given_back > 80_000_000


_GARBAGE = """
import gc, json
from wheelfs.store.allocator import reuse_memory
reuse_memory()
def looks(made):
    before = gc.get_stats()[0]["collections"]
    for _ in range(made):
        ring = []
        ring.append(ring)
    return gc.get_stats()[0]["collections"] - before
print(json.dumps([gc.get_freeze_count(), looks(20_000), looks(200_000)]))
"""


def test_a_command_that_stores_much_looks_for_garbage_seldom_and_not_never() -> None:
    done = subprocess.run([sys.executable, "-c", _GARBAGE], capture_output=True, text=True, check=True, timeout=60)
    frozen, of_a_run, of_many = json.loads(done.stdout)
    assert frozen > 1_000, "what was imported"
    assert of_a_run == 0
    assert 2 <= of_many <= 5
