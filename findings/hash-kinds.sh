#!/usr/bin/env bash
# Guess:     an index may give any hash that hashlib has without parameters (PEP 503 names sha224; PEP 691, hashlib.new), a right
#            one never keeps a file from being installed, and the form of the page makes no difference.
# Versions:  pip 26.3, uv 0.13.8; all hashes are right
# Behaviour: pip installs all. uv refuses a whole page of HTML that has one sha224, of which JSON is taken; and of blake2b, which
#            it knows by name, it wants 64 digits in both forms, where hashlib's blake2b and b2sum give 128.
# Seen:      sha256 html: pip demo-1.0, uv demo-1.0
#            sha256 json: pip demo-1.0, uv demo-1.0
#            sha224 html: pip demo-1.0, uv cause: Unsupported hash algorithm
#            sha224 json: pip demo-1.0, uv demo-1.0
#            blake2b html: pip demo-1.0, uv cause: Invalid hash digest length (expected 64 hexadecimal characters, found 128)
#            blake2b json: pip demo-1.0, uv cause: Invalid hash digest length (expected 64 hexadecimal characters, found 128)
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    pip==26.3 uv==0.13.8 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1)
seen=$("${isolated[@]}" timeout 120 "$work/venv/bin/python" - "$work" <<'PYTHON'
import hashlib, http.server, io, json, pathlib, re, subprocess, sys, tempfile, threading, zipfile

WHY = re.compile("cause:")


def wheel(version: str) -> bytes:
    info = f"demo-{version}.dist-info/"
    with zipfile.ZipFile(packed := io.BytesIO(), "w") as file:
        file.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n")
        file.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(info + "RECORD", "".join(f"{info}{name},,\n" for name in ("METADATA", "WHEEL", "RECORD")))
    return packed.getvalue()


class Index(http.server.BaseHTTPRequestHandler):
    page, media_type = b"", "text/html"

    def do_GET(self):
        answer = files.get(self.path, self.page)
        self.send_response(200)
        self.send_header("Content-Type", self.media_type)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
threading.Thread(target=server.serve_forever, daemon=True).start()
origin = f"http://127.0.0.1:{server.server_port}"


def outcome(*command: str) -> str:
    """What was installed, or the line that says why nothing was."""
    with tempfile.TemporaryDirectory() as target:
        options = ["--no-deps", "--no-cache-dir", "--index-url", f"{origin}/simple", "--target", target, "demo"]
        done = subprocess.run([*command, "install", *options], capture_output=True, text=True, timeout=50)
        found = [path.stem for path in pathlib.Path(target).glob("*.dist-info")]
        lines = [line.strip() for line in done.stderr.replace(origin, "…").splitlines()]
        return " ".join(found or [line for line in lines if WHY.search(line)])


name = "demo-1.0-py3-none-any.whl"
files = {f"/files/{name}": wheel("1.0")}
for kind in ("sha256", "sha224", "blake2b"):
    digest = hashlib.new(kind, files[f"/files/{name}"]).hexdigest()
    entry = {"filename": name, "url": f"/files/{name}", "hashes": {kind: digest}}
    data = {"meta": {"api-version": "1.0"}, "name": "demo", "files": [entry]}
    for media_type, page in (
        ("text/html", f"<a href='/files/{name}#{kind}={digest}'>{name}</a>"),
        ("application/vnd.pypi.simple.v1+json", json.dumps(data)),
    ):
        Index.page, Index.media_type = page.encode(), media_type
        pip, uv = outcome(sys.executable, "-m", "pip"), outcome(f"{sys.prefix}/bin/uv", "pip")
        reason = re.sub(r"( on:| at line| \(expected one).*", "", uv)
        print(f"{kind} {media_type[-4:]}: pip {pip}, uv {reason}")
PYTHON
)
expected='sha256 html: pip demo-1.0, uv demo-1.0
sha256 json: pip demo-1.0, uv demo-1.0
sha224 html: pip demo-1.0, uv cause: Unsupported hash algorithm
sha224 json: pip demo-1.0, uv demo-1.0
blake2b html: pip demo-1.0, uv cause: Invalid hash digest length (expected 64 hexadecimal characters, found 128)
blake2b json: pip demo-1.0, uv cause: Invalid hash digest length (expected 64 hexadecimal characters, found 128)'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
