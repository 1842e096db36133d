"""Mounted environments: ``env create``, ``env ls``, ``env show``, ``env rm``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from wheelfs.cli.client_lines import USUAL_MOUNT
from wheelfs.cli.command import Command, requirement_files
from wheelfs.cli.first_steps import running_mount
from wheelfs.cli.session import session_of
from wheelfs.core.formatting import counted, size_text
from wheelfs.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheelfs.cli.output import Output
    from wheelfs.model.wanted import Synced
    from wheelfs.reports.environment import EnvironmentState, MadeEnvironment
    from wheelfs.reports.fetch import FetchArguments, FetchedFile

_OF_LOCKS: Final = {
    "packages": "--package",
    "all_packages": "--all-packages",
    "all_extras": "--all-extras",
    "all_groups": "--all-groups",
    "no_default_groups": "--no-default-groups",
    "no_groups": "--no-group",
    "only_groups": "--only-group",
}
"""Options by their field of `wheelfs.model.wanted.Synced`."""


@click.group(short_help="Environments that Python runs from the mount, with nothing unpacked.", invoke_without_command=True)
@click.pass_context
def env(context: click.Context) -> None:
    """Make environments of wheels and lock files: directories below env/ of a mount, from which Python runs at once."""
    if context.invoked_subcommand is None:
        raise UsageError("run wheelfs env", "no command of it is given", "wheelfs env --help lists them")


@env.command(
    cls=Command,
    name="create",
    table_name="env create",
    short_help="Make an environment of requirements or a lock file.",
    examples=(
        "wheelfs env create analysis uv.lock",
        "wheelfs env create analysis pandas scikit-learn --python 3.12",
        "wheelfs env create web -r requirements.txt --python /opt/python/bin/python3",
        "wheelfs env create docs uv.lock --extra docs --group test",
        "wheelfs env create service uv.lock --package service --no-default-groups",
        "wheelfs env create mine uv.lock --venv .venv",
    ),
)
@click.argument("name", metavar="NAME")
@click.argument("words", metavar="[REQ-OR-LOCKFILE...]", nargs=-1)
@requirement_files("Take what a requirements file asks for.")
@click.option("--python", metavar="PYTHON", help="The interpreter: a path, or a version of which pythonX.Y is in PATH.")
@click.option("--extra", "extras", metavar="NAME", multiple=True, help="Take in an extra of the project whose lock it is.")
@click.option(
    "--group",
    "groups",
    metavar="[FILE:]NAME",
    multiple=True,
    help="Take in a dependency group of the lock, where one is named, or of pyproject.toml, or of FILE.",
)
@click.option("--all-extras", is_flag=True, help="Take in all extras of the project whose lock it is.")
@click.option("--all-groups", is_flag=True, help="Take in all dependency groups of the lock.")
@click.option(
    "--no-group",
    "no_groups",
    metavar="NAME",
    multiple=True,
    help="Leave out a dependency group of the lock: dev, as --no-dev of uv.",
)
@click.option("--no-default-groups", is_flag=True, help="Take in no dependency groups of the lock but those that are named.")
@click.option(
    "--only-group", "only_groups", metavar="NAME", multiple=True, help="Take a dependency group of a uv.lock without its project."
)
@click.option(
    "--package", "packages", metavar="NAME", multiple=True, help="Take a package of a uv.lock's workspace instead of its first."
)
@click.option("--all-packages", is_flag=True, help="Take all packages of a uv.lock's workspace.")
@click.option("--pre", "prereleases", is_flag=True, help="Take pre-releases like other versions.")
@click.option(
    "--venv",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Make a virtual environment at DIR as well, which has the packages of this one and takes more of its own.",
)
@click.option("--complete", is_flag=True, help="Fetch all wheels whole first, and compile all their modules.")
@click.pass_context
def create(context: click.Context, /, name: str, words: tuple[str, ...], files: tuple[Path, ...], **choices: Any) -> None:
    """Make the environment NAME: below every mount of this store, env/NAME is then a virtual environment that holds the wheels.

    What is asked for is read as by fetch --with-deps: a lock file names all files itself, and uv resolves requirements. Nothing
    is unpacked: the mount shows the members of the wheels where an installer would put them, and env/NAME/bin/python runs with
    them.

    Of a uv.lock it is what uv sync installs: its project, the default groups, and what --extra and --group name, or the brackets
    of uv.lock[EXTRA]. The options about extras, groups and packages mean what they mean there. Extras that exclude each other
    may each have an environment. Of a pylock.toml a --group takes the place of the default groups.

    Of wheels that are not stored only the ends are fetched, which say what is in them: the environment is lazy, and its files
    come as they are opened. With --complete, or after fetch --env NAME, all of it is here: then it runs offline too, and its
    modules are compiled, once, by the interpreter that will run them, which may take minutes for large sets.

    NAME is a label: made again of other files it means the new tree. Files that are open stay what they are; what a running
    program imports after that comes from the new tree. An sdist cannot be in an environment: build a wheel of it first. The
    wheels are kept as long as an environment needs them.

    --venv DIR is for what is installed on top (pip install -e .): a small virtual environment on disk, whose own packages come
    first. Run again, it is pointed at the mount as it is then.
    """
    from wheelfs.app import environments

    if not words and not files and not choices["groups"]:
        raise UsageError(
            "make an environment", "nothing is asked for", "name a requirement, a lock file, -r FILE or --group NAME"
        )
    asked = _asked(words, files, choices)
    session = session_of(context)
    output, venv = session.output, choices["venv"]
    if venv is not None:
        environments.check_venv(venv)
    with output.progress() as progress:
        made = environments.create(
            session.settings(),
            name,
            asked,
            python=choices["python"],
            complete=choices["complete"],
            report=partial(_report, output),
            note=lambda text: output.talk(f"wheelfs: {text}"),
            progress=progress,
        )
    mount = running_mount(session.settings())
    if output.json:
        output.record(made)
    else:
        _print_made(output, made, mount)
    if venv is not None:
        environments.put_venv(session.settings(), name, venv, mount or USUAL_MOUNT)
        if output.json:
            output.record({"venv": venv.absolute()})
        else:
            output.line(f"virtual environment {venv}: {venv}/bin/python has the packages of {mount or USUAL_MOUNT}/env/{name}")


def _asked(words: tuple[str, ...], files: tuple[Path, ...], choices: dict[str, Any]) -> FetchArguments:
    """Return what the command line asks for; raises `UsageError`."""
    from wheelfs.core.resolve.lock_files import groups_of_locks, with_extras, words_by_kind
    from wheelfs.model.wanted import Synced
    from wheelfs.reports.fetch import FetchArguments

    requirements, called_locks, named = words_by_kind(words)
    locks = tuple(with_extras(lock, choices["extras"]) for lock in named)
    synced = Synced(**{field: choices[field] for field in _OF_LOCKS})
    _check_choices(synced, choices, locks)
    return FetchArguments(
        requirements=requirements,
        files=(*files, *map(Path, called_locks)),
        locks=locks,
        groups=groups_of_locks(locks, choices["groups"]),
        as_synced=synced,
        prereleases=choices["prereleases"],
    )


def _check_choices(synced: Synced, choices: dict[str, Any], locks: tuple[str, ...]) -> None:
    """Raise `UsageError` for options that need a lock where none is named, and for those that contradict each other."""
    from wheelfs.core.resolve.lock_files import lock_and_extras
    from wheelfs.model.wanted import Synced

    if choices["extras"] and not locks:
        raise UsageError("make an environment", "--extra names extras of a lock, and there is none", "write PROJECT[EXTRA]")
    if synced != Synced() and not locks:
        given = next(one for one in _OF_LOCKS if choices[one])
        raise UsageError("make an environment", f"{_OF_LOCKS[given]} is about a lock, and there is none", "name a uv.lock")
    named = any(lock_and_extras(lock)[1] for lock in locks)
    if synced.all_extras and named:
        raise UsageError("make an environment", "--all-extras leaves nothing for --extra to add", "take out one of them")
    if synced.packages and synced.all_packages:
        raise UsageError("make an environment", "--all-packages leaves nothing for --package to add", "take out one of them")
    if synced.only_groups and (named or synced.all_extras or synced.all_groups or choices["groups"]):
        raise UsageError(
            "make an environment",
            "--only-group leaves out extras and other groups",
            "name each group by --only-group, and no extra",
        )


def _report(output: Output, file: FetchedFile) -> None:
    if output.json:
        output.record({"file": file})
    elif file.result == "skipped":
        output.talk(f"wheelfs: {file.wanted} is not in it: {file.reason}")
    elif file.result == "fetched":
        output.talk(f"fetched {file.filename} ({size_text(file.fetched_bytes)})")


def _print_made(output: Output, made: MadeEnvironment, mount: Path | None) -> None:
    environment = made.environment
    for clash in made.clashes:
        output.talk(f"wheelfs: {clash.path} is in {clash.hidden} and in {clash.shown}: that of the latter is shown")
    modules = f", {counted(made.compiled, 'module')} compiled" if made.compiled else ""
    output.line(
        f"{made.result} {environment.name}: {counted(environment.wheels, 'wheel')}, {counted(environment.files, 'file')},"
        f" {size_text(environment.size_bytes)} unpacked{modules}"
    )
    if environment.state == "lazy":
        wheels = f"{counted(environment.missing_wheels, 'wheel')} not stored"
        output.line(f"lazy: {wheels}, whose files come as they are opened; wheelfs fetch --env {environment.name} brings them")
    python = f"{environment.path}/bin/python"
    output.line(f"run {mount}/{python}" if mount else f"run {USUAL_MOUNT}/{python} after: wheelfs mount {USUAL_MOUNT}")


@env.command(
    cls=Command,
    name="ls",
    short_help="List environments.",
    examples=("wheelfs env ls", "wheelfs env ls --share file:///lab/wheels"),
)
@click.option("--share", "url", metavar="URL", help="List those of a share, which pull --env takes.")
@click.pass_context
def list_environments(context: click.Context, url: str | None) -> None:
    """List the environments of the store."""
    from wheelfs.app import environments, object_shares

    session = session_of(context)
    if url is not None:
        for shared in object_shares.shared_environments(session.settings(), url):
            if session.json:
                session.output.record(shared)
            else:
                session.output.line(f"{shared.name}  {shared.python}  {counted(shared.wheels, 'wheel')}")
        return
    found = environments.listed(session.settings())
    if session.json:
        for environment in found:
            session.output.record(environment)
    else:
        session.output.table(("python", "wheels", "files", "size", "state", "created", "name"), map(_row, found))


def _row(environment: EnvironmentState) -> tuple[str, ...]:
    counts = str(environment.wheels), str(environment.files), size_text(environment.size_bytes)
    return environment.python, *counts, environment.state, environment.created, environment.name


@env.command(cls=Command, name="show", short_help="Show what an environment is made of.", examples=("wheelfs env show analysis",))
@click.argument("name", metavar="NAME")
@click.pass_context
def show(context: click.Context, name: str) -> None:
    """Show an environment's interpreter, its digest, which tells its tree, and its wheels.

    The interpreter is asked what it is now: where another Python is at its path, or none, it is said what to do.
    """
    from wheelfs.app import environments

    session = session_of(context)
    output = session.output
    environment, interpreter, wheels = environments.described(session.settings(), name)
    if output.json:
        output.record({"environment": environment, "interpreter": interpreter, "wheels": wheels})
        return
    output.line(f"path         {environment.path}, below every mount of this store")
    output.line(f"interpreter  {environment.interpreter} ({environment.python})")
    if interpreter.problem:
        output.line(f"broken       {interpreter.problem}")
        output.line(f"             → {interpreter.mend}")
    output.line(f"digest       {environment.digest}")
    output.line(f"created      {environment.created}")
    output.line(f"unpacked     {counted(environment.files, 'file')}, {size_text(environment.size_bytes)}")
    missing = f" ({counted(environment.missing_wheels, 'wheel')} not stored)" if environment.missing_wheels else ""
    output.line(f"state        {environment.state}{missing}")
    columns = ("version", "size", "origin", "project")
    output.table(columns, ((one.version, size_text(one.size_bytes), one.origin, one.project) for one in wheels))


@env.command(
    cls=Command,
    name="profile",
    short_help="Show which files of an environment are opened.",
    examples=("wheelfs env profile analysis", "wheelfs env profile analysis --clear"),
)
@click.argument("name", metavar="NAME")
@click.option("--clear", is_flag=True, help="Forget them; what is opened from now on is noted again.")
@click.pass_context
def profile(context: click.Context, name: str, clear: bool) -> None:
    """Show which files of an environment the programs that run from it have opened, since it was made.

    Mounts note that within some seconds, names alone. Where the environment is lazy, these files are fetched ahead as soon as a
    program looks into it, and env create fetches them when it makes an environment of that name again.
    """
    from wheelfs.app import environments

    session = session_of(context)
    if clear:
        environments.clear_profile(session.settings(), name)
        if session.json:
            session.output.record({"cleared": name})
        else:
            session.output.line(f"cleared the profile of {name}")
        return
    found = environments.profile(session.settings(), name)
    if session.json:
        session.output.record(found)
        return
    for path in found.files:
        session.output.line(path)
    sizes = f"{size_text(found.size_bytes)}, {size_text(found.packed_bytes)} in the wheels"
    session.output.talk(f"wheelfs: {counted(len(found.files), 'file')}, {sizes}")


@env.command(
    cls=Command,
    name="rm",
    short_help="Remove environments.",
    examples=("wheelfs env rm analysis", "wheelfs env rm analysis --share file:///lab/wheels"),
)
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--share", "url", metavar="URL", help="Take them out of a share, and leave the store's as they are.")
@click.pass_context
def remove(context: click.Context, names: tuple[str, ...], url: str | None) -> None:
    """Remove environments by name. Their wheels stay stored; programs that run from one go on until they end.

    With --share they are no longer listed there, and cannot be pulled; machines that pulled them keep them.
    """
    from wheelfs.app import environments, object_shares

    session = session_of(context)
    removed: Iterable[str] = names
    if url is None:
        removed = environments.remove(session.settings(), list(names))
    else:
        object_shares.withdraw_environments(session.settings(), url, names)
    for name in removed:
        if session.json:
            session.output.record({"removed": name})
        else:
            session.output.line(f"removed {name}")
