package main

import (
	"fmt"

	"github.com/assaykit/assay/conformance/vector"
)

// descent is n steps at one rate with gradients drawn anew for each.
func descent(n int, lr float64, grad draw) []step {
	steps := make([]step, n)
	for i := range steps {
		steps[i].src = args{"grad": grad, "lr": number(lr)}
	}
	return steps
}

// follow is one step for each gradient.
func follow(lr float64, grads ...draw) []step {
	var steps []step
	for _, g := range grads {
		steps = append(steps, step{src: args{"grad": g, "lr": number(lr)}})
	}
	return steps
}

// product returns the number of elements of a shape.
func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

var _ = register("adam", adamFamily)

func adamFamily() family {
	f := family{flags: []vector.Flag{
		{Name: "edges", Bug: "a kernel's remainder loops"},
		{Name: "eps", Bug: "eps under the root, or added before the bias is corrected", See: "pytorch #22628, #23737; ONNX's Adam"},
		{Name: "bias-correction", Bug: "no correction, one that starts with t = 0, or one only for m", See: "both ONNX Adam vectors have T = 0"},
		{Name: "coefficients", Bug: "1 - beta2 or 1 - beta^t formed in float32: 216 roundings off"},
		{Name: "coupled", Bug: "weight decay is missing, decoupled, or reaches one moment only"},
		{Name: "decoupled", Bug: "AdamW's decay goes through the moments, takes the new parameter, or forgets the rate"},
		{Name: "state", Bug: "moments, parameters or t are not kept, or begin again"},
		{Name: "resume", Bug: "given moments or the number of steps behind them are not used"},
		{Name: "zero-gradient", Bug: "a step without a gradient is skipped, or divides by 0"},
		{Name: "huge", Bug: "g^2, or v / (1 - beta2^t), overflows: the step is 0 or NaN", See: "float16 training without loss scaling"},
		{Name: "specials", Bug: "a NaN spreads over the tensor, or is lost"},
		{Name: "attributes", Bug: "constants outside their range are accepted, or one moment without the other"},
	}}
	add := func(name, comment, clauses, flags string, a attrs, consts args, steps ...step) *testCase {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: a, consts: consts, steps: steps})
		return &f.cases[len(f.cases)-1]
	}
	param := func(shape ...int) args { return args{"param": normal(0.5, shape...)} }
	grad := func(shape ...int) draw { return normal(1, shape...) }
	resumed := func(shape ...int) args {
		return args{"param": normal(0.5, shape...), "m": normal(0.3, shape...), "v": uniform(0.01, 0.5, shape...)}
	}
	const lr = 0.0078125

	for _, shape := range [][]int{{}, {1}, {7}, {3, 4}, {2, 3, 5}, {33}, {257}} {
		add(fmt.Sprint("shape-", len(shape), "-", product(shape)), fmt.Sprintf("One step with parameters %v.", shape), "OPT-1 OPT-3", "edges coefficients",
			nil, param(shape...), descent(1, lr, grad(shape...))...)
	}
	add("three-steps", "Three steps.", "OPT-1 OPT-6", "state bias-correction", nil, param(2, 5), descent(3, lr, grad(2, 5))...)
	add("twenty-steps", "Twenty steps.", "OPT-1 OPT-6", "state bias-correction", nil, param(6), descent(20, lr, grad(6))...)
	add("thirty-two-steps", "Thirty-two steps with decay and other betas.", "OPT-1 OPT-5 OPT-6", "state decoupled",
		attrs{"beta1": 0.8, "beta2": 0.95, "weight_decay": 0.1, "decoupled": true}, param(4), descent(32, 0.03125, grad(4))...)
	add("betas", "beta1 = 0.5, beta2 = 0.9.", "OPT-1 OPT-3", "bias-correction coefficients", attrs{"beta1": 0.5, "beta2": 0.9}, param(6),
		descent(3, lr, grad(6))...)
	add("beta2-0.9999", "beta2 = 0.9999: 1 - beta2 has five significant digits in float32.", "OPT-3", "coefficients", attrs{"beta2": 0.9999}, param(6),
		descent(2, lr, grad(6))...)
	add("beta1-0", "No first moment: beta1 = 0.", "OPT-1", "bias-correction", attrs{"beta1": 0}, param(6), descent(3, lr, grad(6))...)
	add("betas-0", "No moments at all: every step is lr times the sign.", "OPT-1", "bias-correction", attrs{"beta1": 0, "beta2": 0}, param(6),
		descent(2, lr, grad(6))...)
	constant := floats([]float64{1, -0.001, 30, -4}, 4)
	add("constant", "One gradient five times: the corrected moments are the gradient and its square, so every step is lr, whatever its size.",
		"OPT-1", "bias-correction state", nil, param(4), follow(lr, constant, constant, constant, constant, constant)...)
	add("eps-0.01", "eps = 0.01 beside gradients of its size: under the root, or before the correction, it is another number.", "OPT-2", "eps",
		attrs{"eps": 0.01}, param(6), descent(3, lr, normal(0.02, 6))...)
	add("eps-large", "eps = 1.", "OPT-2", "eps", attrs{"eps": 1}, param(6), descent(3, lr, grad(6))...)
	add("eps-small-gradients", "Gradients of 1e-8 beside the default eps.", "OPT-2", "eps", nil, param(6), descent(2, lr, normal(1e-8, 6))...)
	add("eps-0", "eps = 0.", "OPT-1", "eps", attrs{"eps": 0}, param(6), descent(2, lr, grad(6))...)
	add("coupled", "Weight decay in the gradient.", "OPT-4", "coupled", attrs{"weight_decay": 0.25}, param(6), descent(4, lr, grad(6))...)
	add("coupled-strong", "Weight decay as large as the gradient.", "OPT-4", "coupled", attrs{"weight_decay": 3, "eps": 0.001}, param(6),
		descent(3, lr, normal(0.5, 6))...)
	add("decoupled", "AdamW.", "OPT-5", "decoupled", attrs{"weight_decay": 0.25, "decoupled": true}, param(6), descent(4, 0.0625, grad(6))...)
	add("decoupled-strong", "The step and the decay are of one size: which parameter decays shows.", "OPT-5", "decoupled",
		attrs{"weight_decay": 2, "decoupled": true}, param(6), descent(3, 0.125, grad(6))...)
	add("decoupled-zero", "Without a gradient, AdamW shrinks by 1 - lr wd = 7/8, exactly.", "OPT-5 OPT-7", "decoupled zero-gradient",
		attrs{"weight_decay": 0.25, "decoupled": true}, args{"param": whole(-9, 9, 5)}, follow(0.5, all(0, 5), all(0, 5))...).compare = vector.Exact
	add("coupled-zero", "Without a gradient, coupled decay moves by lr.", "OPT-4 OPT-7", "coupled zero-gradient", attrs{"weight_decay": 0.25},
		args{"param": normal(0.5, 5)}, follow(lr, all(0, 5), all(0, 5))...)
	add("rates", "Another rate in every step; one is 0.", "OPT-1 OPT-6", "state", nil, param(6),
		step{src: args{"grad": grad(6), "lr": number(0.5)}}, step{src: args{"grad": grad(6), "lr": number(0)}}, step{src: args{"grad": grad(6), "lr": number(0.001)}})
	add("resume-3", "Moments of three steps.", "OPT-6", "resume", attrs{"step": 3}, resumed(6), descent(3, lr, grad(6))...)
	add("resume-1000", "Moments of a thousand steps.", "OPT-6", "resume", attrs{"step": 1000}, resumed(6), descent(2, lr, grad(6))...)
	add("resume-late", "After 10^6 steps nothing is left to correct.", "OPT-6", "resume", attrs{"step": 1000000, "weight_decay": 0.1, "decoupled": true},
		resumed(2, 3), descent(2, lr, grad(2, 3))...)
	add("resume-0", "Moments that are not 0, and no steps behind them.", "OPT-6", "resume", nil, resumed(6), descent(2, lr, grad(6))...)
	add("step-without-moments", "Steps behind, and moments of 0.", "OPT-6", "resume", attrs{"step": 9}, param(6), descent(2, lr, grad(6))...)
	add("zero-first", "A gradient of 0 moves nothing while there are no moments.", "OPT-7", "zero-gradient", nil, param(6),
		follow(lr, all(0, 6), grad(6))...)
	add("zero-between", "A gradient of 0 after others: the parameters go on by what is left of the moments.", "OPT-7", "zero-gradient state", nil, param(6),
		follow(lr, grad(6), all(0, 6), all(0, 6), grad(6))...)
	add("zero-elements", "Elements whose gradient is 0 stay as they are.", "OPT-7", "zero-gradient", nil, param(6),
		follow(lr, grad(6).set(0, 1, 4), grad(6).set(0, 1, 4), grad(6).set(0, 1))...)
	add("huge", "Gradients of 1e20, whose squares overflow float32 and whose second moments do not.", "OPT-8", "huge", nil, param(6),
		descent(3, 0.0625, normal(1e20, 6))...)
	add("huge-and-small", "Gradients from 1e-9 to 1e19 in one tensor.", "OPT-1 OPT-8", "huge eps", nil, param(5),
		follow(0.0625, floats([]float64{1e19, -1e10, 1, -1e-5, 1e-9}, 5), floats([]float64{-2e19, 3e10, 2, 1e-5, -3e-9}, 5))...)
	add("nan", "A NaN in one element, in the first step only: it stays there.", "OPT-9", "specials", nil, param(6),
		follow(lr, grad(6).set(nan, 2), grad(6))...)
	add("inf", "Infinities in two elements.", "OPT-9", "specials", nil, param(6), follow(lr, grad(6).set(inf, 1).set(-inf, 4))...)
	for name, a := range sorted(map[string]attrs{"beta2-1": {"beta2": 1}, "beta1-negative": {"beta1": -0.1}, "eps-negative": {"eps": -1e-8},
		"step-negative": {"step": -1}, "step-beyond": {"step": 1<<53 + 1}}) {
		add(name, "A constant outside its range is an error.", "OPT-1 OPT-6", "attributes", a, param(2),
			step{src: args{"grad": grad(2), "lr": number(lr)}, err: "attributes"})
	}
	add("m-alone", "One moment without the other is an error.", "OPT-6", "attributes resume", nil, args{"param": normal(1, 2), "m": normal(1, 2)},
		step{src: args{"grad": grad(2), "lr": number(lr)}, err: "shape"})
	return f
}

