package benchmarks

import (
	"errors"
	"math"
	"testing"

	"github.com/assaykit/assay/conformance/op"
)

func f32(shape ...int) op.Tensor { return op.New(op.F32, shape...) }
func i64(x ...int64) op.Tensor   { return op.Int64(x, len(x)) }

// blockConst are the constants of a block with d = 4, 2 heads of 3 over 1 KV head and F = 5; lead is [L] where they are stacked.
func blockConst(lead ...int) []op.Tensor {
	var out []op.Tensor
	for _, shape := range [][]int{{4}, {4}, {4, 6}, {6}, {4, 3}, {3}, {4, 3}, {3}, {6, 4}, {4}, {4}, {4}, {4, 5}, {5}, {5, 4}, {4}} {
		out = append(out, f32(append(append([]int{}, lead...), shape...)...))
	}
	return out
}

// gptConst are those of a model of 2 such layers, 7 tokens and 8 positions, tied unless wout is given.
func gptConst(wpe, wout op.Tensor) []op.Tensor {
	b := blockConst(2)
	return append(append([]op.Tensor{f32(7, 4), wpe}, b...), f32(4), f32(4), wout)
}

func TestCost(t *testing.T) {
	const (
		// One block over 3 tokens, causal. Projections q 3*(2*4*6+6) = 162, k and v 3*(2*4*3+3) = 81 each, o 3*(2*6*4+4) = 156.
		// Attention: 2 heads * (1+2+3) pairs * (4*3+6) = 216. FFN 3*(2*4*5+5) + 9*15 + 3*(2*5*4+4) = 135+135+132 = 402.
		// Two norms 2*7*12 = 168, two sums 24.
		block = 162 + 81 + 81 + 156 + 216 + 402 + 168 + 24
		// LN 16, q 30, k and v 15 each, o 28, w1 25, w2 24.
		blockSize = 16 + 30 + 15 + 15 + 28 + 25 + 24
		// The same over 1 token after 2: a third of everything but attention, which has 2 heads * 3 pairs.
		step = (block-216)/3 + 2*3*18
		// The block backward. Weights of q, k, v: twice the forward product and the bias once; dx is a sum of three; 12 pairs at 4*3 + 4*3 + 5.
		mhaBack = 2*144 + 18 + 2*(2*72+9) + 12*29 + 24
		// Besides: wo 288 and 12, ffn 240 and 15, GELU 17*15, 240 and 12; two norms 2*11*12, two sums.
		blockBack = mhaBack + 300 + 255 + 255 + 252 + 264 + 24
	)
	inf := float32(math.Inf(-1))
	gptAttrs := `{"heads":2,"kv_heads":1,"activation":"gelu_tanh"`
	for _, tt := range []struct {
		name, op, attrs string
		consts, src     []op.Tensor
		flops, bytes    float64
	}{
		{"matmul", "matmul", "", nil, []op.Tensor{f32(2, 3, 5), f32(2, 5, 4)}, 2 * 2 * 3 * 5 * 4, 4 * (30 + 40 + 24)},
		{"matmul transposed", "matmul", `{"transpose_a":true,"transpose_b":true}`, nil, []op.Tensor{f32(5, 3), f32(4, 5)}, 2 * 3 * 5 * 4, 4 * (15 + 20 + 12)},
		{"linear", "linear", "", []op.Tensor{f32(5, 4), {}}, []op.Tensor{f32(3, 5)}, 2 * 3 * 5 * 4, 4 * (20 + 15 + 12)},
		{"linear with bias", "linear", "", []op.Tensor{f32(5, 4), f32(4)}, []op.Tensor{f32(3, 5)}, 2*3*5*4 + 12, 4 * (20 + 4 + 15 + 12)},
		{"linear F64", "linear", "", []op.Tensor{op.New(op.F64, 5, 4), {}}, []op.Tensor{op.New(op.F64, 3, 5)}, 2 * 3 * 5 * 4, 8 * (20 + 15 + 12)},
		{"softmax", "softmax", "", nil, []op.Tensor{f32(2, 9)}, 5 * 18, 4 * 36},
		{"log_softmax", "log_softmax", "", nil, []op.Tensor{f32(2, 9)}, 5 * 18, 4 * 36},
		{"relu", "relu", "", nil, []op.Tensor{f32(9)}, 9, 4 * 18},
		{"gelu", "gelu", "", nil, []op.Tensor{f32(9)}, 45, 4 * 18},
		{"gelu tanh", "gelu", `{"approximate":"tanh"}`, nil, []op.Tensor{f32(9)}, 81, 4 * 18},
		{"layernorm", "layernorm", "", []op.Tensor{f32(5), f32(5)}, []op.Tensor{f32(3, 5)}, 7 * 15, 4 * (10 + 30)},
		{"embedding", "embedding", "", []op.Tensor{f32(100, 6)}, []op.Tensor{i64(1, 2, 3)}, 0, 4*18 + 8*3 + 4*18},
		{"sinusoidal", "sinusoidal_positions", `{"d_model":6}`, nil, []op.Tensor{i64(1, 2)}, 24, 8*2 + 4*12},
		{"learned", "learned_positions", "", []op.Tensor{f32(100, 6)}, []op.Tensor{i64(1, 2)}, 0, 4*12 + 8*2 + 4*12},
		// 2 heads over 1, 3 queries, 5 keys, D 4, Dv 6: 26 a pair.
		{"attention", "attention", "", nil, []op.Tensor{f32(1, 2, 3, 4), f32(1, 1, 5, 4), f32(1, 1, 5, 6), {}}, 2 * 15 * 26, 4 * (24 + 20 + 30 + 36)},
		{"attention causal", "attention", `{"causal":true}`, nil, []op.Tensor{f32(1, 2, 3, 4), f32(1, 1, 5, 4), f32(1, 1, 5, 6), {}}, 2 * (3 + 4 + 5) * 26, 4 * 110},
		{"attention more queries than keys", "attention", `{"causal":true}`, nil, []op.Tensor{f32(1, 1, 5, 4), f32(1, 1, 3, 4), f32(1, 1, 3, 6), {}}, (0 + 0 + 1 + 2 + 3) * 26, 4 * (20 + 12 + 18 + 30)},
		{"attention window", "attention", `{"causal":true,"window":2}`, nil, []op.Tensor{f32(1, 2, 3, 4), f32(1, 1, 5, 4), f32(1, 1, 5, 6), {}}, 2 * (2 + 2 + 2) * 26, 4 * 110},
		{"attention symmetric window", "attention", `{"window":2}`, nil, []op.Tensor{f32(1, 1, 4, 4), f32(1, 1, 4, 4), f32(1, 1, 4, 6), {}}, (2 + 3 + 3 + 2) * 26, 4 * (16 + 16 + 24 + 24)},
		{"attention soft cap", "attention", `{"softcap":2}`, nil, []op.Tensor{f32(1, 2, 3, 4), f32(1, 1, 5, 4), f32(1, 1, 5, 6), {}}, 2 * 15 * 29, 4 * 110},
		{"attention.scores scaled", "attention.scores", `{"stage":"scores","causal":true,"softcap":2}`, nil, []op.Tensor{f32(1, 2, 3, 4), f32(1, 1, 5, 4), {}}, 2 * 15 * 9, 4 * (24 + 20 + 30)},
		{"attention.scores capped", "attention.scores", `{"stage":"capped","softcap":2}`, nil, []op.Tensor{f32(1, 2, 3, 4), f32(1, 1, 5, 4), {}}, 2 * 15 * 12, 4 * 74},
		{"attention.scores weights", "attention.scores", `{"causal":true}`, nil, []op.Tensor{f32(1, 2, 3, 4), f32(1, 1, 5, 4), {}}, 2 * (3 + 4 + 5) * 14, 4 * 74},
		{"attention.scores float mask", "attention.scores", `{"stage":"masked"}`, nil, []op.Tensor{f32(1, 1, 2, 4), f32(1, 1, 3, 4), f32(1, 1, 2, 3)}, 6 * 10, 4 * (8 + 12 + 6 + 6)},
		{"attention bool mask", "attention", `{"causal":true}`, nil,
			[]op.Tensor{f32(2, 2, 2, 4), f32(2, 1, 2, 4), f32(2, 1, 2, 6), op.Bools([]bool{true, true, false, true}, 1, 1, 2, 2)},
			4 * 2 * 26, 4*(32+16+24+48) + 4},
		{"attention float mask", "attention", "", nil,
			[]op.Tensor{f32(1, 2, 2, 4), f32(1, 2, 2, 4), f32(1, 2, 2, 6), op.Float32([]float32{0, inf, 1, 2, inf, inf, inf, 0}, 1, 2, 2, 2)},
			(3 + 1) * 27, 4 * (16 + 16 + 24 + 24 + 8)},
		// 3 kept, 2 new, 2 heads over 1, D 4, Dv 6: pairs 2*(4+5); entries of 40 bytes, 3 read and 2 written.
		{"attention.cached", "attention.cached", `{"capacity":8}`, nil,
			[]op.Tensor{f32(1, 2, 2, 4), f32(1, 1, 2, 4), f32(1, 1, 2, 6), op.Int64([]int64{3}), {}}, 2 * 9 * 26, 4*(16+8+12+24) + 8 + 40*5},
		{"attention.cached window", "attention.cached", `{"capacity":8,"window":2}`, nil,
			[]op.Tensor{f32(1, 2, 2, 4), f32(1, 1, 2, 4), f32(1, 1, 2, 6), op.Int64([]int64{3}), {}}, 2 * 4 * 26, 4*(16+8+12+24) + 8 + 40*(1+2)},
		{"mha", "mha", `{"heads":2,"kv_heads":1,"causal":true}`, append(append([]op.Tensor{}, blockConst()[2:9]...), op.Tensor{}),
			[]op.Tensor{f32(1, 3, 4), {}}, 162 + 81 + 81 + 144 + 216, 4 * (30 + 15 + 15 + 24 + 12 + 12)},
		{"ffn", "ffn", `{"activation":"relu"}`, []op.Tensor{f32(4, 5), f32(5), f32(5, 4), {}}, []op.Tensor{f32(3, 4)}, 135 + 15 + 120, 4 * (25 + 20 + 24)},
		{"block", "block", `{"heads":2,"kv_heads":1,"activation":"gelu_tanh","causal":true}`, blockConst(), []op.Tensor{f32(1, 3, 4)}, block, 4 * (blockSize + 24)},
		// Two layers, 3 tokens: learned positions 12, final norm 7*12, logits 2*12*7. Of 8 positions 3 rows count.
		{"gpt", "gpt", gptAttrs + "}", gptConst(f32(8, 4), op.Tensor{}), []op.Tensor{op.Int64(make([]int64, 3), 1, 3)},
			2*block + 12 + 84 + 168, 4*(28+12+2*blockSize+8+21) + 8*3},
		{"gpt untied", "gpt", gptAttrs + `,"positions":"sinusoidal","scale_embedding":true}`, gptConst(op.Tensor{}, f32(4, 7)),
			[]op.Tensor{op.Int64(make([]int64, 3), 1, 3)}, 2*block + 12 + 36 + 84 + 168, 4*(12+2*blockSize+8+28+21) + 8*3},
		{"gpt banded", "gpt", gptAttrs + `,"windows":[0,1]}`, gptConst(f32(8, 4), op.Tensor{}), []op.Tensor{op.Int64(make([]int64, 3), 1, 3)},
			2*block - 2*3*18 + 12 + 84 + 168, 4*(28+12+2*blockSize+8+21) + 8*3},
		{"gpt.loss", "gpt.loss", gptAttrs + "}", gptConst(f32(8, 4), op.Tensor{}),
			[]op.Tensor{op.Int64(make([]int64, 3), 1, 3), op.Int64([]int64{1, -100, 2}, 1, 3)},
			2*block + 12 + 84 + 168 + 2*30 + 3, 4*(28+12+2*blockSize+8+1) + 8*6},
		// One token after 2: an entry is 2*3 floats a layer, 2 read and 1 written.
		{"gpt.cached", "gpt.cached", gptAttrs + `,"capacity":8}`, gptConst(f32(8, 4), op.Tensor{}),
			[]op.Tensor{op.Int64([]int64{0}, 1, 1), op.Int64([]int64{2}), {}},
			2*step + 4 + 28 + 56, 4*(28+4+2*blockSize+8+7) + 8*2 + 2*24*3},
		{"cross_entropy", "cross_entropy", "", nil, []op.Tensor{f32(3, 9), i64(0, -100, 8)}, 2*38 + 3, 4*27 + 8*3 + 4},
		{"cross_entropy none", "cross_entropy", `{"reduction":"none"}`, nil, []op.Tensor{f32(3, 9), i64(0, 1, 8)}, 3 * 38, 4*27 + 8*3 + 4*3},
		{"matmul.grad", "matmul.grad", "", nil, []op.Tensor{f32(2, 3, 5), f32(2, 5, 4), f32(2, 3, 4)}, 4 * 2 * 3 * 5 * 4, 4 * (30 + 40 + 24 + 30 + 40)},
		{"linear.grad", "linear.grad", "", []op.Tensor{f32(5, 4), f32(4)}, []op.Tensor{f32(3, 5), f32(3, 4)}, 4*3*5*4 + 12, 4 * 2 * (20 + 4 + 15 + 6)},
		{"softmax.grad", "softmax.grad", "", nil, []op.Tensor{f32(2, 9), f32(2, 9)}, 9 * 18, 4 * 54},
		{"log_softmax.grad", "log_softmax.grad", "", nil, []op.Tensor{f32(2, 9), f32(2, 9)}, 8 * 18, 4 * 54},
		{"relu.grad", "relu.grad", "", nil, []op.Tensor{f32(9), f32(9)}, 9, 4 * 27},
		{"gelu.grad", "gelu.grad", "", nil, []op.Tensor{f32(9), f32(9)}, 99, 4 * 27},
		{"gelu.grad tanh", "gelu.grad", `{"approximate":"tanh"}`, nil, []op.Tensor{f32(9), f32(9)}, 153, 4 * 27},
		{"layernorm.grad", "layernorm.grad", "", []op.Tensor{f32(5), f32(5)}, []op.Tensor{f32(3, 5), f32(3, 5)}, 16 * 15, 4 * (20 + 45)},
		{"rmsnorm", "rmsnorm", "", []op.Tensor{f32(5)}, []op.Tensor{f32(3, 5)}, 4 * 15, 4 * (5 + 30)},
		{"rmsnorm.grad", "rmsnorm.grad", "", []op.Tensor{f32(5)}, []op.Tensor{f32(3, 5), f32(3, 5)}, 11 * 15, 4 * (10 + 45)},
		// 2 heads of 2 items at 3 positions, 4 of 6 features; 3 positions of 2 pairs.
		{"rotary", "rotary", `{"rotary_dim":4}`, nil, []op.Tensor{f32(2, 2, 3, 6), op.Int64(make([]int64, 3), 1, 3)}, 3*48 + 3*6, 4*2*72 + 8*3},
		{"rotary.grad", "rotary.grad", "", nil, []op.Tensor{f32(1, 1, 3, 4), op.Int64(make([]int64, 3), 1, 3), f32(1, 1, 3, 4)}, 3*12 + 3*6, 4*3*12 + 8*3},
		// 3 rows of 4, 5 hidden: a product is 120; biases of the gate and the result, 15 and 12.
		{"swiglu", "swiglu", "", []op.Tensor{f32(4, 5), f32(5), f32(4, 5), {}, f32(5, 4), f32(4)}, []op.Tensor{f32(3, 4)}, 3*120 + 15 + 12 + 5*15, 4 * (60 + 9 + 24)},
		{"swiglu.grad", "swiglu.grad", "", []op.Tensor{f32(4, 5), f32(5), f32(4, 5), {}, f32(5, 4), f32(4)}, []op.Tensor{f32(3, 4), f32(3, 4)},
			2*120 + 15 + 5*15 + 6*120 + 15 + 12 + 8*15 + 12, 4 * (2*(60+9) + 3*12)},
		{"embedding.grad", "embedding.grad", "", []op.Tensor{f32(100, 6)}, []op.Tensor{i64(1, 2, 3), f32(3, 6)}, 18, 8*3 + 4*18 + 4*600},
		// 30 pairs as above: 6 D + 4 Dv + 11 = 59 each.
		{"attention.grad", "attention.grad", "", nil, []op.Tensor{f32(1, 2, 3, 4), f32(1, 1, 5, 4), f32(1, 1, 5, 6), {}, f32(1, 2, 3, 6)}, 30 * 59, 4 * (2*74 + 36)},
		{"attention.grad soft cap", "attention.grad", `{"softcap":2,"causal":true}`, nil,
			[]op.Tensor{f32(1, 2, 3, 4), f32(1, 1, 5, 4), f32(1, 1, 5, 6), {}, f32(1, 2, 3, 6)}, 24 * 65, 4 * (2*74 + 36)},
		{"mha.grad", "mha.grad", `{"heads":2,"kv_heads":1,"causal":true}`, append(append([]op.Tensor{}, blockConst()[2:9]...), op.Tensor{}),
			[]op.Tensor{f32(1, 3, 4), {}, f32(1, 3, 4)}, 162 + 81 + 81 + 216 + mhaBack + 288, 4 * (2*(30+15+15+24) + 3*12)},
		{"ffn.grad", "ffn.grad", `{"activation":"relu"}`, []op.Tensor{f32(4, 5), f32(5), f32(5, 4), {}}, []op.Tensor{f32(3, 4), f32(3, 4)},
			135 + 15 + 255 + 15 + 240, 4 * (2*(25+20) + 3*12)},
		{"block.grad", "block.grad", `{"heads":2,"kv_heads":1,"activation":"gelu_tanh","causal":true}`, blockConst(), []op.Tensor{f32(1, 3, 4), f32(1, 3, 4)},
			block - 132 - 12 + blockBack, 4 * (2*blockSize + 36)},
		// Backward beyond the blocks: final norm 11*12, positions and embeddings 12 each, logits 4*12*7, and 2*7 for each of two rows of p.
		{"gpt.loss.grad", "gpt.loss.grad", gptAttrs + "}", gptConst(f32(8, 4), op.Tensor{}),
			[]op.Tensor{op.Int64(make([]int64, 3), 1, 3), op.Int64([]int64{1, -100, 2}, 1, 3), f32()},
			2*block + 12 + 84 + 168 + 63 + 2*blockBack + 132 + 24 + 336 + 28, 4*(28+12+2*blockSize+8+1+28+32+2*blockSize+8) + 8*6},
		{"cross_entropy.grad", "cross_entropy.grad", "", nil, []op.Tensor{f32(3, 9), i64(0, -100, 8), f32()}, 2 * 55, 4*27 + 8*3 + 4 + 4*27},
		{"greedy", "greedy", "", nil, []op.Tensor{f32(3, 9)}, 27, 4*27 + 8*3},
		{"distribution", "distribution", "", nil, []op.Tensor{f32(3, 9)}, 6 * 27, 4 * 54},
		{"sample", "sample", "", nil, []op.Tensor{f32(3, 9), i64(0, 0, 0)}, 7 * 27, 4*27 + 8*6},
		// Two searches of 1 + 3*3 rows.
		{"beam_search", "beam_search", `{"beams":3,"max_length":4}`, nil, []op.Tensor{f32(5, 9), op.New(op.I64, 5, 9), i64(0, 1)},
			2 * 10 * 5 * 9, 4*45 + 8*45 + 8*2 + 8*24 + 8*6 + 4*6},
		// A prompt of 2, then one step of 3 beams after it: logits of one row each, 2*4*7, and 5*7 for the choice.
		{"gpt.generate", "gpt.generate", gptAttrs + `,"strategy":"beam","beams":3,"max_new":2}`, gptConst(f32(8, 4), op.Tensor{}),
			[]op.Tensor{op.Int64(make([]int64, 2), 1, 2), {}},
			2*(2*(block-216)/3+3*36) + 2*(4+28) + 56 + 35 + 3*(2*step+4+28+56+35), 4*2*(28+32+2*blockSize+8) + 8*2 + 8*6 + 8*3 + 4*3},
		{"init", "init", `{"scheme":"xavier_uniform"}`, nil, []op.Tensor{op.New(op.I64, 2, 3)}, 12, 8*6 + 4*6},
		{"init normal", "init", `{"scheme":"normal"}`, nil, []op.Tensor{op.New(op.I64, 2, 3, 2)}, 36, 8*12 + 4*6},
		{"adam", "adam", "", []op.Tensor{f32(9), {}, {}}, []op.Tensor{f32(9), f32()}, 14 * 9, 4 * (9 + 9 + 1 + 27)},
		{"adam with decay", "adam", `{"weight_decay":0.1}`, []op.Tensor{f32(9), f32(9), f32(9)}, []op.Tensor{f32(9), f32()}, 16 * 9, 4 * (27 + 9 + 1 + 27)},
		{"sgd", "sgd", "", []op.Tensor{f32(9), {}}, []op.Tensor{f32(9), f32()}, 2 * 9, 4 * (9 + 9 + 1 + 18)},
		{"sgd with everything", "sgd", `{"momentum":0.9,"nesterov":true,"weight_decay":0.1}`, []op.Tensor{f32(9), {}}, []op.Tensor{f32(9), f32()}, 9 * 9, 4 * (9 + 9 + 1 + 18)},
		{"clip_norm", "clip_norm", `{"max_norm":1}`, nil, []op.Tensor{f32(9)}, 27, 4 * 19},
		{"clip_value", "clip_value", `{"limit":1}`, nil, []op.Tensor{f32(9)}, 18, 4 * 18},
		{"learning_rate", "learning_rate", "", nil, []op.Tensor{i64(1, 2, 3)}, 15, 8*3 + 4*3},
		// Two micro-batches of the model above; 28 + 32 + 2*blockSize + 8 parameters: norm 2, clipping 1, Adam 14 each, read and written three times.
		{"gpt.train", "gpt.train", gptAttrs + `,"max_norm":1}`, gptConst(f32(8, 4), op.Tensor{}),
			[]op.Tensor{op.Int64(make([]int64, 6), 2, 1, 3), op.Int64([]int64{1, -100, 2, 1, -100, 2}, 2, 1, 3)},
			2*(2*block+12+84+168+63+2*blockBack+132+24+336+28) + 17*(68+2*blockSize), 4*(6*(68+2*blockSize)+3) + 8*12},
	} {
		t.Run(tt.name, func(t *testing.T) {
			flops, bytes, err := Cost(op.Spec{Op: tt.op, Attrs: []byte(tt.attrs), Const: tt.consts}, tt.src)
			if err != nil {
				t.Fatal(err)
			}
			if flops != tt.flops || bytes != tt.bytes {
				t.Errorf("got %v flops and %v bytes, want %v and %v", flops, bytes, tt.flops, tt.bytes)
			}
		})
	}
}

