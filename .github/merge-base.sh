#!/usr/bin/env bash
# For action.yml: fetches as much history as it takes to know the merge base of the checkout and the base, and writes commit=HASH to GITHUB_OUTPUT.
#
# The base is ASSAY_BASE, a branch, tag or full hash; without it the pull request's base branch, or ASSAY_BEFORE, the commit before a push. A checkout
# of depth 1 is deepened as far as needed, and a complete one is left complete. HEAD, branches and files stay as they are.
set -euo pipefail

die() {
	printf '::error title=assay::%s\n' "$1"
	exit 2
}

git rev-parse --show-toplevel >/dev/null || die "the input directory is in no git repository: let actions/checkout run before, and name a directory within its path"
base=${ASSAY_BASE#origin/}
if [ -z "$base" ]; then
	base=${GITHUB_BASE_REF:+refs/heads/$GITHUB_BASE_REF}
	base=${base:-$ASSAY_BEFORE}
fi
case $base in
'' | 0000000000000000000000000000000000000000) die "this event has no commit to compare with: give the input base, such as the last release's tag" ;;
-*) die "the input base begins with a dash: give a branch, a tag or a full hash" ;;
esac

fetch() {
	git fetch --quiet --no-tags --no-recurse-submodules "$@"
}
shallow() {
	[ "$(git rev-parse --is-shallow-repository)" = true ]
}
# A commit that has lost its parents may have been joined to the other side later than at the ancestor found.
known() {
	found=$(git merge-base --all "$base" "$head") || return
	! shallow || [[ $found == *"$base"* || $found == *"$head"* ]] || [ -z "$(git rev-list --max-parents=0 "$base" "$head" --not $found)" ]
}

depth=
shallow && depth=--depth=1
fetch $depth origin "$base" || die "cannot fetch the base $base from origin: it must be a branch, a tag or a full hash there, which the checkout's token may read (persist-credentials)"
base=$(git rev-parse 'FETCH_HEAD^{commit}')
head=$(git rev-parse HEAD)
for more in --deepen=1 --deepen=8 --deepen=64 --deepen=512 --deepen=4096 --depth=2147483647; do # the last is all there is
	if known || ! shallow; then
		break
	fi
	fetch "$more" origin "$base" "$head" || die "cannot fetch more of the history of $head from origin: is it a commit that is only here?"
done
known || die "the checkout and the base $base have no common history"
echo "commit=${found%%$'\n'*}" >>"$GITHUB_OUTPUT"
echo "the merge base is ${found%%$'\n'*}"
