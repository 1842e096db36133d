#!/usr/bin/env bash
# Guess:     in a requirements file a comment ends with its line, to pip and to uv, also where its last letter is a backslash.
# Versions:  pip 26.3, uv 0.13.8
# Behaviour: pip joins lines before it cuts comments off, and takes only whole lines for comments there: a comment behind a
#            requirement that ends in a backslash (a path of Windows does) takes the next requirement with it. That is then not
#            installed, without an error or a warning. uv installs both.
# Seen:      demo\n# see C:\notes\\\nother: pip demo other, uv demo other
#            demo # see C:\notes\nother: pip demo other, uv demo other
#            demo # see C:\notes\\\nother: pip demo, uv demo other
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    pip==26.3 uv==0.13.8 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1)
seen=$("${isolated[@]}" timeout 120 "$work/venv/bin/python" - "$work" <<'PYTHON'
import os, pathlib, subprocess, sys, tempfile, zipfile

os.chdir(sys.argv[1])
pathlib.Path("wheels").mkdir()
for name in ("demo", "other"):
    info = f"{name}-1.0.dist-info/"
    with zipfile.ZipFile(f"wheels/{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(info + "RECORD", "".join(f"{info}{member},,\n" for member in ("METADATA", "WHEEL", "RECORD")))


def installed(*command: str) -> str:
    with tempfile.TemporaryDirectory() as target:
        options = ["--quiet", "--no-index", "--find-links", "wheels", "--target", target, "--requirement", "asked.txt"]
        done = subprocess.run([*command, "install", *options], capture_output=True, text=True, timeout=50)
        names = sorted(path.name.partition("-")[0] for path in pathlib.Path(target).glob("*.dist-info"))
        return " ".join([*names, *done.stderr.split("\n")[:1]]).strip() if done.returncode else " ".join(names)


for text in ("demo\n# see C:\\notes\\\nother", "demo # see C:\\notes\nother", "demo # see C:\\notes\\\nother"):
    pathlib.Path("asked.txt").write_text(text + "\n")
    pip, uv = installed(sys.executable, "-m", "pip"), installed(f"{sys.prefix}/bin/uv", "pip")
    print(text.replace("\\\n", "\\\\\\n").replace("\n", "\\n") + f": pip {pip}, uv {uv}")
PYTHON
)
expected='demo\n# see C:\notes\\\nother: pip demo other, uv demo other
demo # see C:\notes\nother: pip demo other, uv demo other
demo # see C:\notes\\\nother: pip demo, uv demo other'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
