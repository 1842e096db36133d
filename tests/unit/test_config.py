from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

from tests.fakes.settings import as_given
from wheelfs.config import OPTIONS, Given, IndexSetting, Settings, environment_of, load, redact
from wheelfs.config.indexes import name_from_url
from wheelfs.config.settings import data_directory, log_directory
from wheelfs.config.values import CountKind, PercentKind, SizeKind
from wheelfs.errors import UsageError

NOWHERE = Path("/nonexistent/wheelfs.toml")


def loaded(*given: Given, environ: dict[str, str] | None = None, config: Path | None = None, system: Path = NOWHERE) -> Settings:
    return load(given, environ={"HOME": "/nonexistent", **(environ or {})}, config_file=config, system_file=system)


def problems_of(*given: Given, environ: dict[str, str] | None = None, config: Path | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        loaded(*given, environ=environ, config=config)
    return str(caught.value)


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_with_nothing_configured_all_values_are_defaults_and_no_index_is_set() -> None:
    settings = loaded()
    assert settings.indexes == ()
    assert (settings.page_ttl_s, settings.lookup_timeout_s, settings.open_timeout_s) == (600, 15, 30)
    assert settings.store.is_absolute()
    assert set(settings.provenance.values()) == {"default"}


def test_flag_beats_environment_beats_user_file_beats_system_file_and_each_value_knows_its_source(tmp_path: Path) -> None:
    system = written(
        tmp_path / "etc.toml", 'store = "/s/system"\nverify = "strict"\n[log]\nlevel = "error"\n[network]\npage-ttl-s = 1\n'
    )
    user = written(tmp_path / "xdg/wheelfs/config.toml", 'store = "/s/user"\n[log]\nlevel = "debug"\n[network]\npage-ttl-s = 2\n')
    settings = loaded(
        Given("store", "/s/flag", "--store"),
        environ={"XDG_CONFIG_HOME": str(tmp_path / "xdg"), "WHEELFS_STORE": "/s/env", "WHEELFS_PAGE_TTL_S": "3"},
        system=system,
    )
    assert (settings.store, settings.page_ttl_s, settings.log_level, settings.verify) == (Path("/s/flag"), 3, "debug", "strict")
    assert settings.provenance["store"] == "--store"
    assert settings.provenance["page_ttl_s"] == "WHEELFS_PAGE_TTL_S"
    assert settings.provenance["log_level"] == f"{user}: [log] level"
    assert settings.provenance["verify"] == f"{system}: verify"
    assert settings.provenance["offline"] == "default"


@pytest.mark.parametrize("through", ["flag", "environment"])
def test_a_file_given_by_hand_replaces_the_user_and_system_files(tmp_path: Path, through: str) -> None:
    system = written(tmp_path / "etc.toml", 'verify = "strict"\n')
    written(tmp_path / "xdg/wheelfs/config.toml", '[log]\nlevel = "debug"\n')
    mine = written(tmp_path / "mine.toml", "[offline]\nalways = true\n")
    environ = {"HOME": "/nonexistent", "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    if through == "environment":
        settings = load(environ={**environ, "WHEELFS_CONFIG": str(mine)}, system_file=system)
    else:
        settings = load(environ=environ, config_file=mine, system_file=system)
    assert (settings.offline, settings.verify, settings.log_level) == (True, "origin", "info")


def test_indexes_keep_their_order_and_a_higher_source_replaces_the_whole_list(tmp_path: Path) -> None:
    file = written(
        tmp_path / "c.toml",
        '[[index]]\nname = "lab"\nurl = "https://lab.example/simple"\n[[index]]\nurl = "https://index.example/simple"\n',
    )
    lab = IndexSetting("lab", "https://lab.example/simple")
    assert loaded(config=file).indexes == (lab, IndexSetting("index.example", "https://index.example/simple"))
    environ = {"WHEELFS_INDEX": "b=https://b.example/simple a=https://a.example/simple"}
    assert [index.name for index in loaded(config=file, environ=environ).indexes] == ["b", "a"]
    flag = Given("indexes", ["c=https://c.example/simple"], "--index")
    assert [index.name for index in loaded(flag, config=file, environ=environ).indexes] == ["c"]


def test_all_problems_of_all_sources_are_reported_together_each_with_its_place(tmp_path: Path) -> None:
    file = written(
        tmp_path / "c.toml",
        """
        stroe = "/x"
        verify = "sometimes"
        [offline]
        shwo = "all"
        always = "yes"
        [network]
        page-ttl-s = "600"
        open-timeout-s = -1
        [[index]]
        name = "local"
        url = "ftp://lab.example/"
        colour = "red"
        """,
    )
    text = problems_of(
        Given("indexes", ["a=https://a.example/", "a=https://b.example/"], "--index"),
        environ={"WHEELFS_OFFLINE": "maybe"},
        config=file,
    )
    for part in (
        "11 problems",
        f"{file}: unknown key 'stroe', did you mean 'store'?",
        f'{file}: verify: must be "origin" or "strict"',
        f"{file}: [offline]: unknown key 'shwo', did you mean 'show'?",
        f"{file}: [offline] always: must be true or false, without quotes",
        f"{file}: [network] page-ttl-s: must be seconds",
        f"{file}: [network] open-timeout-s: must be a number of seconds between",
        f"{file}: [[index]]: unknown key 'colour'",
        f"{file}: [[index]]: the name 'local' is reserved",
        f"{file}: [[index]]: the URL must begin with http:// or https://",
        "WHEELFS_OFFLINE: must be true or false",
        "--index: index 2: the name 'a' is given twice",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("WHEELFS_QOUTA", "WHEELFS_QUOTA"),
        ("WHEELFS_TOKEN_FILE", "WHEELFS_SERVE_TOKEN_FILE"),
        ("WHEELFS_SHARES", "WHEELFS_SHARE"),
    ],
)
def test_a_mistyped_variable_is_an_error_and_one_of_others_is_not(name: str, meant: str) -> None:
    assert f"{name}: no option has this variable, did you mean {meant}?" in problems_of(environ={name: "1"})
    others = (
        "VERSION",
        "PORT",
        "SHARE_PORT",
        "SERVICE_HOST",
        "PORT_8080_TCP_ADDR",
        "HOME",
        "BENCH_CORPUS",
        "INDEX_LAB_PASSWORD",
        "JSON",
        "CONFIGS_X",
    )
    assert loaded(environ={f"WHEELFS_{other}": "1" for other in others} | {name: ""}).provenance["quota_bytes"] == "default"


@pytest.mark.parametrize("text", ["= broken", "store = ", "[[[", "a" * 1000])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, text: str) -> None:
    file = written(tmp_path / "c.toml", text)
    assert f"{file}: not valid TOML" in problems_of(config=file)


