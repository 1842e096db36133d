#!/usr/bin/env bash
# Guess:     HTTP clients that decode gzip read all members of a body: RFC 1952, section 2.2, lets a gzip file be several
#            members in a row, which is what block-wise compressing servers and bgzip write.
# Versions:  httpx2 2.16.2, urllib3 2.8.0, pip 26.3, uv 0.13.8
# Behaviour: httpx2 and uv end the body at the first member, without an error and without a warning; urllib3, and so pip, reads
#            all of it. On an index page that names version 2.0 in the second member, uv installs 1.0 and exits 0.
# Seen:      httpx2: b'first '
#            urllib3: b'first second'
#            pip: demo-2.0.dist-info
#            uv: demo-1.0.dist-info
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    httpx2==2.16.2 httpcore2==2.16.2 h11==0.16.0 anyio==4.16.0 urllib3==2.8.0 pip==26.3 uv==0.13.8 || exit 2

isolated=(env -i "PATH=$PATH" "HOME=$work" PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 PIP_DISABLE_PIP_VERSION_CHECK=1)
seen=$("${isolated[@]}" timeout 120 "$work/venv/bin/python" - "$work" <<'PYTHON'
import gzip, http.server, io, pathlib, subprocess, sys, threading, zipfile
import httpx2, urllib3

body = gzip.compress(b"first ") + gzip.compress(b"second")
headers = {"Content-Encoding": "gzip"}
print("httpx2:", httpx2.Response(200, headers=headers, content=body).content)
print("urllib3:", urllib3.HTTPResponse(io.BytesIO(body), headers=headers).data)

work, files = pathlib.Path(sys.argv[1]), {}
for version in ("1.0", "2.0"):
    with zipfile.ZipFile(packed := io.BytesIO(), "w") as wheel:
        info = f"demo-{version}.dist-info/"
        wheel.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(info + "RECORD", "".join(f"{info}{name},,\n" for name in ("METADATA", "WHEEL", "RECORD")))
    files[f"/demo-{version}-py3-none-any.whl"] = packed.getvalue()
page = b"".join(gzip.compress(f"<a href='{name}'>{name[1:]}</a>\n".encode()) for name in files)


class Index(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        answer = files.get(self.path, page)
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(answer)))
        if answer is page:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
threading.Thread(target=server.serve_forever, daemon=True).start()
options = ["--no-deps", "--no-cache-dir", "--index-url", f"http://127.0.0.1:{server.server_port}/simple", "demo", "--target"]
for name, command in {"pip": [sys.executable, "-m", "pip"], "uv": [f"{sys.prefix}/bin/uv", "pip"]}.items():
    subprocess.run([*command, "install", *options, str(work / name)], capture_output=True, timeout=50)
    print(f"{name}:", *(path.name for path in (work / name).glob("*.dist-info")))
PYTHON
)
expected="httpx2: b'first '
urllib3: b'first second'
pip: demo-2.0.dist-info
uv: demo-1.0.dist-info"

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