// TestCostOfEveryOp holds the cost model to the op table. Text is bytes and tables: there is nothing to count.
func TestCostOfEveryOp(t *testing.T) {
	offered := new(cost).implementation()
	for _, row := range op.Table() {
		if row.Group != "text" && !op.Offers(offered, row.Name) {
			t.Errorf("%s has no cost: register it in benchmarks/%s.go", row.Name, row.Family)
		}
	}
}

func TestCostErrors(t *testing.T) {
	step := []op.Tensor{f32(1, 2, 2, 4), f32(1, 1, 2, 4), f32(1, 1, 2, 6), op.Int64([]int64{-1}), {}}
	for _, tt := range []struct {
		name string
		spec op.Spec
		src  []op.Tensor
		want error
	}{
		{"unknown op", op.Spec{Op: "conv"}, nil, op.ErrUnknownOp},
		{"shape", op.Spec{Op: "matmul"}, []op.Tensor{f32(2, 3), f32(4, 5)}, op.ErrShape},
		{"position", op.Spec{Op: "attention.cached", Attrs: []byte(`{"capacity":8}`)}, step, op.ErrPosition},
	} {
		if _, _, err := Cost(tt.spec, tt.src); !errors.Is(err, tt.want) {
			t.Errorf("%s: got error %v, want one that wraps %v", tt.name, err, tt.want)
		}
	}
}