var _ = register("sgd", sgdFamily)

func sgdFamily() family {
	f := family{flags: []vector.Flag{
		{Name: "edges", Bug: "a kernel's remainder loops"},
		{Name: "momentum", Bug: "the rate goes into the velocity, the velocity is not kept, or decays twice"},
		{Name: "dampening", Bug: "the first step is dampened too, or none is"},
		{Name: "nesterov", Bug: "the old velocity, or the velocity twice"},
		{Name: "decay", Bug: "weight decay is missing, or does not reach the velocity"},
		{Name: "resume", Bug: "a given velocity is not used, or the step with it is taken for a first one"},
		{Name: "specials", Bug: "a NaN spreads over the tensor, or is lost"},
		{Name: "attributes", Bug: "Nesterov without momentum is accepted"},
	}}
	add := func(name, comment, clauses, flags string, a attrs, consts args, steps ...step) *testCase {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: a, consts: consts, steps: steps})
		return &f.cases[len(f.cases)-1]
	}
	param := func(shape ...int) args { return args{"param": normal(0.5, shape...)} }
	const lr = 0.0625
	for _, shape := range [][]int{{}, {5}, {3, 4}, {129}} {
		add(fmt.Sprint("plain-", product(shape)), fmt.Sprintf("Without momentum, parameters %v.", shape), "OPT-10 OPT-13", "edges", nil, param(shape...),
			descent(2, lr, normal(1, shape...))...)
	}
	g := normal(1, 6)
	add("momentum", "Momentum 0.9.", "OPT-10 OPT-11", "momentum", attrs{"momentum": 0.9}, param(6), descent(5, lr, g)...)
	add("twenty-steps", "Twenty steps.", "OPT-10", "momentum decay", attrs{"momentum": 0.9, "weight_decay": 0.05}, param(4), descent(20, 0.03125, normal(1, 4))...)
	add("dampening", "Dampening 0.5: from the second step.", "OPT-10 OPT-11", "dampening", attrs{"momentum": 0.9, "dampening": 0.5}, param(6),
		descent(3, lr, g)...)
	add("dampening-alone", "Dampening without momentum does nothing.", "OPT-13", "dampening", attrs{"dampening": 0.5}, param(6), descent(2, lr, g)...)
	add("nesterov", "Nesterov's momentum.", "OPT-12", "nesterov", attrs{"momentum": 0.8, "nesterov": true}, param(6), descent(4, lr, g)...)
	add("decay", "Weight decay.", "OPT-10", "decay", attrs{"weight_decay": 0.5}, param(6), descent(3, lr, g)...)
	add("decay-nesterov", "Everything at once.", "OPT-10 OPT-12", "decay nesterov", attrs{"momentum": 0.9, "nesterov": true, "weight_decay": 0.5}, param(2, 3),
		descent(4, lr, normal(1, 2, 3))...)
	velocity := args{"param": normal(0.5, 6), "v": normal(1, 6)}
	add("resume", "A velocity is given.", "OPT-11", "resume momentum", attrs{"momentum": 0.9}, velocity, descent(2, lr, g)...)
	add("resume-dampening", "A velocity is given: the first step is dampened.", "OPT-11", "resume dampening", attrs{"momentum": 0.9, "dampening": 0.25},
		velocity, descent(2, lr, g)...)
	add("zero-gradient", "The velocity goes on without a gradient.", "OPT-10", "momentum", attrs{"momentum": 0.75}, param(6), follow(lr, g, all(0, 6), all(0, 6))...)
	add("rates", "Another rate in every step: velocities do not hold it.", "OPT-10", "momentum", attrs{"momentum": 0.9}, param(6),
		step{src: args{"grad": g, "lr": number(0.5)}}, step{src: args{"grad": g, "lr": number(0)}}, step{src: args{"grad": g, "lr": number(0.01)}})
	add("nan", "A NaN in one element stays there; an infinity moves it to the other one.", "OPT-10", "specials", attrs{"momentum": 0.5}, param(5),
		follow(lr, normal(1, 5).set(nan, 1).set(inf, 3), normal(1, 5))...)
	for name, a := range sorted(map[string]attrs{"nesterov-alone": {"nesterov": true}, "nesterov-dampened": {"nesterov": true, "momentum": 0.9, "dampening": 0.1},
		"momentum-negative": {"momentum": -0.9}}) {
		add(name, "Attributes that contradict each other, or are out of range, are an error.", "OPT-12", "attributes", a, param(2),
			step{src: args{"grad": normal(1, 2), "lr": number(lr)}, err: "attributes"})
	}
	return f
}
