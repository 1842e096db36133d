#!/usr/bin/env bash
# Guess:     when wheels are chosen for another machine, the platform named is the newest that fits, and older ones fit as well:
#            manylinux_2_17 is but the new name of manylinux2014 (PEP 600), and runs where manylinux_2_28 does. For macOS it is
#            so: who asks pip for macosx_12_0 gets a wheel for macosx_11_0.
# Versions:  pip 26.3 (download --platform), unearth 0.19.0 (with which PDM finds files), uv 0.13.8 (--python-platform)
# Behaviour: uv does so. pip and unearth take the old names (manylinux2014, 2010, 1) for a ladder among themselves, and each name
#            with a glibc version for that name alone: manylinux2014 does not get the same wheel under its new name, nor
#            manylinux_2_28 any older one. musllinux is not widened either. pip then says that no version exists; --platform has
#            to be given once more for each older name.
# Seen:      manylinux2014_x86_64 gets manylinux2014_x86_64: pip yes, unearth yes, uv yes
#            manylinux2014_x86_64 gets manylinux1_x86_64: pip yes, unearth yes, uv yes
#            manylinux2014_x86_64 gets manylinux_2_17_x86_64: pip no, unearth no, uv yes
#            manylinux2014_x86_64 gets manylinux_2_5_x86_64: pip no, unearth no, uv yes
#            manylinux_2_17_x86_64 gets manylinux_2_17_x86_64: pip yes, unearth yes, uv yes
#            manylinux_2_17_x86_64 gets manylinux2014_x86_64: pip no, unearth no, uv yes
#            manylinux_2_28_x86_64 gets manylinux_2_28_x86_64: pip yes, unearth yes, uv yes
#            manylinux_2_28_x86_64 gets manylinux_2_17_x86_64: pip no, unearth no, uv yes
#            manylinux_2_28_x86_64 gets manylinux2014_x86_64: pip no, unearth no, uv yes
#            musllinux_1_2_x86_64 gets musllinux_1_2_x86_64: pip yes, unearth yes
#            musllinux_1_2_x86_64 gets musllinux_1_1_x86_64: pip no, unearth no
#            macosx_12_0_arm64 gets macosx_12_0_arm64: pip yes, unearth yes
#            macosx_12_0_arm64 gets macosx_11_0_arm64: pip yes, unearth yes
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    pip==26.3 unearth==0.19.0 uv==0.13.8 packaging==26.4 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1)
seen=$("${isolated[@]}" timeout 200 "$work/venv/bin/python" - "$work" <<'PYTHON'
import os, pathlib, subprocess, sys, tempfile, zipfile
import unearth

os.chdir(sys.argv[1])
INFO = "demo-1.0.dist-info/"
UV = {
    "manylinux2014_x86_64": "x86_64-manylinux2014",
    "manylinux_2_17_x86_64": "x86_64-manylinux_2_17",
    "manylinux_2_28_x86_64": "x86_64-manylinux_2_28",
}


def wheel(platform: str) -> str:
    directory = pathlib.Path(platform).absolute()
    directory.mkdir(exist_ok=True)
    with zipfile.ZipFile(directory / f"demo-1.0-py3-none-{platform}.whl", "w") as file:
        file.writestr(INFO + "METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        file.writestr(INFO + "WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-{platform}\n")
        file.writestr(INFO + "RECORD", "".join(f"{INFO}{member},,\n" for member in ("METADATA", "WHEEL", "RECORD")))
    return str(directory)


def runs(*command: str) -> bool:
    with tempfile.TemporaryDirectory(dir=".") as target:
        full = [part.replace("TARGET", target) for part in command]
        done = subprocess.run(full, capture_output=True, text=True, timeout=50)
        return done.returncode == 0 and any(os.scandir(target))


def answers(asked: str, offered: str) -> dict[str, bool]:
    files = ["--quiet", "--no-index", "--no-deps", "--only-binary", ":all:", "--find-links", wheel(offered), "demo"]
    pip = [sys.executable, "-m", "pip", "download", "--platform", asked, "--dest", "TARGET"]
    python = unearth.TargetPython(platforms=[asked])
    finder = unearth.PackageFinder(find_links=[wheel(offered)], target_python=python)
    found = {"pip": runs(*pip, *files), "unearth": finder.find_best_match("demo").best is not None}
    if asked in UV:
        uv = [f"{sys.prefix}/bin/uv", "pip", "install", "--no-cache", "--python", sys.executable]
        found["uv"] = runs(*uv, "--python-platform", UV[asked], "--target", "TARGET", *files)
    return found


for asked, offers in {
    "manylinux2014_x86_64": "manylinux2014_x86_64 manylinux1_x86_64 manylinux_2_17_x86_64 manylinux_2_5_x86_64",
    "manylinux_2_17_x86_64": "manylinux_2_17_x86_64 manylinux2014_x86_64",
    "manylinux_2_28_x86_64": "manylinux_2_28_x86_64 manylinux_2_17_x86_64 manylinux2014_x86_64",
    "musllinux_1_2_x86_64": "musllinux_1_2_x86_64 musllinux_1_1_x86_64",
    "macosx_12_0_arm64": "macosx_12_0_arm64 macosx_11_0_arm64",
}.items():
    for offered in offers.split():
        found = ", ".join(f"{tool} {'yes' if answer else 'no'}" for tool, answer in answers(asked, offered).items())
        print(f"{asked} gets {offered}: {found}")
PYTHON
)
expected='manylinux2014_x86_64 gets manylinux2014_x86_64: pip yes, unearth yes, uv yes
manylinux2014_x86_64 gets manylinux1_x86_64: pip yes, unearth yes, uv yes
manylinux2014_x86_64 gets manylinux_2_17_x86_64: pip no, unearth no, uv yes
manylinux2014_x86_64 gets manylinux_2_5_x86_64: pip no, unearth no, uv yes
manylinux_2_17_x86_64 gets manylinux_2_17_x86_64: pip yes, unearth yes, uv yes
manylinux_2_17_x86_64 gets manylinux2014_x86_64: pip no, unearth no, uv yes
manylinux_2_28_x86_64 gets manylinux_2_28_x86_64: pip yes, unearth yes, uv yes
manylinux_2_28_x86_64 gets manylinux_2_17_x86_64: pip no, unearth no, uv yes
manylinux_2_28_x86_64 gets manylinux2014_x86_64: pip no, unearth no, uv yes
musllinux_1_2_x86_64 gets musllinux_1_2_x86_64: pip yes, unearth yes
musllinux_1_2_x86_64 gets musllinux_1_1_x86_64: pip no, unearth no
macosx_12_0_arm64 gets macosx_12_0_arm64: pip yes, unearth yes
macosx_12_0_arm64 gets macosx_11_0_arm64: pip yes, unearth yes'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
