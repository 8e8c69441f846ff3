package optimized

import (
	"testing"

	"github.com/assaykit/assay/optimized/internal/kernel"
)

// A page of a cache is a whole number of panels: the contract of package kernel.
func TestPanelsFillPages(t *testing.T) {
	for _, k := range kernel.All() {
		if k.NR < 1 || pageLen%k.NR != 0 {
			t.Errorf("%s: NR = %d does not divide %d", k.Name, k.NR, pageLen)
		}
	}
}
