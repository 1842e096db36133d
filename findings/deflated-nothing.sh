#!/usr/bin/env bash
# Guess:     an empty member that a build tool deflates takes the two bytes 03 00 that zlib makes of nothing.
# Versions:  rpds-py 0.30.0 (built by maturin 1.10.2), rpds-py 2026.9.1 (maturin 1.15.0), jiter 0.19.0 (maturin 1.16.0)
# Behaviour: so it was; later versions of maturin write seven bytes: a sync flush, which is an empty stored block, and then those
#            two. Who deflates the installed file again by zlib gets other bytes than those of the wheel, even of nothing.
# Seen:      maturin (1.10.2): rpds/py.typed, 0 bytes, deflated 0300
#            maturin (1.15.0): rpds/py.typed, 0 bytes, deflated 000000ffff0300
#            maturin (1.16.0): jiter/py.typed, 0 bytes, deflated 000000ffff0300
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for wanted in rpds-py==0.30.0 rpds-py==2026.9.1 jiter==0.19.0; do
    timeout 120 python3 -m pip download --quiet --no-deps --only-binary :all: --python-version 3.11 \
        --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --dest "$work" "$wanted" || exit 2
done

seen=$(timeout 60 python3 - "$work" <<'PYTHON'
import pathlib, re, sys, zipfile

LOCAL_HEADER = 30
found = []
for wheel in pathlib.Path(sys.argv[1]).glob("*.whl"):
    content = wheel.read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        [described] = [name for name in archive.namelist() if name.endswith(".dist-info/WHEEL")]
        generator = re.search(r"Generator: (.*)", archive.read(described).decode())[1].strip()
        for member in archive.infolist():
            if member.filename.endswith("/py.typed") and member.compress_type == zipfile.ZIP_DEFLATED:
                header = content[member.header_offset :][:LOCAL_HEADER]
                sizes = int.from_bytes(header[26:28], "little"), int.from_bytes(header[28:30], "little")
                begin = member.header_offset + LOCAL_HEADER + sum(sizes)
                deflated = content[begin : begin + member.compress_size].hex()
                found.append(f"{generator}: {member.filename}, {member.file_size} bytes, deflated {deflated}")
print("\n".join(sorted(found)))
PYTHON
)
expected='maturin (1.10.2): rpds/py.typed, 0 bytes, deflated 0300
maturin (1.15.0): rpds/py.typed, 0 bytes, deflated 000000ffff0300
maturin (1.16.0): jiter/py.typed, 0 bytes, deflated 000000ffff0300'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
