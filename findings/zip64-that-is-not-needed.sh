#!/usr/bin/env bash
# Guess:     where a member has a zip64 field, its 32-bit sizes are ffffffff and "version needed" is 45, in both of its headers.
# Versions:  selenium 4.52.0, protobuf 7.36.2 (both built by "bazel-wheelmaker 1.0")
# Behaviour: the local headers of all members but WHEEL, METADATA and RECORD have a zip64 field with both sizes, and the right
#            sizes in their 32-bit fields as well; they need version 20, which has no zip64; and the central directory knows nothing
#            of it. All readers agree on the sizes, but what computes from the directory alone where data begins is 20 bytes early.
# Seen:      selenium: bazel-wheelmaker 1.0, 32-bit sizes right in 357 of 357, zip64 in 354 local headers and 0 others, version 20
#            protobuf: bazel-wheelmaker 1.0, 32-bit sizes right in 63 of 63, zip64 in 60 local headers and 0 others, version 20
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
timeout 200 python3 -m pip download --quiet --no-deps --only-binary :all: --python-version 3.11 --platform manylinux2014_x86_64 \
    --dest "$work" selenium==4.52.0 protobuf==7.36.2 || exit 2

seen=$(timeout 60 python3 - "$work" <<'PYTHON'
import pathlib, re, struct, sys, zipfile

ZIP64 = b"\1\0\x10\0"
for project in ("selenium", "protobuf"):
    [wheel] = pathlib.Path(sys.argv[1]).glob(f"{project}-*.whl")
    content = wheel.read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        members = archive.infolist()
        [described] = [name for name in archive.namelist() if name.endswith(".dist-info/WHEEL")]
        generator = re.search(r"Generator: (.*)", archive.read(described).decode())[1].strip()
    right, local, central, versions = [], [], [], set()
    for member in members:
        header = content[member.header_offset :][:30]
        version, compressed, size, name, extra = struct.unpack("<4xH12xIIHH", header)
        field = content[member.header_offset + 30 + name :][:extra]
        right.append((compressed, size) == (member.compress_size, member.file_size))
        local.append(field.startswith(ZIP64))
        central.append(ZIP64 in member.extra)
        versions.add(version)
    sizes = f"32-bit sizes right in {sum(right)} of {len(members)}"
    fields = f"zip64 in {sum(local)} local headers and {sum(central)} others"
    print(f"{project}: {generator}, {sizes}, {fields}, version {', '.join(map(str, sorted(versions)))}")
PYTHON
)
expected='selenium: bazel-wheelmaker 1.0, 32-bit sizes right in 357 of 357, zip64 in 354 local headers and 0 others, version 20
protobuf: bazel-wheelmaker 1.0, 32-bit sizes right in 63 of 63, zip64 in 60 local headers and 0 others, version 20'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
