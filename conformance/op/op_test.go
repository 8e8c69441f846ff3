package op_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

func f32(shape ...int) op.Tensor { return op.New(op.F32, shape...) }
func i64(shape ...int) op.Tensor { return op.New(op.I64, shape...) }

var absent op.Tensor

// blockConst are the constants of a block or, stacked over layers, of a model between its embeddings and its final norm.
func blockConst(layers []int, d, hd, gd, f int) []op.Tensor {
	var out []op.Tensor
	for _, shape := range [][]int{{d}, {d}, {d, hd}, {hd}, {d, gd}, {gd}, {d, gd}, {gd}, {hd, d}, {d}, {d}, {d}, {d, f}, {f}, {f, d}, {d}} {
		out = append(out, f32(append(slices.Clone(layers), shape...)...))
	}
	return out
}

func gptConst(wpe, lnf, wout bool) []op.Tensor {
	c := []op.Tensor{f32(11, 8), absent}
	if wpe {
		c[1] = f32(16, 8)
	}
	c = append(c, blockConst([]int{2}, 8, 12, 6, 10)...)
	tail := []op.Tensor{absent, absent, absent}
	if lnf {
		tail[0], tail[1] = f32(8), f32(8)
	}
	if wout {
		tail[2] = f32(8, 11)
	}
	return append(c, tail...)
}

