package reference

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// steps calls step with each parameter tensor's gradients in order, and collects the named results of all of them.
func (c torchCase) steps(step func(t, param int, grad []float64) map[string][]float64) map[string][]float64 {
	out := map[string][]float64{}
	for param := 0; c.find(fmt.Sprintf("param%d_step0", param)) != nil; param++ {
		for t := 1; t <= c.integer("steps"); t++ {
			for name, got := range step(t, param, c.vector(fmt.Sprintf("grad%d_step%d", param, t))) {
				out[fmt.Sprintf("%s%d_step%d", name, param, t)] = got
			}
		}
	}
	return out
}

func torchAdam(c torchCase) map[string][]float64 {
	betas := c.Attributes["betas"].([]any)
	cfg := AdamConfig{
		Beta1: betas[0].(float64), Beta2: betas[1].(float64), Eps: c.Attributes["eps"].(float64),
		WeightDecay: c.Attributes["weight_decay"].(float64), Decoupled: c.Attributes["decay"] == "decoupled",
	}
	var s AdamState
	return c.steps(func(t, param int, grad []float64) map[string][]float64 {
		if t == 1 {
			s = AdamState{c.vector(fmt.Sprintf("param%d_step0", param)), filled(len(grad), 0), filled(len(grad), 0)}
		}
		s = Adam(s, grad, c.Attributes["lr"].(float64), t, cfg)
		return map[string][]float64{"param": s.Param, "exp_avg": s.M, "exp_avg_sq": s.V}
	})
}

func torchSGD(c torchCase) map[string][]float64 {
	cfg := SGDConfig{
		Momentum: c.Attributes["momentum"].(float64), Dampening: c.Attributes["dampening"].(float64),
		Nesterov: c.Attributes["nesterov"].(bool), WeightDecay: c.Attributes["weight_decay"].(float64),
	}
	var s SGDState
	return c.steps(func(t, param int, grad []float64) map[string][]float64 {
		if t == 1 {
			s = SGDState{Param: c.vector(fmt.Sprintf("param%d_step0", param))}
		}
		s = SGD(s, grad, c.Attributes["lr"].(float64), cfg)
		if cfg.Momentum == 0 { // PyTorch keeps no buffer then
			return map[string][]float64{"param": s.Param}
		}
		return map[string][]float64{"param": s.Param, "momentum_buffer": s.Velocity}
	})
}

func torchClip(c torchCase) map[string][]float64 {
	gs := [][]float64{c.vector("grad0"), c.vector("grad1"), c.vector("grad2")}
	ys, norm, err := ClipNorm(c.Attributes["max_norm"].(float64), 1e-6, gs...)
	if err != nil {
		panic(err)
	}
	return map[string][]float64{"total_norm": {norm}, "clipped0": ys[0], "clipped1": ys[1], "clipped2": ys[2]}
}

// rates returns the schedule's rates of the steps that PyTorch has. Beyond the schedule's end PyTorch's cosine rises again, and LR-4
// says that it must not: there the rate must be the floor, and PyTorch's own is given back.
func (c torchCase) rates(s Schedule) map[string][]float64 {
	torch := c.output("lr")
	got := make([]float64, len(torch))
	for t := range got {
		if got[t] = must(s.Rate(t)); t > s.Total {
			if got[t] != s.MinLR {
				panic(fmt.Sprintf("the rate of step %d, after the end, is %v, want %v", t, got[t], s.MinLR))
			}
			got[t] = torch[t]
		}
	}
	return map[string][]float64{"lr": got}
}

func torchCosine(c torchCase) map[string][]float64 {
	return c.rates(Schedule{Name: ScheduleCosine, LR: c.Attributes["base_lr"].(float64), MinLR: c.Attributes["eta_min"].(float64), Total: c.integer("T_max")})
}

func torchWarmupCosine(c torchCase) map[string][]float64 {
	warmup := c.integer("warmup_steps")
	return c.rates(Schedule{Name: ScheduleWarmupCosine, LR: c.Attributes["base_lr"].(float64), MinLR: c.Attributes["eta_min"].(float64),
		Warmup: warmup, WarmupStart: c.Attributes["start_factor"].(float64), Total: warmup + c.integer("T_max")})
}

