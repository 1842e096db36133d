#!/usr/bin/env bash
# Guess:     decompressobj of isal, "a drop-in replacement of zlib", keeps zlib's rule: after decompress(data, max_length) what is
#            not worked off is in unconsumed_tail, so a reader with bounded memory goes on until that is empty.
# Versions:  isal 1.9.1, zlib-ng 1.1.0, zlib of Python's standard library
# Behaviour: isal takes input into a buffer of its own before it is worked off, and unconsumed_tail is then empty: such a reader
#            ends early, without an error, with eof still False. It has to call decompress(b"", max_length) until eof. zlib-ng
#            does as zlib does.
# Seen:      100000 zeros: zlib 100000 eof True, zlib-ng 100000 eof True, isal 34000 eof False, and 100000 when asked until eof
#            8000 mixed: zlib 8000 eof True, zlib-ng 8000 eof True, isal 1000 eof False, and 8000 when asked until eof
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet isal==1.9.1 zlib-ng==1.1.0 || exit 2

seen=$(env -i "PATH=$PATH" "HOME=$work" timeout 60 "$work/venv/bin/python" - <<'PYTHON'
import random, zlib
from isal import isal_zlib
from zlib_ng import zlib_ng

AT_ONCE = 1000


def bounded(module, packed):
    """Return what a reader gets that goes on while there is an unconsumed tail, the object, and the sum of what it gives until eof."""
    inflating = module.decompressobj(wbits=-15)
    content = inflating.decompress(packed, AT_ONCE)
    while inflating.unconsumed_tail:
        content += inflating.decompress(inflating.unconsumed_tail, AT_ONCE)
    found = f"{len(content)} eof {inflating.eof}"
    for _ in range(1000):
        if inflating.eof:
            break
        content += inflating.decompress(b"", AT_ONCE)
    return found, content


mixed = random.Random(1).randbytes(3000) + bytes(5000)
for label, data in (("100000 zeros", bytes(100_000)), ("8000 mixed", mixed)):
    deflating = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = deflating.compress(data) + deflating.flush()
    (of_zlib, _), (of_zlib_ng, _), (of_isal, whole) = (bounded(each, packed) for each in (zlib, zlib_ng, isal_zlib))
    assert whole == data
    print(f"{label}: zlib {of_zlib}, zlib-ng {of_zlib_ng}, isal {of_isal}, and {len(whole)} when asked until eof")
PYTHON
)
expected='100000 zeros: zlib 100000 eof True, zlib-ng 100000 eof True, isal 34000 eof False, and 100000 when asked until eof
8000 mixed: zlib 8000 eof True, zlib-ng 8000 eof True, isal 1000 eof False, and 8000 when asked until eof'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