def test_a_file_that_is_missing_a_directory_or_binary_is_a_clear_error(tmp_path: Path) -> None:
    assert "there is no such file" in problems_of(config=tmp_path / "missing.toml")
    assert "directory" in problems_of(config=tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "not valid TOML" in problems_of(config=binary)
    binary.write_bytes(b"#" * (2 << 20))
    assert "larger than" in problems_of(config=binary)


@pytest.mark.parametrize("name", ["local", "stored", "-x", ".x", "a b", "", "a/b", "x" * 65, "é"])
def test_names_that_no_index_may_have_are_refused(name: str) -> None:
    assert "--index: " in problems_of(Given("indexes", [f"{name}=https://index.example/simple"], "--index"))


@pytest.mark.parametrize(
    "url",
    ["", "index.example/simple", "file:///x", "https://", "https://h:99999/", "https://h/?q=1", "https://h/#f", "https://h/a\tb"],
)
def test_addresses_that_are_no_index_are_refused(url: str) -> None:
    assert "--index: " in problems_of(Given("indexes", [f"lab={url}"], "--index"))


def test_a_refused_address_never_shows_its_password() -> None:
    text = problems_of(
        Given("indexes", ["lab=ftp://me:hunter2@lab.example/"], "--index"), environ={"WHEELFS_STORE": "https://me:hunter2@x/\0"}
    )
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://index.example/simple/", "index.example"),
        ("http://127.0.0.1:8080/simple", "127.0.0.1-8080"),
        ("https://me:secret@devpi.example/root/pypi/+simple/", "devpi.example-root-pypi"),
        ("https://stored", "stored-index"),
    ],
)
def test_a_bare_address_is_named_after_host_port_and_path(url: str, name: str) -> None:
    assert name_from_url(url) == name
    assert loaded(Given("indexes", [url], "--index")).indexes == (IndexSetting(name, url),)


def test_relative_paths_start_at_the_file_that_names_them(tmp_path: Path) -> None:
    file = written(tmp_path / "c.toml", 'store = "data"\n')
    assert loaded(config=file).store == tmp_path / "data"
    assert loaded(Given("store", "data", "--store")).store == Path.cwd() / "data"


