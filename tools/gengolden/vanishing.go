package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// vanishing are the results that are 0 in exact arithmetic, each with the result beside which it is judged: a sum of the same terms, with
// weights that keep it from vanishing. SPEC.md, GRAD-23 and A.10.
var vanishing = map[string]string{"dbk": "dwk"}

// vanish replaces what rounding left of results that vanish by 0, and reports one that is more than rounding, or whose bound is too wide.
func vanish(c *vector.Case, results []vector.Expect) error {
	reference := op.Formats{Storage: op.Float64Format, Accumulate: op.Float64Format}
	for n := range results {
		e := &results[n]
		name, ok := vanishing[e.Name]
		if !ok || e.Shape == nil || c.Compare != vector.Bound {
			continue
		}
		at := slices.IndexFunc(results, func(other vector.Expect) bool { return other.Name == name })
		beside := results[at].Want
		cols := e.Shape[len(e.Shape)-1]
		rows := len(e.Want) / cols
		for i, w := range e.Want {
			if math.IsNaN(w) {
				continue
			}
			if math.Abs(w) > reference.Bound(0, op.Gauge{Acc: e.Acc[i]}, op.Stored) {
				return fmt.Errorf("%s[%d] = %v is not 0: its gauge is %.3g", e.Name, i, w, e.Acc[i])
			}
			e.Want[i] = 0
			row := i / cols
			rms := rootMeanSquare(beside[row*len(beside)/rows : (row+1)*len(beside)/rows])
			if b := bound(e, judged(c), i); b > admission*rms && rms > 0 {
				return fmt.Errorf("%s[%d]: the bound %.3g is more than %v of the root mean square of %s, %.3g: change the inputs", e.Name, i, b, admission, name, rms)
			}
		}
	}
	return nil
}
