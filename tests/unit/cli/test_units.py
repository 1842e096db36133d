"""Units of systemd: what they say, by systemd's own parser where it is installed, and when files are written or left alone."""

from __future__ import annotations

import configparser
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wheelfs.cli.mount_options import parse_options
from wheelfs.cli.units import MARK, automount_units, command_line, gateway_units, mount_unit, timer_units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.unit.cli.fake_app import Result
    from wheelfs.cli.units import Unit

PROGRAM = [sys.executable, "-P", "-m", "wheelfs"]
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd's programs")


def all_units(*, for_user: bool) -> list[Unit]:
    return [
        mount_unit(PROGRAM, Path("/mnt/wheels"), ["-o", "allow_other"], for_user=for_user),
        mount_unit(PROGRAM, Path('/mnt/100% "mine"/$HOME'), [], for_user=for_user),
        *gateway_units(PROGRAM, [], Path("/srv/my store"), for_user=for_user),
        *gateway_units(PROGRAM, [], None, for_user=for_user),
        *timer_units(PROGRAM, for_user=for_user),
    ]


def units_by_root() -> list[Unit]:
    return automount_units(Path("/mnt/my wheels-1"), ["_netdev", "allow_other", "index=lab=https://index.example/a%20b"])


def parsed(unit: Unit) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(unit.text)
    return parser


@needs_systemd
@pytest.mark.parametrize("for_user", [False, True])
def test_systemd_understands_them(tmp_path: Path, for_user: bool) -> None:
    secrets = {"WHEELFS_SERVE_TLS_KEY": Path("/etc/my 50% key")}
    units = [*all_units(for_user=for_user), *([] if for_user else units_by_root())]
    units += gateway_units(PROGRAM, [], Path("/srv/s"), log_file=Path("/var/log/my logs/w.log"), for_user=for_user)
    units += gateway_units(PROGRAM, [], None, secrets=secrets, for_user=for_user)
    for unit in units:
        (tmp_path / unit.name).write_text(unit.text)
        command = ["systemd-analyze", "verify", *(["--user"] if for_user else []), str(tmp_path / unit.name)]
        environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        ours = [line for line in done.stderr.splitlines() if unit.name in line or str(tmp_path) in line]
        assert (ours, done.returncode) == ([], 0)


@needs_systemd
def test_a_units_name_is_the_one_that_systemd_gives_a_path() -> None:
    for path in ("/mnt/wheels", "/mnt/my wheels-1/x", "/.hidden", "/mnt/größe"):
        escaped = subprocess.run(["systemd-escape", "--path", path], capture_output=True, text=True, check=True).stdout.strip()
        assert mount_unit(PROGRAM, Path(path), [], for_user=False).name == f"wheelfs-mount-{escaped}.service"


def test_services_say_when_they_are_ready_and_are_watched_and_a_mount_has_no_namespace_of_its_own() -> None:
    mount, _, with_store, gateway, of_gateway, its_timer, housekeeping, timer = map(parsed, all_units(for_user=False))
    for unit in (mount, gateway):
        assert unit["Service"]["Type"] == "notify"
        assert int(unit["Service"]["WatchdogSec"]) > 0
        assert unit["Service"]["Restart"] == "on-failure"
    assert not {"ProtectSystem", "PrivateTmp", "PrivateDevices", "NoNewPrivileges", "DynamicUser"} & set(mount["Service"])
    assert mount["Service"]["ExecStopPost"].endswith("umount --dead /mnt/wheels")
    assert gateway["Service"]["DynamicUser"] == "yes"
    assert "DynamicUser" not in with_store["Service"]
    assert with_store["Service"]["ReadWritePaths"] == '"/srv/my store"'
    for service, starts in ((of_gateway, its_timer), (housekeeping, timer)):
        assert service["Service"]["Type"] == "oneshot"
        assert starts["Timer"]["OnCalendar"] == "weekly"
    assert "Environment" not in housekeeping["Service"]
    for own in ("DynamicUser", "User", "StateDirectory", "Environment"):
        assert of_gateway["Service"][own] == gateway["Service"][own], "they have one store"
    assert parsed(mount_unit(PROGRAM, Path("/m"), [], for_user=True))["Install"]["WantedBy"] == "default.target"