def test_the_environment_made_from_settings_gives_the_same_settings_again(tmp_path: Path) -> None:
    settings = loaded(
        Given("store", "/s", "--store"),
        Given("indexes", ["a=https://u:p@a.example/simple", "https://b.example/simple"], "--index"),
        Given("offline", True, "--offline"),
        Given("page_ttl_s", 1.5, "x"),
        Given("log_file", "/l", "x"),
        Given("delta_sources", ["/one", "/two words"], "x"),
    )
    again = loaded(environ=environment_of(settings))
    assert all(getattr(again, option.field) == getattr(settings, option.field) for option in OPTIONS)
    assert environment_of(loaded()) == {}


def test_every_field_of_the_settings_is_an_option_and_places_are_unique() -> None:
    assert {option.field for option in OPTIONS} == set(Settings.__struct_fields__) - {"provenance", "warnings"}
    assert len({option.toml for option in OPTIONS}) == len({option.variable for option in OPTIONS}) == len(OPTIONS)


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("GET https://me:pw@index.example/simple/ failed", "GET https://***@index.example/simple/ failed"),
        ("a=https://u:p@a.example/ b=http://t@b.example", "a=https://***@a.example/ b=http://***@b.example"),
        ("https://me:p@ss@index.example/x@y", "https://***@index.example/x@y"),
        ("https://index.example/me@home", "https://index.example/me@home"),
        ("https://h/f.whl?X-Amz-Signature=abc&x=1", "https://h/f.whl?X-Amz-Signature=***&x=1"),
        ("https://h/f.whl?sv=1&sig=a%2Bb%3D#x", "https://h/f.whl?sv=1&sig=***#x"),
        ("https://h/f.whl?signed=1&sigh=2", "https://h/f.whl?signed=1&sigh=2"),
        ("/f?a=b?token=c#?sig=d", "/f?a=b?token=***#?sig=***"),
        ("someone@example.org wrote", "someone@example.org wrote"),
    ],
)
def test_credentials_are_redacted_and_nothing_else(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@hypothesis_given(
    user=st.text("abcXYZ0-._~%:!$&*+,;=@", min_size=0, max_size=12),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
)
def test_no_password_survives_in_any_surrounding_text(user: str, before: str, after: str) -> None:
    assert "hunter2" not in redact(f"{before}https://{user}:hunter2@index.example/{after}")


@pytest.mark.parametrize("piece", ["x", "-a", "?", "?token", "://", "?a"])
def test_a_long_text_is_gone_through_once(piece: str) -> None:
    """As visitors of a gateway may ask for, and indexes may answer; by squares, this would take an hour."""
    assert redact(piece * 100_000) == piece * 100_000


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("100MB", 100_000_000), ("200GiB", 200 << 30), ("1.5 GB", 1_500_000_000), ("2000000", 2_000_000), ("3TB", 3 * 10**12)],
)
def test_sizes_have_decimal_and_binary_units(text: str, size_bytes: int, tmp_path: Path) -> None:
    kind = SizeKind(1_000_000)
    assert kind.parse(text, tmp_path) == size_bytes
    assert kind.parse(kind.as_text(size_bytes), tmp_path) == size_bytes


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "1XB", "1e9", "999", "10QB", "0x10", True, 1.5, None, "9" * 30])
def test_what_is_no_size_is_refused(text: object, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be a size like 100MB"):
        SizeKind(1_000_000).parse(text, tmp_path)


EVERYTHING = """
[[index]]
name = "lab"
url = "https://lab.example/simple"
projects = ["Lab_*", "tools"]
ttl-s = 30
ca = "certificates/ca.pem"
client-cert = "~/me.pem"
client-key = "/keys/me.pem"
proxy = "http://user:hunter2@proxy.example:3128"
username = "me"
[[index]]
name = "main"
url = "https://index.example/simple"
"""


def test_a_table_says_all_about_an_index_and_a_daemon_is_told_the_same(tmp_path: Path) -> None:
    settings = loaded(config=written(tmp_path / "c.toml", EVERYTHING))
    lab, main = settings.indexes
    assert lab.projects == ("lab-*", "tools"), "compared with normalized names"
    assert (lab.ttl_s, lab.ca, lab.client_key) == (30, tmp_path / "certificates/ca.pem", Path("/keys/me.pem"))
    assert (lab.proxy, lab.username) == ("http://user:hunter2@proxy.example:3128", "me")
    assert (main.projects, main.ttl_s, main.proxy) == ((), None, None)
    assert loaded(environ=environment_of(as_given(settings))).indexes == settings.indexes
    assert environment_of(settings) == {}, "it reads the file itself, which may change"


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("projects = []", "projects must be a list"),
        ('projects = ["lab-[ab]"]', "projects must be project names"),
        ("projects = [1]", "projects must be project names"),
        ('ttl-s = "30"', "ttl-s must be a number of seconds"),
        ("ttl-s = -1", "ttl-s must be a number of seconds"),
        ("ca = 1", "ca must be a path"),
        ('client-key = "/k"', "client-key is given without client-cert"),
        ('proxy = "socks5://me:hunter2@h"', "proxy must be of the form"),
        ('proxy = "http://me:hunter2@h:99999"', "proxy must be of the form"),
        ('username = "-x"', "username must be text"),
        ('usrname = "x"', "did you mean 'username'"),
    ],
)
def test_each_mistake_in_a_table_is_named_without_quoting_secrets(tmp_path: Path, lines: str, problem: str) -> None:
    text = problems_of(config=written(tmp_path / "c.toml", f'[[index]]\nurl = "https://lab.example/simple"\n{lines}\n'))
    assert problem in text
    assert "hunter2" not in text


