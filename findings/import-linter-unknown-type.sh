#!/usr/bin/env bash
# Guess:     a contract type that import-linter does not know (mistyped, or of a later version, as acyclic_siblings was before
#            2.6) is an error that says so, as a missing field is: with the contract's name and with what is wrong.
# Versions:  import-linter 2.16, grimp 3.19
# Behaviour: the error is the bare name of the type: no word that it is unknown, nor of which contract, nor which types exist. It
#            reads as if a contract of that type were broken, and the exit code is that of a broken contract.
# Seen:      independence without modules: Contract "apart" is not configured correctly: modules: This is a required field. (1)
#            independance: independance (1)
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && timeout 300 "$work/venv/bin/pip" install --quiet import-linter==2.16 grimp==3.19 click==8.5.1 \
    rich==15.0.0 markdown-it-py==4.3.0 mdurl==0.1.2 Pygments==2.21.0 typing_extensions==4.16.0 || exit 2

mkdir "$work/package" && touch "$work/package/__init__.py" && cd "$work" || exit 2

# What is printed below the banner, in one line, and the exit code.
lint() {
    printf '[importlinter]\nroot_package = package\n[importlinter:contract:1]\nname = apart\ntype = %s\n' "$1" >.importlinter
    printed=$(env -i "PATH=$PATH" "HOME=$work" PYTHONPATH=. NO_COLOR=1 TERM=dumb timeout 60 venv/bin/lint-imports --no-cache)
    code=$?
    words=$(sed 's/\x1b\[[0-9;]*m//g' <<<"$printed" | grep -E '^ *[A-Za-z]' | xargs -d '\n' echo | tr -s ' ')
    echo "$words ($code)"
}
seen="independence without modules: $(lint independence)
independance: $(lint independance)"
expected='independence without modules: Contract "apart" is not configured correctly: modules: This is a required field. (1)
independance: independance (1)'

echo "$seen"
[ "$seen" = "$expected" ] || { printf 'changed; it was:\n%s\n' "$expected"; exit 1; }