// torchInit compares limits and deviations. Fans are given, since PyTorch's weights are stored [out, in].
func torchInit(c torchCase) map[string][]float64 {
	gains := map[string]float64{"relu": 1, "leaky_relu": 1, "linear": 1 / math.Sqrt2, "tanh": 5 / (3 * math.Sqrt2)} // beside Kaiming's own, sqrt 2
	out := map[string][]float64{}
	for i, r := range c.Rows {
		cfg := InitConfig{Scheme: InitScheme(r.Init), Gain: r.Gain, FanOut: r.Mode == "fan_out", A: r.A}
		if strings.HasPrefix(r.Init, "kaiming") {
			cfg.Gain = gains[r.Nonlinearity]
		}
		limit := 1.0
		if strings.HasSuffix(r.Init, "uniform") {
			limit = math.Sqrt(3)
		}
		out[r.scale(i).Name] = []float64{limit * cfg.Deviation(r.FanIn, r.FanOut)}
	}
	return out
}

// torchInitRow is what torch.nn.init drew from.
type torchInitRow struct {
	FanIn        int `json:"fan_in"`
	FanOut       int `json:"fan_out"`
	Init, Mode   string
	Nonlinearity string
	Gain, A      float64
	High, Std    float64
}

// scale returns the limit of a uniform row, the deviation of a normal one, as an output.
func (r torchInitRow) scale(i int) *torchTensor {
	return &torchTensor{Name: fmt.Sprint("row ", i), Data: []torchNumber{torchNumber(r.High + r.Std)}}
}

// Rates of Hugging Face's schedules, printed with two or three decimals. Its linear and polynomial decays and its hard restarts are not in
// SPEC.md.
func TestHuggingFaceSchedules(t *testing.T) {
	var file struct {
		BaseLR    float64 `json:"base_lr"`
		Tolerance float64
		Cases     []struct {
			Name   string
			Params struct {
				Warmup int `json:"num_warmup_steps"`
				Total  int `json:"num_training_steps"`
			}
			LR []float64
		}
		Convergence struct {
			W0, Target  []float64
			LR          float64
			WeightDecay float64 `json:"weight_decay"`
			Steps       int
			ExpectedW   []float64 `json:"expected_w"`
			Tolerance   float64
		} `json:"adamw_convergence"`
	}
	readThirdParty(t, &file, "vectors", "hf", "schedules.json")
	names := map[string]ScheduleName{"constant": ScheduleConstant, "constant_with_warmup": ScheduleConstant, "cosine_with_warmup": ScheduleWarmupCosine}
	ran := 0
	for _, c := range file.Cases {
		name, ok := names[c.Name]
		if !ok {
			t.Logf("not applicable: %s: SPEC.md has no such schedule", c.Name)
			continue
		}
		ran++
		s := Schedule{Name: name, LR: file.BaseLR, Warmup: c.Params.Warmup, Total: c.Params.Total}
		for step, want := range c.LR {
			if got := must(s.Rate(step)); !(math.Abs(got-want) <= file.Tolerance) {
				t.Errorf("%s: the rate of step %d is %v, Hugging Face has %v", c.Name, step, got, want)
			}
		}
	}
	if ran != len(names) {
		t.Errorf("%d of %d schedules were read", ran, len(names))
	}

	// AdamW finds the minimum of a mean of squares.
	run := file.Convergence
	s := AdamState{run.W0, filled(len(run.W0), 0), filled(len(run.W0), 0)}
	for step := 1; step <= run.Steps; step++ {
		grad := make([]float64, len(s.Param))
		for i, w := range s.Param {
			grad[i] = 2 * (w - run.Target[i]) / float64(len(grad))
		}
		s = Adam(s, grad, run.LR, step, AdamConfig{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: run.WeightDecay, Decoupled: true})
	}
	if len(run.ExpectedW) == 0 {
		t.Error("no minimum was read")
	}
	for i, want := range run.ExpectedW {
		if !(math.Abs(s.Param[i]-want) <= run.Tolerance) {
			t.Errorf("after %d steps of AdamW parameter %d is %v, want %v", run.Steps, i, s.Param[i], want)
		}
	}
}
