#!/usr/bin/env bash
# Guess:     simple-repository-server, which serves what an index says with components between, gives on what a JSON page holds up
#            to the version of the API that it states itself, among it when a file was uploaded, to the microsecond.
# Versions:  simple-repository-server 0.10.0, simple-repository 0.11.1
# Behaviour: it states the index's api-version 1.4 but leaves out project-status (of 1.4: "archived" is gone) and provenance (of
#            1.3), and cuts "upload-time" down to whole seconds: a file can be older than its index says by nearly one, and is then
#            on the other side of a client's limit. A file for which the index has no metadata gets "core-metadata": true, since
#            the server reads it out of the wheel when it is asked.
# Seen:      api-version 1.4; keys of the page: files meta name versions; keys of meta: api-version
#            upload-time 2026-01-01T00:00:00.999999Z became 2026-01-01T00:00:00Z
#            core-metadata None became True, provenance http://127.0.0.1/p became None
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    simple-repository-server==0.10.0 simple-repository==0.11.1 fastapi==0.165.0 starlette==1.10.0 httpx==0.28.1 || exit 2

seen=$(env -i "PATH=$PATH" "HOME=$work" "TMPDIR=$work" timeout 120 "$work/venv/bin/python" - 2>"$work/log" <<'PYTHON'
import http.server, json, threading
from simple_repository_server.__main__ import create_app
from starlette.testclient import TestClient

JSON = "application/vnd.pypi.simple.v1+json"

class Index(http.server.BaseHTTPRequestHandler):
    page, media_type = b"", "text/html"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", self.media_type)
        self.send_header("Content-Length", str(len(self.page)))
        self.end_headers()
        self.wfile.write(self.page)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
threading.Thread(target=server.serve_forever, daemon=True).start()

name = "demo-1.0-py3-none-any.whl"
entry = {"filename": name, "url": f"/files/{name}", "hashes": {"sha256": "aa"}, "size": 924, "yanked": False}
entry |= {"upload-time": "2026-01-01T00:00:00.999999Z", "provenance": "http://127.0.0.1/p"}
meta = {"api-version": "1.4"}
page = {"meta": meta, "name": "demo", "project-status": {"status": "archived"}, "versions": ["1.0"], "files": [entry]}
Index.media_type, Index.page = JSON, json.dumps(page).encode()
with TestClient(create_app([f"http://127.0.0.1:{server.server_port}/simple/"])) as client:
    given = client.get("/simple/demo/", headers={"Accept": JSON}).json()
[found] = given["files"]
print(f"api-version {given['meta']['api-version']}; keys of the page:", *sorted(given), end="; ")
print("keys of meta:", *sorted(given["meta"]))
print(f"upload-time {entry['upload-time']} became {found['upload-time']}")
print(f"core-metadata {entry.get('core-metadata')} became {found.get('core-metadata')}", end=", ")
print(f"provenance {entry['provenance']} became {found.get('provenance')}")
PYTHON
)
expected='api-version 1.4; keys of the page: files meta name versions; keys of meta: api-version
upload-time 2026-01-01T00:00:00.999999Z became 2026-01-01T00:00:00Z
core-metadata None became True, provenance http://127.0.0.1/p became None'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; cat "$work/log"; exit 1; }
