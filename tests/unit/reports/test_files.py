"""Which files of a project one screen shows."""

from __future__ import annotations

from wheelfs.reports.files import FileState, ShownFile, ShownProject, worth_showing


def file(version: str, tag: str, *, state: FileState = "remote", fits: bool = True) -> ShownFile:
    return ShownFile(
        filename=f"many-{version}-{tag}.whl",
        project="many",
        version=version,
        state=state,
        size_bytes=1,
        sha256=None,
        origin="main",
        fits=fits,
    )


def project(*files: ShownFile) -> ShownProject:
    return ShownProject(
        project="many", origin="main", versions=tuple(dict.fromkeys(one.version or "" for one in files)), files=files
    )


def names(shown: ShownProject, rows: int) -> list[str]:
    return [one.filename.removeprefix("many-").removesuffix(".whl") for one in worth_showing(shown, rows=rows)]


def test_whole_versions_are_shown_the_newest_first_and_none_in_part() -> None:
    shown = project(*(file(version, tag) for version in ("1", "2", "3") for tag in "abc"))
    assert names(shown, 8) == ["3-a", "3-b", "3-c", "2-a", "2-b", "2-c"]


def test_of_a_version_with_more_files_than_rows_the_first_are_shown() -> None:
    shown = project(*(file(version, tag) for version in ("1", "2") for tag in "abcdef"))
    assert names(shown, 4) == ["2-a", "2-b", "2-c", "2-d"]


def test_versions_without_a_usable_file_take_no_room() -> None:
    shown = project(file("1", "a"), *(file("2", tag, fits=False) for tag in "abc"), file("3", "a"))
    assert names(shown, 2) == ["3-a", "1-a"]


def test_what_is_here_takes_at_most_half_and_the_newest_of_it() -> None:
    old = [file(str(number), "a", state="stored", fits=False) for number in range(10, 20)]
    assert names(project(*old, file("20", "a"), file("21", "a")), 6) == ["21-a", "20-a", "19-a", "18-a", "17-a"]
