"""Where credentials go, and where they never appear."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.faults import Fault, Stall
from tests.fakes.index import FakeIndex
from tests.fakes.keyrings import FakeKeyring
from tests.fakes.proxy import FakeProxy

if TYPE_CHECKING:
    from tests.conftest import MountWheelfs, RunWheelfs
    from tests.fakes.mounts import Mounted


@pytest.mark.parametrize("from_netrc", [False, True])
def test_credentials_reach_their_index_and_appear_nowhere(
    run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path, mounted: MountWheelfs, from_netrc: bool
) -> None:
    secret = "s3cr3t-0123456789"
    user = "me-0123456789"
    with FakeIndex(credentials=(user, secret)) as index, FakeIndex() as elsewhere:
        name, content = index.add_wheel("private", "1.0", big_bytes=400_000)
        away, away_content = elsewhere.add_wheel("away", "1.0", big_bytes=400_000)
        # A page of the index with credentials that links to a file of another origin.
        index.set_page("away", f'<a href="{elsewhere.file_url(away)}">{away}</a>'.encode())
        env = {"NETRC": str(tmp_path / "netrc")}
        (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login {user} password {secret}\n" if from_netrc else "")
        (tmp_path / "netrc").chmod(0o600)
        url = index.url if from_netrc else index.url.replace("http://", f"http://{user}:{secret}@")
        mount = mounted("-v", index=url, env=env)
        assert (mount.path / "simple" / "private" / name).read_bytes() == content
        assert (mount.path / "simple" / "away" / away).read_bytes() == away_content
        index.credentials = ("other", "x")
        with pytest.raises(OSError, match="Permission denied"):
            (mount.path / "simple" / "unknown" / "index.html").read_bytes()
        index.credentials = (user, secret)
        index.faults.append(Fault("/simple/", Stall(after_bytes=None), times=None))
        seen = _everything_shown(mount)
        for words in (
            ["status"],
            ["status", "--json"],
            ["config"],
            ["config", "--json"],
            ["ls", "--json"],
            ["show", "private", "--json"],
        ):
            done = run_wheelfs("--store", str(store_dir), *words, env={**env, "WHEELFS_INDEX": f"main={url}"}).succeeded()
            seen[" ".join(words)] = (done.stdout + done.stderr).encode()
        mount.stop()
        index.stop()
        refused = run_wheelfs("--store", str(store_dir), "add", f"{url}/{name}", "--json", env=env)
        seen["add"] = (refused.stdout + refused.stderr).encode()
        seen["log"] = mount.log.encode()
        for file in store_dir.rglob("*"):
            if file.is_file():
                seen[str(file)] = file.read_bytes()
        encoded = [secret.encode(), user.encode()]
        assert not [place for place, text in seen.items() for word in encoded if word in text]
        assert all("authorization" in request.headers for request in index.requests if request.path.endswith(name))
        assert not [request for request in elsewhere.requests if "authorization" in request.headers]


def _everything_shown(mount: Mounted) -> dict[str, bytes]:
    seen: dict[str, bytes] = {}
    for place in (
        "index.html",
        "simple/index.html",
        "simple/private/index.html",
        "simple/away/index.html",
        ".wheelfs/status.json",
    ):
        seen[place] = (mount.path / place).read_bytes()
    for file in (mount.path / "simple" / "private").iterdir():
        seen.update({f"{file} {name}": os.getxattr(file, name) for name in os.listxattr(file)})
    return seen


SECRETS = ("url-0123456789", "proxy-0123456789", "keyring-0123456789", "signature-0")


def test_no_secret_of_any_kind_shows_while_a_daemon_logs_all_it_can(
    run_wheelfs: RunWheelfs, store_dir: Path, tmp_path: Path
) -> None:
    keyring = FakeKeyring(tmp_path / "bin", "keyring-0123456789")
    path, log_file = tmp_path / "mnt", tmp_path / "daemon.log"
    with (
        FakeIndex(credentials=("me", "url-0123456789")) as by_url,
        FakeIndex(credentials=("me", "keyring-0123456789"), signatures="redirects") as by_keyring,
        FakeProxy() as proxy,
    ):
        hosted = {
            f"index/{name}/simple/{project}": index.add_wheel(project, "1.0", big_bytes=400_000)
            for name, project, index in (("a", "one", by_url), ("b", "two", by_keyring), ("c", "three", proxy))
        }
        configuration = tmp_path / "wheelfs.toml"
        configuration.write_text(f"""
            [log]
            level = "debug"
            file = "{log_file}"
            [[index]]
            name = "a"
            url = "{by_url.url.replace("://", "://me:url-0123456789@")}"
            [[index]]
            name = "b"
            url = "{by_keyring.url}"
            username = "me"
            [[index]]
            name = "c"
            url = "http://127.0.0.2:1/simple"
            proxy = "{proxy.origin.replace("://", "://me:proxy-0123456789@")}"
        """)
        env = {"WHEELFS_CONFIG": str(configuration), "PATH": f"{keyring.directory}:{os.environ['PATH']}"}
        words = ("--store", str(store_dir), "mount", str(path), "-v")
        seen = {"mount": run_wheelfs(*words, env=env).succeeded().stdout.encode()}
        try:
            for directory, (name, content) in hosted.items():
                assert (path / directory / name).read_bytes() == content
                seen[directory] = (path / directory / "index.html").read_bytes()
                seen[name] = b" ".join(os.getxattr(path / directory / name, one) for one in os.listxattr(path / directory / name))
            by_url.credentials = by_keyring.credentials = ("other", "x")
            proxy.stop()
            for directory in ("index/a/simple/no", "index/b/simple/no", "index/c/simple/no"):
                with pytest.raises(OSError, match=r"Permission denied|unreachable"):
                    (path / directory / "index.html").read_bytes()
            seen["status.json"] = (path / ".wheelfs/status.json").read_bytes()
            for command in ("status", "status --json", "config", "config --json", "ls --json"):
                done = run_wheelfs("--store", str(store_dir), *command.split(), env=env).succeeded()
                seen[command] = (done.stdout + done.stderr).encode()
            seen["ps"] = b"\n".join(process.read_bytes() for process in Path("/proc").glob("[0-9]*/cmdline"))
        finally:
            run_wheelfs("umount", str(path)).succeeded()
    seen["log"] = log_file.read_bytes()
    seen.update({str(file): file.read_bytes() for file in store_dir.rglob("*") if file.is_file()})
    assert b"127.0.0.1" in seen["log"], "it says what it does"
    assert [(place, secret) for place, text in seen.items() for secret in SECRETS if secret.encode() in text] == []
    # What would hide a secret from the search above is not the same as not telling it.
    encoded = [base64.b64encode(f"me:{secret}".encode()) for secret in SECRETS]
    assert [place for place, text in seen.items() for secret in encoded if secret in text] == []
