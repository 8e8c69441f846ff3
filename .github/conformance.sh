#!/usr/bin/env bash
# For action.yml: runs the conformance tests that ASSAY_CONFORMANCE names, packages and flags of go test, and demands the suite's own record of
# each run. The status of go test says less: it is 0 where no test ran, where another program ran in its place, and where a kernel ended the
# process with 0.
set -euo pipefail
set -f # words are not patterns of file names

case $ASSAY_CONFORMANCE in
*[\'\"]*)
	echo "::error title=assay::the input conformance has a quote: it is split at spaces, and quotes are not taken away"
	exit 2
	;;
esac
record=$RUNNER_TEMP/assay/record.jsonl
rm -f "$record"
tests=0 runs=0
ASSAY_RECORD=$record go test -count=1 $ASSAY_CONFORMANCE || tests=$?
"$RUNNER_TEMP/assay/bin/assay" record "$record" || runs=$?
if [ "$runs" -eq 2 ]; then
	echo "::error title=assay::conformance was not judged to its end: the line above says how far"
fi
exit $((tests > 0 ? tests : runs))
