#!/usr/bin/env bash
# Guess:     a body with "Content-Encoding: x-gzip" is decoded by all that decode gzip: RFC 9110, section 8.4.1.3, says to take
#            the two for equal.
# Versions:  httpx2 2.16.2, urllib3 2.8.0, pip 26.3, uv 0.13.8
# Behaviour: urllib3, and so pip, decodes it. httpx2 returns the compressed bytes as the content, without an error. uv says
#            that no version exists: it looks for links in the compressed bytes of the page.
# Seen:      gzip httpx2: decoded
#            gzip urllib3: decoded
#            gzip pip: demo-1.0
#            gzip uv: demo-1.0
#            x-gzip httpx2: not decoded
#            x-gzip urllib3: decoded
#            x-gzip pip: demo-1.0
#            x-gzip uv: cause: Because there are no versions of demo
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    httpx2==2.16.2 httpcore2==2.16.2 h11==0.16.0 anyio==4.16.0 urllib3==2.8.0 pip==26.3 uv==0.13.8 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1)
seen=$("${isolated[@]}" timeout 120 "$work/venv/bin/python" - "$work" <<'PYTHON'
import gzip, http.server, io, pathlib, re, subprocess, sys, tempfile, threading, zipfile
import httpx2, urllib3

WHY = re.compile("no versions of demo")


def wheel(version: str) -> bytes:
    info = f"demo-{version}.dist-info/"
    with zipfile.ZipFile(packed := io.BytesIO(), "w") as file:
        file.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n")
        file.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(info + "RECORD", "".join(f"{info}{name},,\n" for name in ("METADATA", "WHEEL", "RECORD")))
    return packed.getvalue()


class Index(http.server.BaseHTTPRequestHandler):
    page, media_type, coding = b"", "text/html", ""

    def do_GET(self):
        answer = files.get(self.path, self.page)
        self.send_response(200)
        self.send_header("Content-Type", self.media_type)
        self.send_header("Content-Length", str(len(answer)))
        if answer is self.page and self.coding:
            self.send_header("Content-Encoding", self.coding)
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
Index.page = gzip.compress(f"<a href='/files/{name}'>{name}</a>".encode())
for coding in ("gzip", "x-gzip"):
    Index.coding, headers, body = coding, {"Content-Encoding": coding}, gzip.compress(b"text")
    contents = {
        "httpx2": httpx2.Response(200, headers=headers, content=body).content,
        "urllib3": urllib3.HTTPResponse(io.BytesIO(body), headers=headers).data,
    }
    for library, content in contents.items():
        print(f"{coding} {library}:", "decoded" if content == b"text" else "not decoded")
    print(f"{coding} pip:", outcome(sys.executable, "-m", "pip"))
    print(f"{coding} uv:", outcome(f"{sys.prefix}/bin/uv", "pip").partition(" and you require")[0])
PYTHON
)
expected='gzip httpx2: decoded
gzip urllib3: decoded
gzip pip: demo-1.0
gzip uv: demo-1.0
x-gzip httpx2: not decoded
x-gzip urllib3: decoded
x-gzip pip: demo-1.0
x-gzip uv: cause: Because there are no versions of demo'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
