#!/usr/bin/env bash
# Guess:     the console script `my tool = mod:main` of entry_points.txt is installed as `my tool`, or refused, by both.
# Versions:  pip 26.3, uv 0.13.8
# Behaviour: uv installs `my tool`. pip installs a file whose name is a space and the last word, ` tool`, without a warning: of two
#            names that end in the same word one is left. As entry points both names are there after either.
# Seen:      pip:  tool; entry points: my tool, your tool
#            uv: my tool, your tool; entry points: my tool, your tool
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for name in pip uv; do
    python3 -m venv "$work/$name" && timeout 300 "$work/$name/bin/pip" install --quiet pip==26.3 uv==0.13.8 || exit 2
done

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1)
seen=$("${isolated[@]}" timeout 120 "$work/pip/bin/python" - "$work" <<'PYTHON'
import os, pathlib, subprocess, sys, zipfile

work = pathlib.Path(sys.argv[1])
info = "spaced-1.0.dist-info"
members = {
    "spaced.py": "def main(): pass\n",
    f"{info}/METADATA": "Metadata-Version: 2.1\nName: spaced\nVersion: 1.0\n",
    f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{info}/entry_points.txt": "[console_scripts]\nmy tool = spaced:main\nyour tool = spaced:main\n",
}
members[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in members) + f"{info}/RECORD,,\n"
wheel = work / "spaced-1.0-py3-none-any.whl"
with zipfile.ZipFile(wheel, "w") as archive:
    for path, text in members.items():
        archive.writestr(path, text)

ASK = "import importlib.metadata as m; print(', '.join(sorted(e.name for e in m.distribution('spaced').entry_points)))"
for name in ("pip", "uv"):
    scripts = work / name / "bin"
    before = set(os.listdir(scripts))
    options = ["install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    python = str(scripts / "python")
    command = [python, "-m", "pip", *options] if name == "pip" else [str(scripts / "uv"), "pip", *options, "--python", python]
    subprocess.run(command, check=True, timeout=50)
    made = ", ".join(sorted(set(os.listdir(scripts)) - before))
    named = subprocess.run([python, "-c", ASK], capture_output=True, text=True, check=True, timeout=50).stdout.strip()
    print(f"{name}: {made}; entry points: {named}")
PYTHON
)
expected='pip:  tool; entry points: my tool, your tool
uv: my tool, your tool; entry points: my tool, your tool'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
