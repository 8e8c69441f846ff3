package optimized

import (
	"testing"

	"github.com/assaykit/assay/optimized/internal/kernel"
)

// A page of a cache is a whole number of panels: the contract of package kernel.
func TestPanelsFillPages(t *testing.T) {
	for name, k := range map[string]kernel.Kernel{"generic": kernel.Generic(), "best": kernel.Best()} {
		if k.NR < 1 || pageLen%k.NR != 0 {
			t.Errorf("%s: NR = %d does not divide %d", name, k.NR, pageLen)
		}
	}
}
