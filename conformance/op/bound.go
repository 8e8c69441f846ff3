package op

import "math"

// lambda is the factor on the first-order bound: it covers the second order and the tail of the rounding errors. Correct variants of every
// op stay below 0.7 of the bound in float32 and 0.95 in bfloat16, and every planted bug is outside it.
const lambda = 2

// Gauge says how far rounding carries one element of a result, to first order, with the roundoffs left out: SPEC.md, appendix A.
type Gauge struct {
	Acc float64 // by the arithmetic, in units of the accumulation format's roundoff
	In  float64 // by rounding inputs and stored intermediates to the storage format, in units of its roundoff
	Eta float64 // how many smallest normals of the storage format underflow may add
}

// Origin says where the numbers of a comparison come from.
type Origin struct {
	Inputs   Format  // the format in which inputs are given, all of whose numbers they are
	Roundoff float64 // of what is wanted, itself: 0 where it is as good as exact
}

// Stored is the origin of golden vectors: inputs in float32, results in float64 that are as good as exact.
var Stored = Origin{Inputs: Float32Format}

// Bound returns how far a result of an implementation in these formats may be from want:
//
//	lambda ((u_acc + r) Acc + (u_sto + r) |want| + u_sto In) + Eta * smallest normal
//
// with lambda = 2 and r the roundoff of want. In counts only where the storage is narrower than the inputs, which are then rounded to it.
// This is the only place where a roundoff meets a gauge.
func (f Formats) Bound(want float64, g Gauge, from Origin) float64 {
	acc, sto, size := f.Accumulate.UnitRoundoff(), f.Storage.UnitRoundoff(), math.Abs(want)
	stored := size
	if sto > from.Inputs.UnitRoundoff() {
		stored += g.In
	}
	return lambda*((acc+from.Roundoff)*g.Acc+sto*stored+from.Roundoff*size) + g.Eta*f.Storage.SmallestNormal()
}
