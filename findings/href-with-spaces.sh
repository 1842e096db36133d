#!/usr/bin/env bash
# Guess:     space around the address of a link is no part of it: HTML strips it ("valid URL potentially surrounded by spaces"),
#            and templates that put the address on a line of its own write it.
# Versions:  pip 26.3, uv 0.13.8, pypi-simple 1.8.0
# Behaviour: all three keep it. With a hash it becomes the end of the digest: pip downloads the right file, says that it does not
#            match and that someone may have tampered with it; uv refuses the whole page for a digest of 67 digits; pypi-simple
#            returns a digest that ends in spaces. Without one it becomes the end of the file's name, and the file is overlooked.
# Seen:      with a hash: pip: ERROR: THESE PACKAGES DO NOT MATCH THE HASHES
#            with a hash: uv: cause: Invalid hash digest length (expected 64 hexadecimal characters, found 67)
#            with a hash: pypi-simple: {'sha256': '…  '}
#            without: pip: ERROR: No matching distribution found for demo
#            without: uv: cause: Because there are no versions of demo
#            without: pypi-simple: {}
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    pip==26.3 uv==0.13.8 pypi-simple==1.8.0 beautifulsoup4==4.15.0 soupsieve==4.1.3 requests==2.34.2 urllib3==2.8.0 \
    mailbits==0.2.3 packaging==26.4 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1)
seen=$("${isolated[@]}" timeout 120 "$work/venv/bin/python" - "$work" <<'PYTHON'
import hashlib, io, pathlib, re, subprocess, sys, tempfile, zipfile
from pypi_simple import ProjectPage

page = pathlib.Path(sys.argv[1]) / "simple/demo/index.html"
page.parent.mkdir(parents=True)
origin = pathlib.Path(sys.argv[1]).as_uri()
WHY = re.compile("DO NOT MATCH|digest length|No matching|no versions")


def wheel(version: str) -> bytes:
    info = f"demo-{version}.dist-info/"
    with zipfile.ZipFile(packed := io.BytesIO(), "w") as file:
        file.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n")
        file.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(info + "RECORD", "".join(f"{info}{name},,\n" for name in ("METADATA", "WHEEL", "RECORD")))
    return packed.getvalue()


def outcome(*command: str) -> str:
    """What was installed, or the line that says why nothing was."""
    with tempfile.TemporaryDirectory() as target:
        options = ["--no-deps", "--no-cache-dir", "--index-url", f"{origin}/simple", "--target", target, "demo"]
        done = subprocess.run([*command, "install", *options], capture_output=True, text=True, timeout=50)
        found = [path.stem for path in pathlib.Path(target).glob("*.dist-info")]
        lines = [line.strip() for line in done.stderr.replace(origin, "…").splitlines()]
        return " ".join(found or [line for line in lines if WHY.search(line)])


name = "demo-1.0-py3-none-any.whl"
page.with_name(name).write_bytes(content := wheel("1.0"))
digest = hashlib.sha256(content).hexdigest()
for label, address in (("with a hash", f"{name}#sha256={digest}"), ("without", name)):
    page.write_text(f'<a href="\n    {address}\n  ">{name}</a>')
    pip, uv = outcome(sys.executable, "-m", "pip"), outcome(f"{sys.prefix}/bin/uv", "pip")
    package = ProjectPage.from_html("demo", page.read_text(), origin + "/simple/demo/").packages[0]
    print(f"{label}: pip: {pip.partition(' FROM')[0]}")
    print(f"{label}: uv: {uv.partition(' and you')[0]}")
    print(f"{label}: pypi-simple:", {kind: value.replace(digest, "…") for kind, value in package.digests.items()})
PYTHON
)
expected="with a hash: pip: ERROR: THESE PACKAGES DO NOT MATCH THE HASHES
with a hash: uv: cause: Invalid hash digest length (expected 64 hexadecimal characters, found 67)
with a hash: pypi-simple: {'sha256': '…  '}
without: pip: ERROR: No matching distribution found for demo
without: uv: cause: Because there are no versions of demo
without: pypi-simple: {}"

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
