#!/usr/bin/env bash
# Guess:     libraries of this field that know versions agree with packaging on which one a specifier allows, the corners of PEP
#            440 (pre-releases, post-releases, epochs) included; pre-releases are let in where the library asks.
# Versions:  packaging 26.4, poetry-core 2.5.0, dep-logic 0.7.2 (with which PDM decides), distlib 0.4.4
# Behaviour: poetry-core does. distlib differs in seven of these: it lets 2.0rc1 below 2.0, keeps 2.0 from being below 2.0.post1
#            and 1.0.post2 from being above 1.0.post1, sees no 1.0a1 in 1.0.*, and overlooks epochs. dep-logic fails with a
#            ValueError for "compatible with" an epoch.
# Seen:      <2.0 2.0rc1: packaging no, poetry-core no, dep-logic no, distlib yes
#            <2.0.post1 2.0: packaging yes, poetry-core yes, dep-logic yes, distlib no
#            >1.0.post1 1.0.post2: packaging yes, poetry-core yes, dep-logic yes, distlib no
#            ==1.0.* 1.0a1: packaging yes, poetry-core yes, dep-logic yes, distlib no
#            ==1!1.0 1.0: packaging no, poetry-core no, dep-logic no, distlib yes
#            <1!0 2026.1: packaging yes, poetry-core yes, dep-logic yes, distlib no
#            ~=1!1.0 1!1.5: packaging yes, poetry-core yes, dep-logic ValueError, distlib no
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet \
    packaging==26.4 poetry-core==2.5.0 dep-logic==0.7.2 distlib==0.4.4 || exit 2

seen=$(timeout 60 "$work/venv/bin/python" - <<'PYTHON'
from dep_logic.specifiers import parse_version_specifier
from distlib.version import NormalizedMatcher
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from poetry.core.constraints.version import Version as PoetryVersion, parse_constraint

LIBRARIES = {
    "packaging": lambda asked, version: SpecifierSet(asked).contains(version, prereleases=True),
    "poetry-core": lambda asked, version: parse_constraint(asked).allows(PoetryVersion.parse(version)),
    "dep-logic": lambda asked, version: parse_version_specifier(asked).contains(Version(version), prereleases=True),
    "distlib": lambda asked, version: NormalizedMatcher(f"demo ({asked})").match(version),
}
for asked, version in (
    ("<2.0", "2.0rc1"),
    ("<2.0.post1", "2.0"),
    (">1.0.post1", "1.0.post2"),
    ("==1.0.*", "1.0a1"),
    ("==1!1.0", "1.0"),
    ("<1!0", "2026.1"),
    ("~=1!1.0", "1!1.5"),
):
    answers = []
    for name, allows in LIBRARIES.items():
        try:
            answers.append(f"{name} {'yes' if allows(asked, version) else 'no'}")
        except ValueError as error:
            answers.append(f"{name} {type(error).__name__}")
    print(f"{asked} {version}: {', '.join(answers)}")
PYTHON
)
expected='<2.0 2.0rc1: packaging no, poetry-core no, dep-logic no, distlib yes
<2.0.post1 2.0: packaging yes, poetry-core yes, dep-logic yes, distlib no
>1.0.post1 1.0.post2: packaging yes, poetry-core yes, dep-logic yes, distlib no
==1.0.* 1.0a1: packaging yes, poetry-core yes, dep-logic yes, distlib no
==1!1.0 1.0: packaging no, poetry-core no, dep-logic no, distlib yes
<1!0 2026.1: packaging yes, poetry-core yes, dep-logic yes, distlib no
~=1!1.0 1!1.5: packaging yes, poetry-core yes, dep-logic ValueError, distlib no'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