def test_a_user_is_named_in_one_place(tmp_path: Path) -> None:
    file = written(tmp_path / "c.toml", '[[index]]\nurl = "https://a:hunter2@lab.example/simple"\nusername = "b"\n')
    text = problems_of(config=file)
    assert "username is given twice" in text
    assert "hunter2" not in text


@pytest.mark.parametrize("text", ["[", "[1]", '[{"name": "lab"}]', "[" * 100_000])
def test_text_that_begins_like_a_list_of_tables_and_is_none_is_refused(text: str) -> None:
    assert "WHEELFS_INDEX: " in problems_of(environ={"WHEELFS_INDEX": text})


@pytest.mark.parametrize(("text", "value"), [("80%", 0.8), ("10 %", 0.1), (84, 0.84), ("30", 0.3)])
def test_a_percentage_is_a_fraction_and_its_text_reads_back(text: object, value: float, tmp_path: Path) -> None:
    kind = PercentKind(10, 84)
    assert kind.parse(text, tmp_path) == value
    assert kind.parse(kind.as_text(value), tmp_path) == value


@pytest.mark.parametrize("text", ["85%", "9%", "0.8", "-20%", "", "%", "all", True, 8.0])
def test_what_is_no_percentage_between_the_bounds_is_refused(text: object, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="10% to 84%"):
        PercentKind(10, 84).parse(text, tmp_path)


@pytest.mark.parametrize("raw", [0, 65, True, 2.0, "", "two", "-1", "1e1", "\u0663", "9" * 5_000])
def test_a_count_is_a_whole_number_within_bounds(raw: object, tmp_path: Path) -> None:
    kind = CountKind(1, 64)
    assert (kind.parse(64, tmp_path), kind.parse(" 1 ", tmp_path), kind.as_text(8)) == (64, 1, "8")
    with pytest.raises(ValueError, match="1 to 64"):
        kind.parse(raw, tmp_path)


@pytest.mark.parametrize("url", ["https://lab.example/x", "file:///lab/wheels", "s3://bucket/a/b", "gs://bucket", "az://box/a"])
def test_a_share_is_a_gateway_a_directory_or_a_bucket(url: str) -> None:
    [share] = load(environ={"WHEELFS_SHARE": f"lab={url}"}).shares
    assert (share.name, share.url) == ("lab", url)


@pytest.mark.parametrize(
    "url", ["file://host/x", "file:lab", "/lab/wheels", "ftp://host/", "s3://", "s3://key@bucket/", "file:///a#b"]
)
def test_addresses_that_are_no_share_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match="share"):
        load(environ={"WHEELFS_SHARE": f"lab={url}"})


def test_an_index_is_never_a_directory_or_a_bucket() -> None:
    with pytest.raises(UsageError, match="must begin with http"):
        load(environ={"WHEELFS_INDEX": "lab=file:///lab/simple"})


def test_without_home_the_directories_are_in_the_one_of_the_password_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    for environ in ({}, {"HOME": ""}):
        assert data_directory(environ) == home / ".local/share/wheelfs"
        assert log_directory(environ) == home / ".local/state/wheelfs"

    def unknown(_: int) -> pwd.struct_passwd:
        raise KeyError("uid not found")

    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert data_directory({}) == Path("/.local/share/wheelfs")
    assert data_directory({"HOME": "/h"}) == Path("/h/.local/share/wheelfs")
