package refimpl_test

import (
	"testing"

	"github.com/assaykit/assay/conformance"
	"github.com/assaykit/assay/conformance/refimpl"
)

func TestConformance(t *testing.T) { conformance.Run(t, refimpl.New) }