func TestShapes(t *testing.T) {
	tests := []struct {
		op, attrs string
		consts    []op.Tensor
		src       []op.Tensor
		want      string // shapes of dst, or a part of the error
		is        error
	}{
		{op: "matmul", src: []op.Tensor{f32(2, 3), f32(3, 5)}, want: "[[2 5]]"},
		{op: "matmul", src: []op.Tensor{f32(4, 2, 3), f32(4, 3, 5)}, want: "[[4 2 5]]"},
		{op: "matmul", attrs: `{"transpose_a":true,"transpose_b":true}`, src: []op.Tensor{f32(3, 2), f32(5, 3)}, want: "[[2 5]]"},
		{op: "matmul", src: []op.Tensor{f32(2, 3), f32(4, 5)}, want: "matmul: b: invalid shape: want K = 3 in [... K N], got [4 5]", is: op.ErrShape},
		{op: "matmul", src: []op.Tensor{f32(4, 2, 3), f32(5, 3, 5)}, want: "b: invalid shape: want leading dimensions [4]", is: op.ErrShape},
		{op: "matmul", src: []op.Tensor{f32(3), f32(3, 5)}, want: "a: invalid shape: want at least 2 dimensions", is: op.ErrShape},
		{op: "matmul", src: []op.Tensor{f32(2, 3)}, want: "want 2 source tensors", is: op.ErrShape},
		{op: "matmul", src: []op.Tensor{f32(2, 3), absent}, want: "b is missing", is: op.ErrShape},
		{op: "matmul", src: []op.Tensor{f32(2, 3), op.New(op.F64, 3, 5)}, want: "b is F64, want F32 like the arguments before it", is: op.ErrDType},
		{op: "matmul", src: []op.Tensor{f32(2, 3), i64(3, 5)}, want: "b is I64, want float", is: op.ErrDType},
		{op: "matmul", src: []op.Tensor{f32(2, 3), {DType: op.F32, Shape: []int{3, 5}, F32: make([]float32, 14)}}, want: "needs 15 elements of F32, got 14", is: op.ErrShape},
		{op: "matmul", src: []op.Tensor{f32(2, 3), {DType: op.F32, Shape: []int{1 << 20, 1 << 20, 5}}}, want: "fewer than 2^40", is: op.ErrShape},
		{op: "matmul", src: []op.Tensor{f32(2, 3), {DType: op.F32, Shape: []int{3, -5}}}, want: "positive dimensions", is: op.ErrShape},
		{op: "matmul", attrs: `{"transpose":true}`, want: `unknown "transpose": did you mean transpose_a or transpose_b?`, is: op.ErrAttrs},
		{op: "matmul", attrs: `{} {}`, want: "after top-level value", is: op.ErrAttrs},
		{op: "matmul", attrs: `{"transpose_a":1}`, want: "transpose_a: want true or false, got number", is: op.ErrAttrs},
		{op: "matmul", attrs: `null`, want: "want a JSON object", is: op.ErrAttrs},
		{op: "sinusoidal_positions", attrs: `{"d_model":1048576}`, src: []op.Tensor{i64(1 << 13)}, want: "y would be [8192 1048576]", is: op.ErrShape},
		{op: "conv2d", want: `unknown op "conv2d": want one of matmul`, is: op.ErrUnknownOp},
		{op: "linear", consts: []op.Tensor{f32(3, 5), absent}, src: []op.Tensor{f32(2, 7, 3)}, want: "[[2 7 5]]"},
		{op: "linear", consts: []op.Tensor{f32(3, 5), f32(5)}, src: []op.Tensor{f32(3)}, want: "[[5]]"},
		{op: "linear", consts: []op.Tensor{f32(3, 5), f32(3)}, src: []op.Tensor{f32(3)}, want: "linear: b: invalid shape: want out = 5", is: op.ErrShape},
		{op: "linear", consts: []op.Tensor{f32(3, 5)}, src: []op.Tensor{f32(3)}, want: "want 2 constant tensors", is: op.ErrShape},
		{op: "softmax", src: []op.Tensor{f32(4, 9)}, want: "[[4 9]]"},
		{op: "log_softmax", src: []op.Tensor{f32(9)}, want: "[[9]]"},
		{op: "relu", src: []op.Tensor{f32(2, 3, 4)}, want: "[[2 3 4]]"},
		{op: "gelu", attrs: `{"approximate":"erf"}`, want: `approximate = "erf": want one of`, is: op.ErrAttrs},
		{op: "layernorm", attrs: `{"eps":-1}`, want: "eps = -1", is: op.ErrAttrs},
		{op: "layernorm", consts: []op.Tensor{f32(4), f32(4)}, src: []op.Tensor{f32(3, 4)}, want: "[[3 4]]"},
		{op: "embedding", consts: []op.Tensor{f32(10, 4)}, src: []op.Tensor{i64(2, 3)}, want: "[[2 3 4]]"},
		{op: "sinusoidal_positions", attrs: `{"d_model":6}`, src: []op.Tensor{i64(3)}, want: "[[3 6]]"},
		{op: "sinusoidal_positions", attrs: `{"d_model":5}`, src: []op.Tensor{i64(3)}, want: "d_model = 5: want an even number", is: op.ErrAttrs},
		{op: "learned_positions", consts: []op.Tensor{f32(9, 4)}, src: []op.Tensor{i64(3)}, want: "[[3 4]]"},
		{op: "attention", src: []op.Tensor{f32(1, 4, 3, 8), f32(1, 2, 5, 8), f32(1, 2, 5, 6), absent}, want: "[[1 4 3 6]]"},
		{op: "attention", src: []op.Tensor{f32(1, 4, 3, 8), f32(1, 2, 5, 8), f32(1, 2, 5, 6), op.New(op.Bool, 1, 1, 3, 5)}, want: "[[1 4 3 6]]"},
		{op: "attention", src: []op.Tensor{f32(1, 4, 3, 64), f32(1, 2, 5, 32), f32(1, 2, 5, 6), absent}, want: "attention: k: invalid shape: want D = 64", is: op.ErrShape},
		{op: "attention", src: []op.Tensor{f32(1, 4, 3, 8), f32(1, 3, 5, 8), f32(1, 3, 5, 6), absent}, want: "k has 3 heads, q has 4", is: op.ErrShape},
		{op: "attention", src: []op.Tensor{f32(2, 4, 3, 8), f32(2, 2, 5, 8), f32(2, 2, 5, 6), f32(3, 1, 3, 5)}, want: "mask: invalid shape: want B|1 = 2", is: op.ErrShape},
		{op: "attention", attrs: `{"window":-1}`, want: "window = -1", is: op.ErrAttrs},
		{op: "attention", attrs: `{"scale":0}`, want: "scale = 0", is: op.ErrAttrs},
		{op: "attention", attrs: `{"softcap":-1}`, want: "softcap = -1", is: op.ErrAttrs},
		{op: "attention.scores", src: []op.Tensor{f32(1, 4, 3, 8), f32(1, 2, 5, 8), absent}, want: "[[1 4 3 5]]"},
		{op: "attention.scores", attrs: `{"stage":"logits"}`, want: `stage = "logits": want one of`, is: op.ErrAttrs},
		{op: "attention.cached", attrs: `{"capacity":8}`, src: []op.Tensor{f32(2, 4, 3, 8), f32(2, 2, 3, 8), f32(2, 2, 3, 8), i64(), absent}, want: "[[2 4 3 8]]"},
		{op: "attention.cached", src: nil, want: "capacity = 0", is: op.ErrAttrs},
		{op: "mha", attrs: `{"heads":2}`, consts: []op.Tensor{f32(8, 6), absent, f32(8, 6), absent, f32(8, 6), absent, f32(6, 8), absent}, src: []op.Tensor{f32(1, 3, 8), absent}, want: "[[1 3 8]]"},
		{op: "mha", attrs: `{"heads":4}`, consts: []op.Tensor{f32(8, 6), absent, f32(8, 6), absent, f32(8, 6), absent, f32(6, 8), absent}, want: "wq has 6 columns", is: op.ErrShape},
		{op: "ffn", consts: []op.Tensor{f32(4, 9), f32(9), f32(9, 4), absent}, src: []op.Tensor{f32(2, 4)}, want: "[[2 4]]"},
		{op: "block", attrs: `{"heads":4,"kv_heads":2}`, consts: blockConst(nil, 8, 12, 6, 10), src: []op.Tensor{f32(2, 3, 8)}, want: "[[2 3 8]]"},
		{op: "gpt", attrs: `{"heads":4,"kv_heads":2}`, consts: gptConst(true, true, false), src: []op.Tensor{i64(2, 3)}, want: "[[2 3 11]]"},
		{op: "gpt", attrs: `{"heads":4,"kv_heads":2,"positions":"none","norm":"post"}`, consts: gptConst(false, false, true), src: []op.Tensor{i64(2, 3)}, want: "[[2 3 11]]"},
		{op: "gpt", attrs: `{"heads":4,"kv_heads":2}`, consts: gptConst(false, true, false), want: "wpe must be given exactly where positions = learned", is: op.ErrShape},
		{op: "gpt", attrs: `{"heads":4,"kv_heads":2}`, consts: gptConst(true, false, false), want: "lnf_gamma and lnf_beta must be given", is: op.ErrShape},
		{op: "gpt.loss", attrs: `{"heads":4,"kv_heads":2,"reduction":"none"}`, consts: gptConst(true, true, false), src: []op.Tensor{i64(2, 3), i64(2, 3)}, want: "[[2 3]]"},
		{op: "gpt.loss", attrs: `{"heads":4,"kv_heads":2}`, consts: gptConst(true, true, false), src: []op.Tensor{i64(2, 3), i64(2, 3)}, want: "[[]]"},
		{op: "gpt.cached", attrs: `{"heads":4,"kv_heads":2,"capacity":16}`, consts: gptConst(true, true, false), src: []op.Tensor{i64(2, 3), i64(), i64(2)}, want: "[[2 3 11]]"},
		{op: "gpt.cached", attrs: `{"heads":4,"kv_heads":2,"capacity":17}`, consts: gptConst(true, true, false), want: "capacity = 17: want at most the 16 positions", is: op.ErrShape},
		{op: "cross_entropy", attrs: `{"reduction":"none"}`, src: []op.Tensor{f32(4, 9), i64(4)}, want: "[[4]]"},
		{op: "cross_entropy", src: []op.Tensor{f32(4, 9), i64(4)}, want: "[[]]"},
		{op: "cross_entropy", attrs: `{"reduction":"avg"}`, want: `reduction = "avg"`, is: op.ErrAttrs},
		{op: "matmul.grad", attrs: `{"transpose_a":true}`, src: []op.Tensor{f32(4, 3, 2), f32(4, 3, 5), f32(4, 2, 5)}, want: "[[4 3 2] [4 3 5]]"},
		{op: "matmul.grad", src: []op.Tensor{f32(2, 3), f32(3, 5), f32(5, 2)}, want: "matmul.grad: dc: invalid shape: want M = 2", is: op.ErrShape},
		{op: "linear.grad", consts: []op.Tensor{f32(3, 5), f32(5)}, src: []op.Tensor{f32(2, 7, 3), f32(2, 7, 5)}, want: "[[3 5] [5] [2 7 3]]"},
		{op: "softmax.grad", src: []op.Tensor{f32(4, 9), f32(4, 9)}, want: "[[4 9]]"},
		{op: "softmax.grad", src: []op.Tensor{f32(4, 9)}, want: "want 2 source tensors", is: op.ErrShape},
		{op: "log_softmax.grad", src: []op.Tensor{f32(9), f32(9)}, want: "[[9]]"},
		{op: "relu.grad", src: []op.Tensor{f32(2, 3, 4), f32(2, 3, 4)}, want: "[[2 3 4]]"},
		{op: "gelu.grad", attrs: `{"approximate":"erf"}`, want: `approximate = "erf": want one of`, is: op.ErrAttrs},
		{op: "layernorm.grad", consts: []op.Tensor{f32(4), f32(4)}, src: []op.Tensor{f32(3, 4), f32(3, 4)}, want: "[[4] [4] [3 4]]"},
		{op: "layernorm.grad", attrs: `{"eps":-1}`, want: "eps = -1", is: op.ErrAttrs},
		{op: "embedding.grad", consts: []op.Tensor{f32(10, 4)}, src: []op.Tensor{i64(2, 3), f32(2, 3, 4)}, want: "[[10 4]]"},
		{op: "attention.grad", src: []op.Tensor{f32(1, 4, 3, 8), f32(1, 2, 5, 8), f32(1, 2, 5, 6), absent, f32(1, 4, 3, 6)}, want: "[[1 4 3 8] [1 2 5 8] [1 2 5 6]]"},
		{op: "attention.grad", src: []op.Tensor{f32(1, 4, 3, 8), f32(1, 3, 5, 8), f32(1, 3, 5, 6), absent, f32(1, 4, 3, 6)}, want: "k has 3 heads, q has 4", is: op.ErrShape},
		{op: "mha.grad", attrs: `{"heads":2}`, consts: []op.Tensor{f32(8, 6), f32(6), f32(8, 6), f32(6), f32(8, 6), f32(6), f32(6, 8), f32(8)},
			src: []op.Tensor{f32(1, 3, 8), absent, f32(1, 3, 8)}, want: "[[8 6] [6] [8 6] [6] [8 6] [6] [6 8] [8] [1 3 8]]"},
		{op: "ffn.grad", consts: []op.Tensor{f32(4, 9), f32(9), f32(9, 4), f32(4)}, src: []op.Tensor{f32(2, 4), f32(2, 4)}, want: "[[4 9] [9] [9 4] [4] [2 4]]"},
		{op: "block.grad", attrs: `{"heads":4,"kv_heads":2}`, consts: blockConst(nil, 8, 12, 6, 10), src: []op.Tensor{f32(2, 3, 8), f32(2, 3, 8)},
			want: "[[8] [8] [8 12] [12] [8 6] [6] [8 6] [6] [12 8] [8] [8] [8] [8 10] [10] [10 8] [8] [2 3 8]]"},
		{op: "gpt.loss.grad", attrs: `{"heads":4,"kv_heads":2,"reduction":"none"}`, consts: gptConst(true, true, true), src: []op.Tensor{i64(2, 3), i64(2, 3), f32()},
			want: "dloss: invalid shape: want 2 dimensions", is: op.ErrShape},
		{op: "gpt.loss.grad", attrs: `{"heads":4,"kv_heads":2}`, consts: gptConst(true, true, true), src: []op.Tensor{i64(2, 3), i64(2, 3), f32()},
			want: "[[11 8] [16 8] [2 8] [2 8] [2 8 12] [2 12] [2 8 6] [2 6] [2 8 6] [2 6] [2 12 8] [2 8] [2 8] [2 8] [2 8 10] [2 10] [2 10 8] [2 8] [8] [8] [8 11]]"},
		{op: "cross_entropy.grad", src: []op.Tensor{f32(4, 9), i64(4), f32()}, want: "[[4 9]]"},
		{op: "cross_entropy.grad", attrs: `{"reduction":"none"}`, src: []op.Tensor{f32(4, 9), i64(4), f32(4)}, want: "[[4 9]]"},
		{op: "text.clean", attrs: `{"nfc":true}`, src: []op.Tensor{i64(7)}, want: "[[21] [] [6]]"},
		{op: "text.encode", consts: []op.Tensor{i64(256), i64(9, 2)}, src: []op.Tensor{i64(7)}, want: "[[7] []]"},
		{op: "text.encode", consts: []op.Tensor{i64(256), absent}, src: []op.Tensor{i64(7)}, want: "[[7] []]"},
		{op: "text.encode", consts: []op.Tensor{i64(255), absent}, want: "want 256 = 256 in [256]", is: op.ErrShape},
		{op: "text.encode", attrs: `{"pretokenize":"gpt4"}`, want: `pretokenize = "gpt4"`, is: op.ErrAttrs},
		{op: "text.decode", attrs: `{"capacity":30}`, consts: []op.Tensor{i64(256), absent}, src: []op.Tensor{i64(7)}, want: "[[30] []]"},
		{op: "text.decode", want: "capacity = 0", is: op.ErrAttrs},
		{op: "text.split", src: []op.Tensor{i64(39)}, want: "[[36] [3]]"},
		{op: "text.split", src: []op.Tensor{i64(2)}, want: "[[1] [1]]"},
		{op: "text.split", attrs: `{"fraction":0.99}`, src: []op.Tensor{i64(10)}, want: "[[1] [9]]"},
		{op: "text.split", src: []op.Tensor{i64(1)}, want: "ids has 1 element", is: op.ErrShape},
		{op: "text.split", attrs: `{"fraction":1}`, want: "fraction = 1", is: op.ErrAttrs},
		{op: "text.pack", attrs: `{"end":0}`, src: []op.Tensor{i64(9), i64(4)}, want: "[[13]]"},
		{op: "text.pack", attrs: `{"end":0,"start":0}`, src: []op.Tensor{i64(9), i64(4)}, want: "[[17]]"},
		{op: "text.pack", want: "end is missing", is: op.ErrAttrs},
		{op: "text.pack", attrs: `{"end":1,"start":-1}`, want: "start = -1", is: op.ErrAttrs},
		{op: "text.batches", attrs: `{"seq":5}`, src: []op.Tensor{i64(9), i64(3)}, want: "[[3 5] [3 5]]"},
		{op: "text.batches", want: "seq = 0", is: op.ErrAttrs},
		{op: "init", attrs: `{"scheme":"xavier_uniform"}`, src: []op.Tensor{i64(3, 4)}, want: "[[3 4]]"},
		{op: "init", attrs: `{"scheme":"kaiming_normal"}`, src: []op.Tensor{i64(3, 4, 2)}, want: "[[3 4]]"},
		{op: "init", attrs: `{"scheme":"normal"}`, src: []op.Tensor{i64(3, 4)}, want: "draws: invalid shape: want 3 dimensions", is: op.ErrShape},
		{op: "init", want: `scheme = "": want one of`, is: op.ErrAttrs},
		{op: "adam", consts: []op.Tensor{f32(2, 3), absent, absent}, src: []op.Tensor{f32(2, 3), f32()}, want: "[[2 3] [2 3] [2 3]]"},
		{op: "adam", consts: []op.Tensor{f32(2, 3), f32(2, 3), absent}, want: "m and v must be given together", is: op.ErrShape},
		{op: "adam", attrs: `{"beta2":1}`, want: "beta2 = 1: want a number in [0, 1)", is: op.ErrAttrs},
		{op: "sgd", consts: []op.Tensor{f32(5), absent}, src: []op.Tensor{f32(5), f32()}, want: "[[5] [5]]"},
		{op: "sgd", consts: []op.Tensor{f32(5), absent}, src: []op.Tensor{f32(5), f32(1)}, want: "lr: invalid shape", is: op.ErrShape},
		{op: "sgd", attrs: `{"nesterov":true}`, want: "want a momentum and no dampening", is: op.ErrAttrs},
		{op: "clip_norm", attrs: `{"max_norm":1}`, src: []op.Tensor{f32(4, 3)}, want: "[[4 3] []]"},
		{op: "clip_norm", want: "max_norm = 0: want a finite number greater than 0", is: op.ErrAttrs},
		{op: "clip_value", attrs: `{"limit":1}`, src: []op.Tensor{f32(4, 3)}, want: "[[4 3]]"},
		{op: "learning_rate", src: []op.Tensor{i64(7)}, want: "[[7]]"},
		{op: "learning_rate", attrs: `{"schedule":"linear"}`, want: `schedule = "linear": want one of`, is: op.ErrAttrs},
		{op: "learning_rate", attrs: `{"schedule":"cosine"}`, want: "total = 0: want more than warmup = 0", is: op.ErrAttrs},
		{op: "learning_rate", attrs: `{"schedule":"cosine","total":9,"warmup":2}`, want: `schedule = "cosine": warmup is given, and not used`, is: op.ErrAttrs},
		{op: "learning_rate", attrs: `{"schedule":"inverse_sqrt"}`, want: "warmup = 0: want at least 1", is: op.ErrAttrs},
		{op: "learning_rate", attrs: `{"schedule":"exponential","gamma":1.5}`, want: "gamma = 1.5: want a number in (0, 1]", is: op.ErrAttrs},
		{op: "learning_rate", attrs: `{"schedule":"step","gamma":0.5}`, want: "step_size = 0: want at least 1", is: op.ErrAttrs},
		{op: "learning_rate", attrs: `{"warmup_offset":1}`, want: "and no warmup uses it", is: op.ErrAttrs},
		{op: "learning_rate", attrs: `{"schedule":"cosine","total":9,"min_lr":2}`, want: "min_lr = 2: want at most lr = 0.001", is: op.ErrAttrs},
		{op: "gpt.train", attrs: `{"heads":4,"kv_heads":2,"no_decay":["bias"]}`, want: `no_decay = "bias": want one of`, is: op.ErrAttrs},
		{op: "gpt.train", attrs: `{"heads":4,"kv_heads":2}`, consts: gptConst(true, true, true), src: []op.Tensor{i64(2, 3, 5), i64(2, 3, 5)},
			want: "[[] [] [] [11 8] [16 8] [2 8] [2 8] [2 8 12] [2 12] [2 8 6] [2 6] [2 8 6] [2 6] [2 12 8] [2 8] [2 8] [2 8] [2 8 10] [2 10] [2 10 8] [2 8] [8] [8] [8 11]]"},
		{op: "rmsnorm", consts: []op.Tensor{f32(5)}, src: []op.Tensor{f32(2, 3, 5)}, want: "[[2 3 5]]"},
		{op: "rmsnorm", attrs: `{"eps":-1}`, consts: []op.Tensor{f32(5)}, want: "eps = -1", is: op.ErrAttrs},
		{op: "rmsnorm.grad", consts: []op.Tensor{f32(5)}, src: []op.Tensor{f32(2, 3, 5), f32(2, 3, 5)}, want: "[[5] [2 3 5]]"},
		{op: "rotary", src: []op.Tensor{f32(2, 3, 4, 6), i64(1, 4)}, want: "[[2 3 4 6]]"},
		{op: "rotary", src: []op.Tensor{f32(2, 3, 4, 6), i64(2, 4)}, want: "[[2 3 4 6]]"},
		{op: "rotary", src: []op.Tensor{f32(2, 3, 4, 6), i64(3, 4)}, want: "want B|1 = 2", is: op.ErrShape},
		{op: "rotary", src: []op.Tensor{f32(2, 3, 4, 5), i64(1, 4)}, want: "x has 5 features", is: op.ErrShape},
		{op: "rotary", attrs: `{"rotary_dim":4}`, src: []op.Tensor{f32(2, 3, 4, 5), i64(1, 4)}, want: "[[2 3 4 5]]"},
		{op: "rotary", attrs: `{"rotary_dim":6}`, src: []op.Tensor{f32(2, 3, 4, 5), i64(1, 4)}, want: "rotary_dim is 6", is: op.ErrShape},
		{op: "rotary", attrs: `{"rotary_dim":5}`, want: "rotary_dim = 5", is: op.ErrAttrs},
		{op: "rotary", attrs: `{"base":0}`, want: "base = 0", is: op.ErrAttrs},
		{op: "rotary", attrs: `{"pairing":"thirds"}`, want: `pairing = "thirds"`, is: op.ErrAttrs},
		{op: "rotary.grad", src: []op.Tensor{f32(2, 3, 4, 6), i64(1, 4), f32(2, 3, 4, 6)}, want: "[[2 3 4 6]]"},
		{op: "swiglu", consts: []op.Tensor{f32(4, 9), f32(9), f32(4, 9), absent, f32(9, 4), absent}, src: []op.Tensor{f32(2, 4)}, want: "[[2 4]]"},
		{op: "swiglu", consts: []op.Tensor{f32(4, 9), absent, f32(4, 8), absent, f32(9, 4), absent}, want: "swiglu: w3: invalid shape: want F = 9", is: op.ErrShape},
		{op: "swiglu", attrs: `{"activation":"silu"}`, want: `unknown "activation"`, is: op.ErrAttrs},
		{op: "swiglu.grad", consts: []op.Tensor{f32(4, 9), absent, f32(4, 9), f32(9), f32(9, 4), f32(4)}, src: []op.Tensor{f32(2, 4), f32(2, 4)},
			want: "[[4 9] [] [4 9] [9] [9 4] [4] [2 4]]"},
		{op: "greedy", src: []op.Tensor{f32(4, 9)}, want: "[[4]]"},
		{op: "distribution", src: []op.Tensor{f32(4, 9)}, want: "[[4 9]]"},
		{op: "distribution", attrs: `{"temperature":-1}`, want: "temperature = -1", is: op.ErrAttrs},
		{op: "distribution", attrs: `{"top_k":-1}`, want: "top_k = -1", is: op.ErrAttrs},
		{op: "distribution", attrs: `{"top_p":1.5}`, want: "top_p = 1.5", is: op.ErrAttrs},
		{op: "sample", src: []op.Tensor{f32(4, 9), i64(4)}, want: "[[4]]"},
		{op: "sample", src: []op.Tensor{f32(4, 9), i64(3)}, want: "draws: invalid shape: want N = 4", is: op.ErrShape},
		{op: "sample", attrs: `{"temperature":"hot"}`, want: "temperature: want a number of float64, got string", is: op.ErrAttrs},
		{op: "beam_search", attrs: `{"beams":3,"max_length":7}`, src: []op.Tensor{f32(5, 9), i64(5, 9), i64(2)}, want: "[[2 3 7] [2 3] [2 3]]"},
		{op: "beam_search", want: "max_length = 0", is: op.ErrAttrs},
		{op: "beam_search", attrs: `{"beams":0,"max_length":7}`, want: "beams = 0", is: op.ErrAttrs},
		{op: "beam_search", attrs: `{"max_length":7,"end":[3,-1]}`, want: "end = [3 -1]", is: op.ErrAttrs},
		{op: "beam_search", attrs: `{"max_length":7,"length_penalty":1}`, want: "want none of them with form = textbook", is: op.ErrAttrs},
		{op: "beam_search", attrs: `{"max_length":7,"form":"hf","early_stopping":"maybe"}`, want: "early_stopping", is: op.ErrAttrs},
		{op: "gpt.generate", attrs: `{"heads":4,"kv_heads":2,"max_new":5}`, consts: gptConst(true, true, false), src: []op.Tensor{i64(2, 3), absent}, want: "[[2 1 5] [2 1] [2 1]]"},
		{op: "gpt.generate", attrs: `{"heads":4,"kv_heads":2,"max_new":5,"start":0}`, consts: gptConst(true, true, false), src: []op.Tensor{absent, absent}, want: "[[1 1 5] [1 1] [1 1]]"},
		{op: "gpt.generate", attrs: `{"heads":4,"kv_heads":2,"max_new":5,"start":0,"strategy":"sample"}`, consts: gptConst(true, true, false), src: []op.Tensor{absent, i64(3, 5)}, want: "[[3 1 5] [3 1] [3 1]]"},
		{op: "gpt.generate", attrs: `{"heads":4,"kv_heads":2,"max_new":5,"strategy":"beam","beams":3}`, consts: gptConst(true, true, false), src: []op.Tensor{i64(2, 3), absent}, want: "[[2 3 5] [2 3] [2 3]]"},
		{op: "gpt.generate", attrs: `{"heads":4,"kv_heads":2,"max_new":5}`, consts: gptConst(true, true, false), src: []op.Tensor{absent, absent}, want: "want a prompt, or a start token", is: op.ErrShape},
		{op: "gpt.generate", attrs: `{"heads":4,"kv_heads":2,"max_new":5,"strategy":"sample"}`, consts: gptConst(true, true, false), src: []op.Tensor{i64(2, 3), absent}, want: "draws must be given exactly where strategy = sample", is: op.ErrShape},
		{op: "gpt.generate", attrs: `{"heads":4,"kv_heads":2,"max_new":5,"strategy":"sample"}`, consts: gptConst(true, true, false), src: []op.Tensor{i64(2, 3), i64(2, 4)}, want: "draws: invalid shape: want N = 5", is: op.ErrShape},
		{op: "gpt.generate", attrs: `{"heads":4,"max_new":5,"beams":3}`, want: "want none of them with strategy = greedy", is: op.ErrAttrs},
		{op: "gpt.generate", attrs: `{"heads":4,"max_new":5,"top_k":3}`, want: "want none of them with strategy = greedy", is: op.ErrAttrs},
	}
	seen := map[string]bool{}
	for _, tt := range tests {
		seen[tt.op] = true
		t.Run(tt.op, func(t *testing.T) {
			dst, err := op.Shapes(op.Spec{Op: tt.op, Attrs: json.RawMessage(tt.attrs), Const: tt.consts}, tt.src, op.F32)
			if tt.is != nil {
				if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("got error %v, want one that wraps %q and says %q", err, tt.is, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var shapes [][]int
			for _, d := range dst {
				shapes = append(shapes, d.Shape)
			}
			if got := fmt.Sprint(shapes); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	for _, name := range op.Names() {
		if !seen[name] {
			t.Errorf("no test of op %s: add its shapes, and an attribute that is refused, to the table of TestShapes in conformance/op/op_test.go", name)
		}
	}
}

func TestFloatResultsFollowTheArguments(t *testing.T) {
	in := []op.Tensor{op.New(op.F64, 3)}
	dst, err := op.Shapes(op.Spec{Op: "softmax"}, in, op.F32)
	if err != nil || dst[0].DType != op.F64 {
		t.Errorf("softmax of F64: got %v, %v, want F64", dst, err)
	}
	dst, err = op.Shapes(op.Spec{Op: "sinusoidal_positions", Attrs: json.RawMessage(`{"d_model":2}`)}, []op.Tensor{i64(3)}, op.F64)
	if err != nil || dst[0].DType != op.F64 {
		t.Errorf("an op without float arguments: got %v, %v, want the storage dtype F64", dst, err)
	}
}

func TestAdapter(t *testing.T) {
	var got op.AttentionArgs
	impl := op.Attention(func(a op.AttentionArgs) error {
		got = a
		a.Out.F32[0] = 7
		return nil
	})
	k, err := impl.Open(op.Spec{Op: "attention", Attrs: json.RawMessage(`{"causal":true}`)})
	if err != nil {
		t.Fatal(err)
	}
	src := []op.Tensor{f32(1, 2, 3, 4), f32(1, 1, 5, 4), f32(1, 1, 5, 6), absent}
	out := f32(1, 2, 3, 6)
	if err := k.Run([]op.Tensor{out}, src); err != nil {
		t.Fatal(err)
	}
	if want := (op.AttentionDims{Batch: 1, Heads: 2, KVHeads: 1, SeqQ: 3, SeqK: 5, HeadDim: 4, ValueDim: 6}); got.Dims() != want {
		t.Errorf("dims: got %+v, want %+v", got.Dims(), want)
	}
	if got.EffectiveScale() != 0.5 || !got.Causal || got.Mask.Present() || out.F32[0] != 7 {
		t.Errorf("scale %v, causal %v, mask %v, out %v", got.EffectiveScale(), got.Causal, got.Mask, out.F32[0])
	}
	if err := k.Run([]op.Tensor{f32(1, 2, 3, 5)}, src); !errors.Is(err, op.ErrShape) {
		t.Errorf("a wrong dst: got %v, want ErrShape", err)
	}
	if _, err := impl.Open(op.Spec{Op: "softmax"}); !errors.Is(err, op.ErrUnsupported) {
		t.Errorf("another op: got %v, want ErrUnsupported", err)
	}
}

// closer is a typed kernel with state, to see what passes through the boundary.
type closer struct{ closed *bool }

func (closer) Run(op.LinearArgs) error { return nil }
func (c closer) Close() error          { *c.closed = true; return nil }

func TestOpenSeesConstantsAndCloses(t *testing.T) {
	var closed bool
	var w op.Tensor
	impl := op.Open(func(a op.LinearArgs) (op.Runner[op.LinearArgs], error) {
		w = a.W
		return closer{&closed}, nil
	})
	k, err := impl.Open(op.Spec{Op: "linear", Const: []op.Tensor{f32(3, 5), absent}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(w.Shape, []int{3, 5}) {
		t.Errorf("w at open: got %v", w.Shape)
	}
	if err := k.(interface{ Close() error }).Close(); err != nil || !closed {
		t.Errorf("Close: %v, closed %v", err, closed)
	}
}

func TestSet(t *testing.T) {
	impl := op.WithFormats(op.Set(
		op.Softmax(func(op.SoftmaxArgs) error { return nil }),
		op.ReLU(func(op.ReLUArgs) error { return nil }),
	), op.Formats{Storage: op.BFloat16Format, Accumulate: op.Float32Format})
	for name, want := range map[string]bool{"softmax": true, "relu": true, "gelu": false} {
		if op.Offers(impl, name) != want {
			t.Errorf("Offers(%s) = %v", name, !want)
		}
		_, err := impl.Open(op.Spec{Op: name})
		if errors.Is(err, op.ErrUnsupported) == want {
			t.Errorf("Open(%s): %v", name, err)
		}
	}
	if f := op.FormatsOf(impl); f.Storage != op.BFloat16Format {
		t.Errorf("formats: got %v", f)
	}
	if _, err := impl.Open(op.Spec{Op: "softmax", Attrs: json.RawMessage(`{"axis":1}`)}); !errors.Is(err, op.ErrAttrs) {
		t.Errorf("a set must pass on other errors: got %v, want ErrAttrs", err)
	}
}

// own is an implementation that does not say what it offers.
type own struct{}

func (own) Open(spec op.Spec) (op.Kernel, error) { return nil, op.Unsupported(spec.Op, "own") }

func TestSetKeepsWhatItsMembersSay(t *testing.T) {
	relu := op.ReLU(func(op.ReLUArgs) error { return nil })
	bf16 := op.Formats{Storage: op.BFloat16Format, Accumulate: op.Float32Format}
	if !op.Offers(op.Set(relu, own{}), "softmax") || !op.Offers(op.WithFormats(op.Set(relu, own{}), bf16), "softmax") {
		t.Error("a member that does not say what it offers may offer softmax")
	}
	if f := op.FormatsOf(op.Set(op.WithFormats(relu, bf16))); f != bf16 {
		t.Errorf("a set of one declared member declares %v", f)
	}
	if f := op.FormatsOf(op.Set(op.WithFormats(relu, bf16), own{})); f.Storage.Valid() == nil {
		t.Errorf("members that declare different formats declare %v", f)
	}
	if f := op.FormatsOf(op.WithFormats(op.Set(op.WithFormats(relu, bf16), own{}), bf16)); f != bf16 {
		t.Errorf("a declaration around the set gives %v", f)
	}
}

func TestAdapterDoesNotAllocate(t *testing.T) {
	impl := op.AttentionCached(func(op.AttentionCachedArgs) (op.Runner[op.AttentionCachedArgs], error) { return nopCached{}, nil })
	k, err := impl.Open(op.Spec{Op: "attention.cached", Attrs: json.RawMessage(`{"capacity":8}`)})
	if err != nil {
		t.Fatal(err)
	}
	src := []op.Tensor{f32(1, 2, 1, 4), f32(1, 1, 1, 4), f32(1, 1, 1, 4), i64(), absent}
	dst := []op.Tensor{f32(1, 2, 1, 4)}
	if n := testing.AllocsPerRun(100, func() {
		if err := k.Run(dst, src); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Run allocates %v times, want 0", n)
	}
}

type nopCached struct{}

func (nopCached) Run(op.AttentionCachedArgs) error { return nil }

// Attributes come from files that others wrote: whatever they hold, the answer is an error.
func FuzzAttrs(f *testing.F) {
	for _, name := range op.Names() {
		for _, attrs := range []string{"", "{}", "null", "[]", `{"heads":-1}`, `{"capacity":1e9,"heads":1}`, `{"d_model":1e300}`, `{"scale":1e999}`, `{"windows":[-1],"heads":3}`} {
			f.Add(name, attrs)
		}
	}
	src := []op.Tensor{f32(2, 2), f32(3, 5)}
	f.Fuzz(func(t *testing.T, name, attrs string) {
		if _, err := op.Shapes(op.Spec{Op: name, Attrs: json.RawMessage(attrs)}, src, op.F32); err == nil {
			t.Errorf("%s %s accepted a 2x2 and a 3x5 matrix", name, attrs)
		}
	})
}
