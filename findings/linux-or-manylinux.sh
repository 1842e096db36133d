#!/usr/bin/env bash
# Guess:     of two wheels of one version, one for linux_x86_64 (built on the spot) and one for manylinux, pip and uv take the
#            same: both say that they go by the order of tags that the interpreter supports.
# Versions:  pip 26.3, uv 0.13.8; on Linux with glibc; the machine's name is left out below
# Behaviour: pip takes linux, uv manylinux, so a site's own build in --find-links replaces the public one for pip alone. A build
#            number (the 1 of demo-1.0-1-...) does not help in uv, since tags go first; a local version (1.0+site) does in both.
# Seen:      1.0 linux and 1.0 manylinux_2_17: pip linux, uv manylinux_2_17
#            1.0-1 linux and 1.0 manylinux_2_17: pip linux, uv manylinux_2_17
#            1.0 linux and 1.0-1 manylinux_2_17: pip linux, uv manylinux_2_17
#            1.0+site linux and 1.0 manylinux_2_17: pip linux, uv linux
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    pip==26.3 uv==0.13.8 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1)
seen=$("${isolated[@]}" timeout 120 "$work/venv/bin/python" - "$work" <<'PYTHON'
import os, pathlib, platform, subprocess, sys, tempfile, zipfile

os.chdir(sys.argv[1])


def build(folder: str, versions: str, system: str) -> None:
    version, _, number = versions.partition("-")
    info = f"demo-{version}.dist-info/"
    tag = f"py3-none-{system}_{platform.machine()}"
    with zipfile.ZipFile(f"{folder}/demo-{versions}-{tag}.whl", "w") as wheel:
        wheel.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n")
        build_line = f"Build: {number}\n" if number else ""
        wheel.writestr(info + "WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n{build_line}")
        wheel.writestr(info + "RECORD", "".join(f"{info}{member},,\n" for member in ("METADATA", "WHEEL", "RECORD")))


def chosen(folder: str, *command: str) -> str:
    with tempfile.TemporaryDirectory() as target:
        options = ["--quiet", "--no-cache-dir", "--no-index", "--find-links", folder, "--target", target, "demo"]
        subprocess.run([*command, "install", *options], check=True, timeout=50)
        [described] = pathlib.Path(target).glob("*.dist-info/WHEEL")
        [tag] = [line for line in described.read_text().splitlines() if line.startswith("Tag: ")]
        return tag.removeprefix("Tag: py3-none-").removesuffix(f"_{platform.machine()}")


for ours, public in (("1.0", "1.0"), ("1.0-1", "1.0"), ("1.0", "1.0-1"), ("1.0+site", "1.0")):
    with tempfile.TemporaryDirectory() as folder:
        build(folder, ours, "linux")
        build(folder, public, "manylinux_2_17")
        pip, uv = chosen(folder, sys.executable, "-m", "pip"), chosen(folder, f"{sys.prefix}/bin/uv", "pip")
        print(f"{ours} linux and {public} manylinux_2_17: pip {pip}, uv {uv}")
PYTHON
)
expected='1.0 linux and 1.0 manylinux_2_17: pip linux, uv manylinux_2_17
1.0-1 linux and 1.0 manylinux_2_17: pip linux, uv manylinux_2_17
1.0 linux and 1.0-1 manylinux_2_17: pip linux, uv manylinux_2_17
1.0+site linux and 1.0 manylinux_2_17: pip linux, uv linux'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
