package reference

import (
	"errors"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The sizes that Table 2.1 of Brown et al. 2020 advertises are rounded, to one digit in places: 2 % covers that. XL is the
// exception. As printed, with 24 heads of 128, it has 1.52 billion weights; with the 16 heads that would fill d = 2048, the
// 1.3 billion of the table.
func TestParameters(t *testing.T) {
	const tolerance = 0.02
	advertised := map[string]float64{
		"gpt3-small": 125e6, "gpt3-medium": 350e6, "gpt3-large": 760e6, "gpt3-xl": 1.3e9,
		"gpt3-2.7b": 2.7e9, "gpt3-6.7b": 6.7e9, "gpt3-13b": 13.0e9, "gpt3-175b": 175.0e9,
	}
	for name, want := range advertised {
		cfg := must(ConfigByName(name))
		if name == "gpt3-xl" {
			if got := cfg.Parameters(); got != 1_517_123_584 {
				t.Errorf("%s as printed has %d parameters", name, got)
			}
			cfg.Heads, cfg.KVHeads = 16, 16
		}
		if got := float64(cfg.Parameters()); math.Abs(got/want-1) > tolerance {
			t.Errorf("%s has %.4g parameters, %.4g advertised", name, got, want)
		}
	}
}

// GPT-2's released checkpoints have these many weights exactly (Hugging Face's gpt2, gpt2-medium, gpt2-large, gpt2-xl).
func TestParametersGPT2(t *testing.T) {
	for _, tt := range []struct {
		layers, dModel, heads int
		want                  int64
	}{
		{12, 768, 12, 124_439_808}, {24, 1024, 16, 354_823_168}, {36, 1280, 20, 774_030_080}, {48, 1600, 25, 1_557_611_200},
	} {
		cfg := gpt3("gpt2", tt.layers, tt.dModel, tt.heads, 64)
		cfg.Ctx = 1024
		if got := cfg.Parameters(); got != tt.want {
			t.Errorf("GPT-2 of %d layers has %d parameters, the checkpoint %d", tt.layers, got, tt.want)
		}
	}
}

// Parameters is the number of elements in the weights themselves.
func TestParametersCountsWeights(t *testing.T) {
	for _, name := range tinyNames {
		cfg := must(ConfigByName(name))
		w := newSource(11).gpt(cfg)
		n := len(w.Wte.Data) + len(w.Wpe.Data) + len(w.Wout.Data) + len(w.LNfGamma) + len(w.LNfBeta)
		for _, b := range w.Blocks {
			n += len(join(b.Attn.Wq, b.Attn.Wk, b.Attn.Wv, b.Attn.Wo, b.FFN.W1, b.FFN.W2))
			n += len(slices.Concat(b.Attn.Bq, b.Attn.Bk, b.Attn.Bv, b.Attn.Bo, b.FFN.B1, b.FFN.B2))
			n += len(slices.Concat(b.LN1Gamma, b.LN1Beta, b.LN2Gamma, b.LN2Beta))
		}
		if got := cfg.Parameters(); got != int64(n) {
			t.Errorf("%s: Parameters is %d, the weights hold %d", name, got, n)
		}
	}
}

func TestConfigByName(t *testing.T) {
	if _, err := ConfigByName("gpt5"); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "gpt3-175b") {
		t.Errorf("an unknown name: error %v, want ErrConfig and the names there are", err)
	}
	banded := must(ConfigByName("tiny-banded"))
	for layer, want := range []int{0, 3, 0} {
		if got := banded.Block(layer).MHA.Window; got != want {
			t.Errorf("layer %d has window %d, want %d", layer, got, want)
		}
	}
	banded.Windows[0] = 9
	if must(ConfigByName("tiny-banded")).Windows[0] == 9 {
		t.Error("a caller's change of Windows reaches the table of models")
	}
}

// The models are those of SPEC.md's table, with what it says that all of them have.
func TestConfigsAreThoseOfTheTable(t *testing.T) {
	rows := regexp.MustCompile(`(?m)^\| (gpt3-\S+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|`).FindAllStringSubmatch(readSpec(t), -1)
	if len(rows) != 8 {
		t.Fatalf("SPEC.md's table has %d models, want the 8 of Brown et al. 2020", len(rows))
	}
	for _, row := range rows {
		var n [4]int
		for i := range n {
			n[i], _ = strconv.Atoi(row[2+i])
		}
		layers, d, heads, headDim := n[0], n[1], n[2], n[3]
		want := Config{
			Name: row[1], Vocab: 50257, Ctx: 2048, DModel: d, Layers: layers, Heads: heads, KVHeads: heads, HeadDim: headDim, FFN: 4 * d,
			Norm: "pre", Activation: "gelu_tanh", Eps: 1e-5, Positions: "learned", Tied: true,
		}
		if got := must(ConfigByName(row[1])); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// The small models are part of the interface: a weight that fits today fits tomorrow.
func TestSmallConfigs(t *testing.T) {
	for _, want := range []Config{
		{Name: "tiny", Vocab: 17, Ctx: 16, DModel: 8, Layers: 2, Heads: 2, KVHeads: 2, HeadDim: 4, FFN: 32,
			Norm: "pre", Activation: "gelu_tanh", Eps: 1e-5, Positions: "learned", Tied: true},
		{Name: "tiny-post", Vocab: 17, Ctx: 16, DModel: 8, Layers: 2, Heads: 2, KVHeads: 2, HeadDim: 4, FFN: 32,
			Norm: "post", Activation: "relu", Eps: 1e-5, Positions: "sinusoidal", ScaleEmbedding: true},
		{Name: "tiny-banded", Vocab: 19, Ctx: 24, DModel: 10, Layers: 3, Heads: 4, KVHeads: 2, HeadDim: 3, FFN: 20,
			Norm: "pre", Activation: "gelu", Eps: 1e-5, Positions: "learned", Windows: []int{0, 3}, Tied: true},
	} {
		if got := must(ConfigByName(want.Name)); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}
