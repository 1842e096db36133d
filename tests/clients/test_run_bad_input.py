"""``wheelfs run`` around commands, clients and machines that are not as one would have them."""

from __future__ import annotations

import shutil
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.fakes.index import FakeIndex
from tests.fakes.processes import run
from tests.fakes.runs import UV, Runs, python
from tests.fakes.waiting import eventually
from tests.fakes.wheels import wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHEEL = wheel_filename("demo", "1.0")

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex(tls=True) as index:
        index.add_wheel("demo", "1.0")
        yield index


@pytest.fixture
def runs(tmp_path: Path, index: FakeIndex) -> Runs:
    return Runs(tmp_path / "runs", index)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_command_that_is_killed_ends_the_run_as_in_a_shell(runs: Runs, number: signal.Signals) -> None:
    ended = runs.wheelfs(*python(f"import os; os.kill(os.getpid(), {int(number)})"), options=("--offline",))
    assert ended.returncode == 128 + number
    assert list(runs.temporary.glob("wheelfs-run-*")) == []


RENEWS = """
import sys
from wheelfs.app import run
from wheelfs.cli.main import main
from wheelfs.frontends.http.proxy.authority import Authority
run.RENEW_LOOK_S = 0.01
Authority.is_due = True
sys.exit(main(sys.argv[1:]))
"""


def test_a_command_that_cleans_up_temporary_files_goes_on_and_finds_its_authorities_again(runs: Runs) -> None:
    cleans = 'rm -rf "${SSL_CERT_FILE%/*}"; until grep -q CERT "$SSL_CERT_FILE"; do sleep 0.01; done 2>/dev/null; exit 7'
    command = [*python(RENEWS), *runs.options("--offline"), "sh", "-c", cleans]
    assert run(command, environment=runs.environment(), cwd=runs.directory).returncode == 7
    assert list(runs.temporary.glob("wheelfs-run-*")) == []


PINS = """
import ssl, sys, urllib.request
context = ssl.create_default_context(cafile=sys.argv[1])
for url in sys.argv[2:]:
    try:
        with urllib.request.urlopen(url, context=context) as answer:
            print(answer.status)
    except urllib.error.URLError as error:
        print(type(error.reason).__name__)
"""


def test_a_client_with_a_list_of_its_own_refuses_the_index_and_reaches_other_hosts_untouched(
    runs: Runs, index: FakeIndex, tmp_path: Path
) -> None:
    with FakeIndex(tls=True) as elsewhere:
        elsewhere.add_wheel("demo", "1.0")
        pinned = tmp_path / "pinned.pem"
        pinned.write_bytes((index.ca_pem or b"") + (elsewhere.ca_pem or b""))
        said = runs.wheelfs(*python(PINS), str(pinned), elsewhere.url + "/demo/", index.url + "/demo/").succeeded().stdout
        assert said.split() == ["200", "SSLCertVerificationError"]
        assert [request.path for request in index.requests if "demo" in request.path] == []


HTTP2_ONLY = """
import base64, os, socket, ssl, sys
from urllib.parse import urlsplit
proxy, target = urlsplit(os.environ["HTTPS_PROXY"]), sys.argv[1]
stream = socket.create_connection((proxy.hostname, proxy.port))
login = base64.b64encode(f"{proxy.username}:{proxy.password}".encode()).decode()
stream.sendall(f"CONNECT {target} HTTP/1.1\\r\\nHost: {target}\\r\\nProxy-Authorization: Basic {login}\\r\\n\\r\\n".encode())
assert stream.recv(4096).startswith(b"HTTP/1.1 200")
context = ssl.create_default_context()
context.set_alpn_protocols(["h2"])
secure = context.wrap_socket(stream, server_hostname=target.partition(":")[0])
print(secure.selected_alpn_protocol())
secure.sendall(b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n" + bytes(9))
answer = b""
while data := secure.recv(4096):
    answer += data
print(answer.partition(b"\\r\\n")[0].decode())
"""


def test_a_client_of_http_2_alone_is_turned_away_and_does_not_hang(runs: Runs, index: FakeIndex) -> None:
    said = runs.wheelfs(*python(HTTP2_ONLY), index.origin.removeprefix("https://")).succeeded().stdout
    agreed, answer = said.splitlines()
    assert agreed == "None"
    assert answer in ("", "HTTP/1.1 400 "), "as much of it as was read before the connection is closed"


