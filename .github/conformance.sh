#!/usr/bin/env bash
# For action.yml: runs the conformance tests that ASSAY_CONFORMANCE names, packages and flags of go test. That none ran is no pass.
set -euo pipefail
set -f # words are not patterns of file names

case $ASSAY_CONFORMANCE in
*[\'\"]*)
	echo "::error title=assay::the input conformance has a quote: it is split at spaces, and quotes are not taken away"
	exit 2
	;;
esac
go test -count=1 $ASSAY_CONFORMANCE | tee "$RUNNER_TEMP/assay/conformance.txt"
if ! grep '^ok ' "$RUNNER_TEMP/assay/conformance.txt" | grep -qv '\[no tests to run\]'; then
	echo "::error title=assay::no conformance test ran: let the input conformance select some"
	exit 2
fi
