package reference

import (
	"reflect"
	"regexp"
	"strconv"
	"testing"
)

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