@needs_curl
def test_fifty_children_at_a_time_are_answered_alike(runs: Runs, index: FakeIndex, tmp_path: Path) -> None:
    many = 'for number in $(seq 50); do curl --silent --show-error --fail --output "$1/$number" "$2" & done; wait'
    (tmp_path / "got").mkdir()
    runs.wheelfs("bash", "-c", many, "bash", str(tmp_path / "got"), index.file_url(WHEEL)).succeeded()
    got = [path.read_bytes() for path in (tmp_path / "got").iterdir()]
    assert len(got) == 50
    assert len(set(got)) == 1
    assert index.body_bytes(WHEEL) == len(got[0])


DAEMONIZES = """
import os, pathlib, socket, sys, time
from urllib.parse import urlsplit
if os.fork():
    sys.exit(7)
os.setsid()
for descriptor in range(3):
    os.close(descriptor)
bundle, proxy = pathlib.Path(os.environ["SSL_CERT_FILE"]), urlsplit(os.environ["HTTPS_PROXY"])
while bundle.exists():
    time.sleep(0.02)
said = pathlib.Path(sys.argv[1])
try:
    socket.create_connection((proxy.hostname, proxy.port)).close()
    said.with_suffix(".new").write_text("reached")
except ConnectionRefusedError:
    said.with_suffix(".new").write_text("refused")
said.with_suffix(".new").rename(said)
"""


def test_what_a_command_leaves_running_outlives_the_run_without_its_proxy(runs: Runs, tmp_path: Path) -> None:
    said = tmp_path / "said"
    assert runs.wheelfs(*python(DAEMONIZES), str(said)).returncode == 7
    eventually(said.exists)
    assert said.read_text() == "refused"


def test_a_home_that_cannot_be_written_is_no_hindrance(runs: Runs, index: FakeIndex, tmp_path: Path) -> None:
    """Not even root can write there."""
    nowhere = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"), "/proc/1/nowhere")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir", "-i", index.url, "--target", str(tmp_path / "to"))
    runs.wheelfs(*pip, "demo", environment=nowhere).succeeded()
    assert (tmp_path / "to" / "demo").is_dir()


@pytest.mark.parametrize("line", ["proxy = http://127.0.0.1:1", "no-proxy-env = true"])
def test_what_pips_files_say_of_proxies_leads_pip_around_no_run(runs: Runs, index: FakeIndex, tmp_path: Path, line: str) -> None:
    (tmp_path / "pip.conf").write_text(f"[global]\n{line}\n")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir", "-i", index.url, "--target", str(tmp_path / "to"))
    runs.wheelfs(*pip, "demo", environment={"PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}).succeeded()
    assert [file["project"] for file in runs.listed()] == ["demo"]


def test_pip_is_given_the_metadata_of_a_file_whose_address_has_a_query(tmp_path: Path) -> None:
    """pip appends ``.metadata`` to the whole address, other clients to its path."""
    with FakeIndex(tls=True, core_metadata=False, signatures="links") as index:
        filename, _ = index.add_wheel("demo", "1.0", big_bytes=3_000_000)
        runs = Runs(tmp_path / "runs", index)
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir", "-i", index.url)
        runs.wheelfs(*pip, "--dry-run", "demo").succeeded()
        assert 0 < index.body_bytes() < 1_000_000, "its end alone"
        runs.wheelfs(*pip, "--target", str(tmp_path / "to"), "demo").succeeded()
        assert (tmp_path / "to" / "demo").is_dir()
        assert [file["filename"] for file in runs.listed()] == [filename]


@pytest.mark.parametrize("url", ["https://${HOST}/x-1.0.whl", "https://.../x-1.0.whl", "https://ü…/x-1.0.whl"])
def test_what_is_no_host_in_the_files_of_a_project_spoils_nothing(tmp_path: Path, url: str) -> None:
    (tmp_path / "requirements.txt").write_text(f"demo\n# other {url}\n")
    with FakeIndex(tls=True, address="localhost") as index:  # certificates of names are held against all that is named
        index.add_wheel("demo", "1.0")
        runs = Runs(tmp_path / "runs", index)
        install = (UV, "pip", "install", "--quiet", "--no-cache", "--index-url", index.url, "--target", str(tmp_path / "to"))
        runs.wheelfs(*install, "demo", cwd=tmp_path).succeeded()
        assert [file["project"] for file in runs.listed()] == ["demo"]
