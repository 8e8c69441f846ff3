package main

import (
	"fmt"
	"math"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/vector"
)

// upTo gives the steps 0 to n-1.
func upTo(n int) draw {
	t := make([]int64, n)
	for i := range t {
		t[i] = int64(i)
	}
	return ids(t...)
}

var _ = register("learning_rate", learningRateFamily)

func learningRateFamily() family {
	f := family{accumulate: op.Float64Format, flags: []vector.Flag{
		{Name: "origin", Bug: "steps count from 1, or the first rate is skipped"},
		{Name: "warmup", Bug: "t/W for (t+1)/W or the other way round, or the decay counts from 0 and not from the end of the warmup"},
		{Name: "floor", Bug: "the rate goes below its floor, or the floor is added and not interpolated to"},
		{Name: "beyond", Bug: "a cosine rises again after its end", See: "torch.optim.lr_scheduler.CosineAnnealingLR past T_max"},
		{Name: "powers", Bug: "gamma once too often or too seldom, or by a fraction of the step size"},
		{Name: "inverse-root", Bug: "d_model for the peak, or steps from 0"},
		{Name: "order", Bug: "the schedule keeps state: steps out of order, or repeated, give other rates"},
		{Name: "precision", Bug: "cosines, powers or quotients in float32"},
		{Name: "step-range", Bug: "a negative step is accepted, or a large one overflows"},
		{Name: "attributes", Bug: "attributes that contradict each other are accepted"},
	}}
	add := func(name, comment, clauses, flags string, a attrs, t draw) *testCase {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: a, src: args{"t": t}})
		return &f.cases[len(f.cases)-1]
	}
	is := func(name string, more attrs) attrs {
		a := attrs{"schedule": name, "lr": 0.1}
		for k, v := range more {
			a[k] = v
		}
		return a
	}
	add("default", "Without attributes, 0.001.", "LR-1", "origin", nil, upTo(4))
	add("constant", "A constant rate.", "LR-1", "origin order", is("constant", nil), ids(0, 1, 1000, 1<<40))
	add("constant-warmup", "A warmup of 4 steps from 0, then constant.", "LR-2", "warmup", is("constant", attrs{"warmup": 4}), upTo(9))
	add("constant-warmup-offset", "A warmup that does not waste a step.", "LR-2", "warmup", is("constant", attrs{"warmup": 4, "warmup_offset": 1}), upTo(9))
	add("warmup-start", "A warmup from a tenth of the rate.", "LR-2", "warmup", is("constant", attrs{"warmup": 5, "warmup_start": 0.1}), upTo(8))
	add("warmup-both", "A start and an offset.", "LR-2", "warmup", is("constant", attrs{"warmup": 3, "warmup_start": 0.25, "warmup_offset": 1}), upTo(6))
	add("warmup-1", "A warmup of one step.", "LR-2", "warmup origin", is("constant", attrs{"warmup": 1}), upTo(3))
	add("cosine", "A cosine over 10 steps, and on.", "LR-1 LR-3 LR-4", "origin beyond", is("cosine", attrs{"total": 10}), upTo(25))
	add("cosine-floor", "The same with a floor.", "LR-3 LR-4", "floor beyond", is("cosine", attrs{"total": 10, "min_lr": 0.02}), upTo(25))
	add("cosine-1", "A cosine of one step.", "LR-3 LR-4", "beyond", is("cosine", attrs{"total": 1, "min_lr": 0.01}), upTo(4))
	add("cosine-end", "The last steps of a long cosine, where 1 + cos cancels.", "LR-3 LR-7", "precision", is("cosine", attrs{"total": 100000}),
		ids(50000, 99990, 99998, 99999, 100000, 100001))
	add("cosine-flat", "A floor equal to the rate.", "LR-3", "floor", is("cosine", attrs{"total": 6, "min_lr": 0.1}), upTo(8))
	add("warmup-cosine", "Four steps of warmup, then a cosine to step 20.", "LR-2 LR-3 LR-4", "warmup beyond", is("warmup_cosine", attrs{"warmup": 4, "total": 20}),
		upTo(24))
	add("warmup-cosine-floor", "With a floor, which the warmup does not have.", "LR-2 LR-3 LR-4", "warmup floor",
		is("warmup_cosine", attrs{"warmup": 4, "total": 12, "min_lr": 0.05, "warmup_offset": 1}), upTo(16))
	add("warmup-cosine-start", "With a start.", "LR-2 LR-3", "warmup", is("warmup_cosine", attrs{"warmup": 5, "total": 20, "warmup_start": 0.1}), upTo(20))
	add("warmup-cosine-none", "A warmup of no steps is a cosine.", "LR-3", "warmup", is("warmup_cosine", attrs{"total": 8}), upTo(10))
	add("gpt3", "A schedule of the size of GPT-3's: 6e-4, down to a tenth.", "LR-2 LR-3 LR-4", "precision floor",
		attrs{"schedule": "warmup_cosine", "lr": 6e-4, "min_lr": 6e-5, "warmup": 715, "total": 520000},
		ids(0, 1, 357, 714, 715, 716, 1000, 12345, 260357, 519999, 520000, 600000))
	add("step", "A factor of 1/2 every 3 steps.", "LR-5", "powers origin", is("step", attrs{"gamma": 0.5, "step_size": 3}), upTo(13))
	add("step-floor", "The same down to a floor.", "LR-5", "powers floor", is("step", attrs{"gamma": 0.5, "step_size": 3, "min_lr": 0.02}), upTo(13))
	add("step-1", "A factor in every step.", "LR-5", "powers", is("step", attrs{"gamma": 0.7, "step_size": 1}), upTo(6))
	add("exponential", "A factor of 0.95 in every step.", "LR-1 LR-5", "powers origin", is("exponential", attrs{"gamma": 0.95}), upTo(12))
	add("exponential-late", "Thousands of steps: float32 powers drift.", "LR-5 LR-7", "powers precision", is("exponential", attrs{"gamma": 0.9995}),
		ids(0, 1000, 3000, 5000, 7777))
	add("exponential-floor", "Down to a floor.", "LR-5", "powers floor", is("exponential", attrs{"gamma": 0.5, "min_lr": 0.01}), upTo(8))
	add("inverse-sqrt", "The original Transformer's schedule, with its peak at step 3.", "LR-6", "inverse-root warmup",
		is("inverse_sqrt", attrs{"warmup": 4}), upTo(20))
	add("inverse-sqrt-1", "A warmup of one step: lr / sqrt(t + 1).", "LR-6", "inverse-root origin", is("inverse_sqrt", attrs{"warmup": 1}), upTo(10))
	add("inverse-sqrt-floor", "Down to a floor.", "LR-6", "inverse-root floor", is("inverse_sqrt", attrs{"warmup": 2, "min_lr": 0.06}), upTo(12))
	add("inverse-sqrt-vaswani", "The paper's: d = 512, 4,000 steps of warmup.", "LR-6 LR-7", "inverse-root precision",
		attrs{"schedule": "inverse_sqrt", "lr": 0.0006987712429686843, "warmup": 4000}, ids(0, 1, 1999, 3999, 4000, 99999))
	add("order", "Steps out of order, and repeated.", "LR-1", "order", is("warmup_cosine", attrs{"warmup": 3, "total": 11}), ids(9, 0, 5, 5, 2, 30, 3, 0))
	add("far", "A step beyond 2^40.", "LR-4", "step-range beyond", is("cosine", attrs{"total": 10, "min_lr": 0.01}), ids(1<<40, 1<<62, 3))
	add("far-inverse-sqrt", "The last step that 64 bits can count.", "LR-6", "step-range inverse-root", is("inverse_sqrt", attrs{"warmup": 4}),
		ids(1<<62, math.MaxInt64, 3))
	for _, schedule := range []attrs{is("constant", nil), is("warmup_cosine", attrs{"warmup": 4, "total": 20})} {
		add(fmt.Sprint("negative-", schedule["schedule"]), "A negative step is an error.", "LR-1", "step-range", schedule, ids(3, -1)).err = "position"
	}
	for name, a := range sorted(map[string]attrs{
		"no-total": is("cosine", nil), "total-in-warmup": is("warmup_cosine", attrs{"warmup": 5, "total": 5}), "floor-above": is("cosine", attrs{"total": 5, "min_lr": 0.2}),
		"no-warmup": is("inverse_sqrt", nil), "unused": is("cosine", attrs{"total": 9, "warmup": 2}), "gamma-above-1": is("exponential", attrs{"gamma": 1.5}),
		"no-step-size": is("step", attrs{"gamma": 0.5}), "unknown": is("linear", attrs{"total": 5}),
		"offset-2": is("constant", attrs{"warmup": 4, "warmup_offset": 2}),
	}) {
		add("attributes-"+name, "Attributes that contradict each other are an error.", "LR-1", "attributes", a, upTo(2)).err = "attributes"
	}
	f.wide = []testCase{{
		name: "n-70", comment: "70 steps.", clauses: "LR-3", attrs: attrs{"schedule": "warmup_cosine", "warmup": 10, "total": 66}, src: args{"t": upTo(70)},
	}}
	return f
}
