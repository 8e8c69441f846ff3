#!/usr/bin/env bash
# For action.yml: runs assay gate, shows its report in the job's summary, and turns its exit status into the step's.
#
# What does not hold is a warning unless ASSAY_REQUIRED is true. That there is nothing to report fails in any case: a gate that cannot run is not
# advisory, it is broken.
set -euo pipefail
set -f # the words of ASSAY_PACKAGES and ASSAY_FLAGS are not patterns of file names

case $ASSAY_REQUIRED in
true | false) ;;
*)
	echo "::error title=assay::the input required is neither true nor false"
	exit 2
	;;
esac
case $ASSAY_PACKAGES$ASSAY_FLAGS in
*[\'\"]*)
	echo "::error title=assay::the input packages or flags has a quote: they are split at spaces, and quotes are not taken away"
	exit 2
	;;
esac
# What does not fail is no error.
level() {
	while IFS= read -r line; do
		[ "$ASSAY_REQUIRED" = true ] || line=${line/#::error /::warning }
		printf '%s\n' "$line"
	done
}
report=$RUNNER_TEMP/assay/report
rm -rf "$report"
flags=(--base "$ASSAY_COMMIT" --samples "$report" --budget "$ASSAY_BUDGET")
if [ -n "$ASSAY_BENCH" ]; then
	flags+=(--bench "$ASSAY_BENCH")
fi
if [ -n "$ASSAY_REQUIRE_RESOLUTION" ]; then
	flags+=(--require-resolution "$ASSAY_REQUIRE_RESOLUTION")
fi
status=0
{ "$RUNNER_TEMP/assay/bin/assay" gate "${flags[@]}" $ASSAY_FLAGS -- $ASSAY_PACKAGES 2>&1 >&3 | level >&2; } 3>&1 || status=$?
echo "status=$status" >>"$GITHUB_OUTPUT"
if [ ! -f "$report/report.json" ]; then
	echo "**assay gate judged nothing**: its step in the log says why" >>"$GITHUB_STEP_SUMMARY"
	exit $((status > 0 ? status : 2))
fi
cat "$report/report.md" >>"$GITHUB_STEP_SUMMARY"
if grep -q '^  "rows": \[\]' "$report/report.json"; then
	echo "::error title=assay gate::no benchmark was judged"
	exit $((status > 0 ? status : 2))
fi
if [ "$status" -ne 0 ] && [ "$ASSAY_REQUIRED" = false ]; then
	echo "::warning title=assay gate::exit status $status: advisory, because the input required is false"
	exit 0
fi
exit "$status"