def test_what_a_gateway_writes_to_is_there_before_it_is_confined(tmp_path: Path) -> None:
    store = tmp_path / "a new" / "store"
    [gateway] = gateway_units(PROGRAM, [], store, for_user=False)
    before = parsed(gateway)["Service"]["ExecStartPre"]
    assert before.startswith("+"), "or only what ReadWritePaths names could be written"
    for _ in range(2):
        subprocess.run(shlex.split(before.removeprefix("+")), check=True)
        assert store.stat().st_mode & 0o777 == 0o700


def test_a_unit_has_the_store_and_the_configuration_of_the_call_that_wrote_it(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def units(*words: str) -> dict[str, str]:
        return {one["unit"]: one["text"] for one in run("service", "install", *words, "--dry-run", "--json").objects}

    by_variable = f" --store {tmp_path / 'store'} "
    for words in (("gateway",), ("timer",), ("mount", "/m")):
        name, text = next(iter(units(*words).items()))
        assert by_variable in text, name
    assert by_variable not in next(iter(units("mount", "/m", "-o", "store=/srv/other").values())), "an option goes before it"
    config = tmp_path / "wheelfs.toml"
    config.write_text(f'store = "{tmp_path / "of-file"}"\n')
    monkeypatch.setenv("WHEELFS_CONFIG", str(config))
    assert f" --config {config} --store " in units("gateway")["wheelfs-gateway.service"]
    monkeypatch.delenv("WHEELFS_STORE")
    assert f" --config {config} serve" in units("gateway")["wheelfs-gateway.service"]


def test_a_gateway_with_a_store_of_its_own_brings_the_housekeeping_of_it(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    into = tmp_path / "units"
    monkeypatch.delenv("WHEELFS_STORE")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert run("service", "install", "gateway", "--into", str(into)).code == 0
    assert sorted(path.name for path in into.iterdir()) == [
        "wheelfs-gateway-housekeeping.service",
        "wheelfs-gateway-housekeeping.timer",
        "wheelfs-gateway.service",
    ]
    assert run("service", "remove", "gateway", "--into", str(into), "--store", "/srv/s").code == 0
    assert list(into.iterdir()) == []


@pytest.fixture
def for_all(tmp_path: Path) -> Iterator[Path]:
    """A directory that every user may enter, which those of pytest are not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def test_what_a_gateway_under_a_user_of_its_own_may_not_read_is_given_to_it_or_named(
    run: Callable[..., Result], for_all: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def installed(*words: str) -> tuple[list[str], str]:
        done = run("service", "install", "gateway", "--dry-run", "--config", str(config), *words)
        return done.out.split("# /")[1].splitlines(), done.err

    for name in ("WHEELFS_STORE", "WHEELFS_LOG_FILE"):
        monkeypatch.delenv(name)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    token, certificate, config = (for_all / name for name in ("50% token", "certificate.pem", "wheelfs.toml"))
    log_file, variable = for_all / "log" / "gateway.log", "WHEELFS_SERVE_TOKEN_FILE"
    serve = f'[serve]\ntoken-file = "{token}"\ntls-certificate = "{certificate}"\n'
    index = f'[[index]]\nurl = "https://index.example/simple"\nclient-cert = "{certificate}"\nclient-key = "{token}"\n'
    config.write_text(f'{serve}[log]\nfile = "{log_file}"\n{index}')
    for path, mode in ((config, 0o644), (token, 0o600), (certificate, 0o644)):
        path.touch()
        path.chmod(mode)
    own, said = installed()
    assert f"LoadCredential={variable}:{for_all}/50%% token" in own
    assert f"Environment={variable}=/run/credentials/wheelfs-gateway.service/{variable}" in own
    assert not [line for line in own if "CERTIFICATE" in line], "which everybody may read, also a renewed one"
    assert [f"the gateway's own user may not {what}: " in said for what in (f"write {log_file}", f"read {token}")] == [True, True]
    assert [path for path in (config, certificate) if str(path) in said] == []
    roots, said = installed("--store", "/srv/wheels")
    writable = [line.partition("=")[2] for line in roots if line.startswith("ReadWritePaths=")]
    assert (writable, said) == (["/srv/wheels", f"-{log_file.parent}"], "")
    assert not [line for line in roots if "Credential" in line]
    config.chmod(0o640)
    assert f"the gateway's own user may not read {config}: " in installed()[1]


def test_who_installs_a_timer_for_a_store_that_is_not_there_is_warned(run: Callable[..., Result], tmp_path: Path) -> None:
    missing = f"there is no store at {tmp_path / 'store'} yet"
    assert missing in run("service", "install", "timer", "--dry-run").err
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "format").touch()
    assert missing not in run("service", "install", "timer", "--dry-run").err


def test_a_mount_that_is_made_when_it_is_first_used() -> None:
    mount, automount = units_by_root()
    assert (mount.name, automount.name) == ("mnt-my\\x20wheels\\x2d1.mount", "mnt-my\\x20wheels\\x2d1.automount")
    assert (mount.enable, automount.enable) == (False, True)
    says = parsed(mount)["Mount"]
    assert (says["What"], says["Where"], says["Type"]) == ("none", "/mnt/my wheels-1", "fuse.wheelfs")
    assert says["Options"] == "_netdev,allow_other,index=lab=https://index.example/a%%20b"
    assert parsed(automount)["Automount"]["TimeoutIdleSec"] == "600"


def test_an_automount_is_given_whole_paths_and_goes_without_being_said_to_be_one(
    run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.toml").touch()
    given = "config=w.toml,store=rel,log-file=w.log"
    for words in ((), ("--automount", "-o", given)):
        assert run("service", "install", "mount", "/m", "--into", "units", *words).code == 0
    (option,) = (line for line in (tmp_path / "units/m.mount").read_text().splitlines() if line.startswith("Options="))
    understood = parse_options([option.removeprefix("Options=")])
    assert understood.config_file == tmp_path / "w.toml"
    assert {one.field: one.value for one in understood.given} == {
        "store": str(tmp_path / "rel"),
        "log_file": str(tmp_path / "w.log"),
    }
    assert run("service", "remove", "mount", "/m", "--into", "units").code == 0
    assert list((tmp_path / "units").iterdir()) == []


def test_words_of_a_command_are_taken_as_they_are() -> None:
    assert command_line(["a", "b c", "50%", "$HOME", 'say "so"', "back\\slash", ""]) == (
        'a "b c" "50%%" "$$HOME" "say \\"so\\"" "back\\\\slash" ""'
    )


def test_units_are_written_and_removed_and_foreign_ones_left_alone(run: Callable[..., Result], tmp_path: Path) -> None:
    into = ("--into", str(tmp_path / "units"))
    written = run("service", "install", "mount", "/mnt/wheels", "-o", "allow_other", "--store", "/srv/s", *into)
    path = tmp_path / "units" / "wheelfs-mount-mnt-wheels.service"
    assert written.code == 0
    assert f"written {path}\n" in written.out
    assert "enable --now 'wheelfs-mount-mnt-wheels.service'" in written.out
    assert "--store /srv/s mount -f -o allow_other -- /mnt/wheels\n" in path.read_text()
    assert run("service", "install", "mount", "/mnt/wheels", *into).code == 0, "it is ours"
    [shown] = run("service", "install", "gateway", "--dry-run", "--json", *into).objects
    assert shown["written"] is False
    assert not (tmp_path / "units" / "wheelfs-gateway.service").exists()
    assert run("service", "remove", "mount", "/mnt/wheels", *into).out == f"removed {path}\n"
    assert run("service", "remove", "mount", "/mnt/wheels", *into).code == 5
    path.write_text("[Unit]\n")
    for action in ("install", "remove"):
        assert run("service", action, "mount", "/mnt/wheels", *into).code == 12
    assert path.read_text() == "[Unit]\n"
    assert MARK not in path.read_text()


@pytest.mark.parametrize(
    "words",
    [
        ("install", "timer", "--automount"),
        ("install", "mount", "/m", "--automount", "--user"),
        ("install", "mount"),
        ("install", "gateway", "/m"),
        ("install", "timer", "-o", "offline"),
        ("install", "gatway"),
    ],
)
def test_what_makes_no_sense_is_refused(words: tuple[str, ...], run: Callable[..., Result]) -> None:
    assert run("service", *words, "--dry-run").code == 2
    assert run("service", "install", "mount", "/m", "-o", "indx=a", "--dry-run").code == 2
