package reference

import (
	"os"
	"os/exec"
	"regexp"
	"testing"
)

// Nothing fuses, in the machine code for arm64, whose compiler fuses wherever the language lets it, across statements and inlined calls as
// well. So every architecture computes the same bits from the same elementary functions.
func TestNothingFuses(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds for arm64")
	}
	build := exec.Command("go", "build", "-gcflags=-S", ".")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	listing, err := build.CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, listing)
	}
	if !regexp.MustCompile(`\sFMULD\s`).Match(listing) {
		t.Fatal("the listing has no product")
	}
	for _, fused := range regexp.MustCompile(`(\w+\.go:\d+)\)\s+FN?M(?:ADD|SUB)[DS]\b`).FindAllSubmatch(listing, -1) {
		t.Errorf("%s: a product fuses into a sum: write float64(a*x) + y", fused[1])
	}
}
