package mutant

import (
	"math"

	"github.com/assaykit/assay/conformance/op"
)

var learningRateBugs = []bug{
	{"learning-rate-from-one", "learning_rate", "LR-1", "Counts steps from 1.", "", func(p *plain) {
		p.stepOf = func(t int64) (int64, error) {
			t, err := stepOf(t)
			return t + 1, err
		}
	}},
	{"learning-rate-negative-step", "learning_rate", "LR-1", "Takes a negative step for the first.", "", func(p *plain) {
		p.stepOf = func(t int64) (int64, error) { return max(0, t), nil }
	}},
	{"learning-rate-warmup-offset-ignored", "learning_rate", "LR-2", "Warms up with t/W whatever the offset is.", "", scheduled(func(a *op.ScheduleAttrs) {
		if a.Schedule != "inverse_sqrt" {
			a.WarmupOffset = 0
		}
	})},
	{"learning-rate-warmup-offset-always", "learning_rate", "LR-2", "Warms up with (t + 1)/W whatever the offset is.", "", scheduled(func(a *op.ScheduleAttrs) {
		a.WarmupOffset = 1
	})},
	{"learning-rate-warmup-start-ignored", "learning_rate", "LR-2", "Warms up from 0.", "", scheduled(func(a *op.ScheduleAttrs) {
		a.WarmupStart = 0
	})},
	{"learning-rate-warmup-start-added", "learning_rate", "LR-2", "Adds the warmup's start, and rises beyond the peak.", "", func(p *plain) {
		p.warmup = func(t int64, a op.ScheduleAttrs) float64 {
			return a.WarmupStart + float64(t+int64(a.WarmupOffset))/float64(a.Warmup)
		}
	}},
	{"learning-rate-warmup-from-floor", "learning_rate", "LR-2", "Warms up from min_lr.", "", func(p *plain) {
		p.warmup = func(t int64, a op.ScheduleAttrs) float64 { return max(a.MinLR/a.LR, warmup(t, a)) }
	}},
	{"learning-rate-cosine-from-zero", "learning_rate", "LR-3", "Starts the cosine at step 0, behind the warmup.", "", func(p *plain) {
		p.progress = func(t int64, a op.ScheduleAttrs) float64 { return min(1, float64(t)/float64(a.Total)) }
	}},
	{"learning-rate-cosine-after-total", "learning_rate", "LR-3", "Lets the cosine take total steps after the warmup.", "", func(p *plain) {
		p.progress = func(t int64, a op.ScheduleAttrs) float64 { return min(1, float64(t-int64(a.Warmup))/float64(a.Total)) }
	}},
	{"learning-rate-cosine-ends-early", "learning_rate", "LR-3", "Ends the cosine at total - 1.", "", func(p *plain) {
		p.progress = func(t int64, a op.ScheduleAttrs) float64 {
			return min(1, float64(t-int64(a.Warmup))/float64(max(1, a.Total-a.Warmup-1)))
		}
	}},
	{"learning-rate-floor-added", "learning_rate", "LR-3", "Adds min_lr to the cosine of the whole rate.", "", func(p *plain) {
		p.cosine = func(x float64, a op.ScheduleAttrs) float64 { return a.MinLR + a.LR*(1+math.Cos(math.Pi*x))/2 }
	}},
	{"learning-rate-linear", "learning_rate", "LR-3", "Falls in a line.", "", func(p *plain) {
		p.cosine = func(x float64, a op.ScheduleAttrs) float64 { return a.LR - (a.LR-a.MinLR)*x }
	}},
	{"learning-rate-rises-again", "learning_rate", "LR-4", "Lets the cosine rise again after its end.", "PyTorch's CosineAnnealingLR", func(p *plain) {
		p.progress = func(t int64, a op.ScheduleAttrs) float64 {
			return float64(t-int64(a.Warmup)) / float64(a.Total-a.Warmup)
		}
	}},
	{"learning-rate-zero-after-total", "learning_rate", "LR-4", "Is 0 from total on.", "", func(p *plain) {
		p.cosine = func(x float64, a op.ScheduleAttrs) float64 {
			if x == 1 {
				return 0
			}
			return cosine(x, a)
		}
	}},
	{"learning-rate-gamma-floor-ignored", "learning_rate", "LR-5", "Falls below min_lr.", "", func(p *plain) {
		p.floored = func(rate float64, _ op.ScheduleAttrs) float64 { return rate }
	}},
	{"learning-rate-step-late", "learning_rate", "LR-5", "Takes each step of the schedule one step late.", "", func(p *plain) {
		p.gammaPow = func(t int64, a op.ScheduleAttrs) float64 {
			if a.Schedule == "step" {
				t = max(0, t-1)
			}
			return gammaPow(t, a)
		}
	}},
	{"learning-rate-step-smooth", "learning_rate", "LR-5", "Does not round t / step_size down.", "", func(p *plain) {
		p.gammaPow = func(t int64, a op.ScheduleAttrs) float64 {
			return math.Pow(a.Gamma, float64(t)/float64(max(1, a.StepSize)))
		}
	}},
	{"learning-rate-gamma-once", "learning_rate", "LR-5", "Multiplies by gamma once.", "", func(p *plain) {
		p.gammaPow = func(t int64, a op.ScheduleAttrs) float64 {
			if t < int64(max(1, a.StepSize)) {
				return 1
			}
			return a.Gamma
		}
	}},
	{"learning-rate-root-from-zero", "learning_rate", "LR-6", "Counts steps from 0 after the warmup of inverse_sqrt.", "", func(p *plain) {
		p.rootRate = func(t int64, a op.ScheduleAttrs) float64 { return a.LR * math.Sqrt(float64(a.Warmup)/float64(t)) }
	}},
	{"learning-rate-root-overflows", "learning_rate", "LR-6", "Adds 1 to the last step that 64 bits can count.", "", func(p *plain) {
		p.rootRate = func(t int64, a op.ScheduleAttrs) float64 { return a.LR * math.Sqrt(float64(a.Warmup)/float64(t+1)) }
	}},
	{"learning-rate-root-of-warmup-missing", "learning_rate", "LR-6", "Does not multiply inverse_sqrt by the root of the warmup.", "", func(p *plain) {
		p.rootRate = func(t int64, a op.ScheduleAttrs) float64 { return a.LR / math.Sqrt(float64(t)+1) }
	}},
	{"learning-rate-float32", "learning_rate", "LR-7", "Forms rates in float32.", "", func(p *plain) {
		p.progress = func(t int64, a op.ScheduleAttrs) float64 { return float64(float32(progress(t, a))) }
		p.cosine = func(x float64, a op.ScheduleAttrs) float64 {
			lr, floor := float32(a.LR), float32(a.MinLR)
			return float64(floor + (lr-floor)*(1+float32(math.Cos(float64(float32(math.Pi)*float32(x)))))/2)
		}
		p.gammaPow = func(t int64, a op.ScheduleAttrs) float64 {
			power := float32(1)
			if a.Schedule == "step" {
				t /= int64(a.StepSize)
			}
			for range min(t, 1<<12) {
				power *= float32(a.Gamma)
			}
			return float64(power)
		}
	}},
}

