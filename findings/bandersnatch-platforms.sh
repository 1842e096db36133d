#!/usr/bin/env bash
# Guess:     bandersnatch's exclude_platform filter leaves out of a mirror what only an excluded platform or Python can use, and
#            keeps what others can: "linux" is all of Linux, and a wheel for several Pythons stays while one of them is wanted.
# Versions:  bandersnatch 6.8.0
# Behaviour: it looks for pieces of names of a list of its own. "linux" keeps manylinux_2_28, musllinux and linux_x86_64,
#            "windows" keeps win_arm64. "py2" leaves out each py2.py3 wheel, that is universal ones that Python 3 needs, and keeps
#            py27; "py3.8" leaves out the cp38-abi3 wheel, which is for 3.8 and all later ones. Nothing warns.
# Seen:      linux leaves out: manylinux1_x86_64 manylinux2014_x86_64
#            linux keeps: manylinux_2_17_x86_64 manylinux_2_28_x86_64 manylinux_2_28_aarch64 musllinux_1_2_x86_64 linux_x86_64
#            windows leaves out: win32 win_amd64
#            windows keeps: win_arm64
#            py2 leaves out: py2-none-any py2.py3-none-any
#            py2 keeps: py27-none-any cp27-cp27mu-manylinux1_x86_64
#            py3.8 leaves out: cp38-cp38-manylinux_2_28_x86_64 cp38-abi3-manylinux_2_28_x86_64
#            py3.8 keeps: py38-none-any
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    bandersnatch==6.8.0 packaging==26.4 || exit 2

seen=$(env -i "PATH=$PATH" "HOME=$work" timeout 120 "$work/venv/bin/python" - "$work" <<'PYTHON'
import pathlib, subprocess, sys

ONE = """
import pathlib, sys
from bandersnatch.configuration import BandersnatchConfig
from bandersnatch.filter import LoadedFilters

BandersnatchConfig(pathlib.Path(sys.argv[1]))
[plugin] = [one for one in LoadedFilters().filter_release_file_plugins() if one.name == "exclude_platform"]
for tags in sys.argv[2:]:
    file = {"filename": f"demo-1.0-{tags}.whl", "packagetype": "bdist_wheel"}
    print(tags.removeprefix("cp311-cp311-"), plugin.filter({"info": {"name": "demo"}, "release": "1.0", "release_file": file}))
"""
NATIVE = {
    "linux": "manylinux1_x86_64 manylinux2014_x86_64 manylinux_2_17_x86_64 manylinux_2_28_x86_64 manylinux_2_28_aarch64"
    " musllinux_1_2_x86_64 linux_x86_64",
    "windows": "win32 win_amd64 win_arm64",
}
TAGS = {
    "py2": "py2-none-any py2.py3-none-any py27-none-any cp27-cp27mu-manylinux1_x86_64",
    "py3.8": "cp38-cp38-manylinux_2_28_x86_64 cp38-abi3-manylinux_2_28_x86_64 py38-none-any",
}
excluding = {platform: [f"cp311-cp311-{name}" for name in names.split()] for platform, names in NATIVE.items()}
excluding.update({platform: names.split() for platform, names in TAGS.items()})
for platform, tags in excluding.items():
    file = pathlib.Path(sys.argv[1], "mirror.conf")
    file.write_text(
        f"[mirror]\ndirectory = {sys.argv[1]}/mirror\nmaster = http://127.0.0.1:9\n"
        f"[plugins]\nenabled = exclude_platform\n[blocklist]\nplatforms = {platform}\n"
    )
    command = [sys.executable, "-c", ONE, str(file), *tags]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, timeout=50)
    is_kept = dict(line.split() for line in done.stdout.splitlines())
    print(f"{platform} leaves out: {' '.join(tag for tag, kept in is_kept.items() if kept == 'False')}")
    print(f"{platform} keeps: {' '.join(tag for tag, kept in is_kept.items() if kept == 'True')}")
PYTHON
)
expected='linux leaves out: manylinux1_x86_64 manylinux2014_x86_64
linux keeps: manylinux_2_17_x86_64 manylinux_2_28_x86_64 manylinux_2_28_aarch64 musllinux_1_2_x86_64 linux_x86_64
windows leaves out: win32 win_amd64
windows keeps: win_arm64
py2 leaves out: py2-none-any py2.py3-none-any
py2 keeps: py27-none-any cp27-cp27mu-manylinux1_x86_64
py3.8 leaves out: cp38-cp38-manylinux_2_28_x86_64 cp38-abi3-manylinux_2_28_x86_64
py3.8 keeps: py38-none-any'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
