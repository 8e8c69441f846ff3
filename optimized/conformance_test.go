package optimized_test

import (
	"testing"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/optimized"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	conformance.Run(t, func() op.Implementation { return optimized.New() }, conformance.Profile("all"))
}
