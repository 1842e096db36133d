#!/usr/bin/env bash
# Guess:     a script of a wheel can be started once it is installed on Unix, also where the wheel was built on Windows, where no
#            x bit can be put into the archive: the wheel specification says that installers may need to add it.
# Versions:  pip 26.3, uv 0.13.8, installer 1.1.0; a wheel whose members have no mode at all, and one with mode 0644
# Behaviour: uv adds it. pip and installer rewrite the first line to the environment's interpreter, and leave a file that the
#            shell refuses with "Permission denied". Only what comes from entry points is executable in all three.
# Seen:      no mode: pip 0644, uv 0755, installer 0644; of entry points: pip 0755, uv 0755, installer 0755
#            0644: pip 0644, uv 0755, installer 0644; of entry points: pip 0755, uv 0755, installer 0755
#            0755: pip 0755, uv 0755, installer 0755; of entry points: pip 0755, uv 0755, installer 0755
set -uo pipefail
umask 022
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    pip==26.3 uv==0.13.8 installer==1.1.0 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1)
seen=$("${isolated[@]}" timeout 120 "$work/venv/bin/python" - "$work" <<'PYTHON'
import os, pathlib, stat, subprocess, sys, sysconfig, tempfile, venv, zipfile

os.chdir(sys.argv[1])
UNIX, WINDOWS = 3, 0
info, name = "demo-1.0.dist-info", "demo-1.0-py3-none-any.whl"
members = {
    "demo.py": "def main(): pass\n",
    "demo-1.0.data/scripts/brought": "#!python\npass\n",
    f"{info}/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
    f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{info}/entry_points.txt": "[console_scripts]\nmade = demo:main\n",
}
members[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*members, f"{info}/RECORD"))
ours, packages = sys.executable, sysconfig.get_path("purelib")
installs = {
    "pip": lambda python: [ours, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", name],
    "uv": lambda python: [f"{sys.prefix}/bin/uv", "pip", "install", "--quiet", "--no-index", "--python", python, name],
    "installer": lambda python: [python, "-m", "installer", name],
}


def mode(path: pathlib.Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


for title, system, bits in (("no mode", WINDOWS, 0), ("0644", UNIX, 0o644), ("0755", UNIX, 0o755)):
    with zipfile.ZipFile(name, "w") as wheel:
        for path, text in members.items():
            member = zipfile.ZipInfo(path)
            member.create_system = system
            is_script = path.endswith("brought")
            member.external_attr = (stat.S_IFREG | (bits if is_script else 0o644)) << 16 if system == UNIX else 0x20
            wheel.writestr(member, text)
    brought, made = [], []
    for tool, command in installs.items():
        with tempfile.TemporaryDirectory(dir=".") as root:
            venv.create(root, symlinks=True)
            python = pathlib.Path(root, "bin/python").absolute()
            path = {"PYTHONPATH": packages} if tool == "installer" else {}
            subprocess.run(command(str(python)), check=True, timeout=50, env={**os.environ, **path})
            brought.append(f"{tool} {mode(python.parent / 'brought')}")
            made.append(f"{tool} {mode(python.parent / 'made')}")
    print(f"{title}: {', '.join(brought)}; of entry points: {', '.join(made)}")
PYTHON
)
expected='no mode: pip 0644, uv 0755, installer 0644; of entry points: pip 0755, uv 0755, installer 0755
0644: pip 0644, uv 0755, installer 0644; of entry points: pip 0755, uv 0755, installer 0755
0755: pip 0755, uv 0755, installer 0755; of entry points: pip 0755, uv 0755, installer 0755'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