// clippedApart clips each tensor by its own norm.
func clippedApart(p *plain, grads [][]float32, maxNorm float32) {
	for _, g := range grads {
		p.clipJointly([][]float32{g}, p.norm(g), maxNorm)
	}
}

var gptTrainBugs = []bug{
	{"gpt-train-mean-of-means", "gpt.train", "TRAIN-1", "Averages the means of micro-batches.", "", func(p *plain) {
		p.targetWeight = func(_, micros, inMicro, _ int) float32 { return 1 / float32(max(1, inMicro)) / float32(micros) }
	}},
	{"gpt-train-sum-of-means", "gpt.train", "TRAIN-1", "Adds the means of micro-batches.", "", func(p *plain) {
		p.targetWeight = func(_, _, inMicro, _ int) float32 { return 1 / float32(max(1, inMicro)) }
	}},
	{"gpt-train-last-micro-batch", "gpt.train", "TRAIN-1", "Keeps the gradient of the last micro-batch only.", "", func(p *plain) {
		p.targetWeight = func(micro, micros, inMicro, _ int) float32 {
			if micro < micros-1 {
				return 0
			}
			return 1 / float32(max(1, inMicro))
		}
	}},
	{"gpt-train-tied-output-missing", "gpt.train", "TRAIN-2", "Leaves the use of the tied weights as output matrix out.", "", func(p *plain) {
		p.tie = func(embedding, _ matrix) matrix { return embedding }
	}},
	{"gpt-train-positions-frozen", "gpt.train", "TRAIN-2", "Does not train the positions.", "", func(p *plain) {
		p.positionRows = func(dy matrix, seqLen int) matrix { return newMatrix(seqLen, dy.cols) }
	}},
	{"gpt-train-norm-after-clipping", "gpt.train", "TRAIN-3", "Returns the norm after clipping.", "", running(func(next op.Kernel) kernel {
		return func(dst, src []op.Tensor) error {
			err := next.Run(dst, src)
			if err == nil {
				dst[1].F32[0] = min(dst[1].F32[0], 1)
			}
			return err
		}
	})},
	{"gpt-train-old-parameters", "gpt.train", "TRAIN-3", "Returns the parameters of before the step.", "", func(p *plain) {
		p.around = func(next op.Kernel) op.Kernel {
			var previous [][]float32
			return kernel(func(dst, src []op.Tensor) error {
				err := next.Run(dst, src)
				for i := 3; i < len(dst) && err == nil; i++ {
					now := append([]float32(nil), dst[i].F32...)
					if n := i - 3; n < len(previous) {
						copy(dst[i].F32, previous[n])
						previous[n] = now
					} else {
						previous = append(previous, now)
					}
				}
				return err
			})
		}
	}},
	{"gpt-train-clip-per-tensor", "gpt.train", "TRAIN-4", "Clips each tensor by its own norm.", "", func(p *plain) {
		p.clipAll = func(grads [][]float32, _, maxNorm float32) { clippedApart(p, grads, maxNorm) }
	}},
	{"gpt-train-clip-ignored", "gpt.train", "TRAIN-4", "Does not clip.", "", func(p *plain) {
		p.clipAll = func([][]float32, float32, float32) {}
	}},
	{"gpt-train-norm-of-largest", "gpt.train", "TRAIN-4", "Takes the largest norm of a tensor for that of all.", "", func(p *plain) {
		p.gradNorm = func(grads [][]float32) float32 {
			var largest float32
			for _, g := range grads {
				largest = max(largest, p.norm(g))
			}
			return largest
		}
	}},
	{"gpt-train-rate-of-next", "gpt.train", "TRAIN-5", "Uses the rate of the step after.", "", func(p *plain) {
		p.stepRate = func(run int) int64 { return int64(run) + 1 }
	}},
	{"gpt-train-rate-constant", "gpt.train", "TRAIN-5", "Uses the rate of the first step for all.", "", func(p *plain) {
		p.stepRate = func(int) int64 { return 0 }
	}},
	{"gpt-train-correction-constant", "gpt.train", "TRAIN-6", "Corrects the bias of every step as that of the first.", "", func(p *plain) {
		p.adamT = func(int) int { return 1 }
	}},
	{"gpt-train-moments-restart", "gpt.train", "TRAIN-6", "Forgets the moments after each step.", "", func(p *plain) {
		p.shared = func(states []*adam) []*adam {
			for _, s := range states {
				if s != nil {
					clear(s.m)
					clear(s.v)
				}
			}
			return states
		}
	}},
	{"gpt-train-decoupled-ignored", "gpt.train", "TRAIN-6", "Couples weight decay always.", "", func(p *plain) {
		p.decay = func(a decayed) (float32, float32) { a.decoupled = false; return decay(a) }
	}},
	{"gpt-train-decay-of-all", "gpt.train", "TRAIN-7", "Spares no parameter from weight decay.", "", func(p *plain) {
		p.spared = func(string, []string) bool { return false }
	}},
	{"gpt-train-decay-of-norms", "gpt.train", "TRAIN-7", "Spares biases, but not normalizations.", "", func(p *plain) {
		p.spared = func(group string, noDecay []string) bool { return group != "norms" && slicesContains(group, noDecay) }
	}},
	{"gpt-train-embeddings-spared", "gpt.train", "TRAIN-7", "Spares embeddings always.", "", func(p *plain) {
		p.spared = func(group string, noDecay []string) bool {
			return group == "embeddings" || slicesContains(group, noDecay)
		}
	}},
	{"gpt-train-no-decay-fixed", "gpt.train", "TRAIN-7", "Spares biases and normalizations whatever the attribute says.", "", func(p *plain) {
		p.spared = func(group string, _ []string) bool { return group == "biases" || group == "norms" }
	}},
	{"gpt-train-empty-batch-skipped", "gpt.train", "TRAIN-8", "Skips the step where all targets are ignored.", "", func(p *plain) {
		p.skip = func(counted int) bool { return counted == 0 }
	}},
	{"gpt-train-mean-of-none", "gpt.train", "TRAIN-8", "Gives 0/0 where all targets are ignored.", "", func(p *plain) {
		p.targetWeight = func(_, _, _, inBatch int) float32 { return 1 / float32(inBatch) }
	}},
	{"gpt-train-norm-not-finite", "gpt.train", "TRAIN-9", "Takes a step with a norm that is not finite.", "", func(p *plain) {
		p.acceptNorm = func(float32) bool { return true }
	}},
	{"gpt-train-id-clamped", "gpt.train", "TRAIN-9", "Clamps ids to the vocabulary.", "", func(p *plain) {
		p.tokenRow = func(id int64, vocab int) (int, error) { return int(min(max(id, 0), int64(vocab-1))), nil }
	}},
	{"gpt-train-failed-step-counts", "gpt.train", "TRAIN-10", "Counts a step that failed.", "", func(p *plain) {
		p.failedStep = func(r *trainer) { r.runs++ }
	}},
	{"gpt-train-failed-step-decays", "gpt.train", "TRAIN-10", "Lets the moments decay in a step that failed.", "", func(p *plain) {
		p.failedStep = func(r *trainer) {
			for _, s := range r.states {
				for i := range s.len() {
					s.m[i] *= 0.9
				}
			}
		}
	}},
}
