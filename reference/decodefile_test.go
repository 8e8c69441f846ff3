package reference

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// readThirdParty reads a file of others' numbers below $ASSAY_THIRDPARTY, or skips the test.
func readThirdParty(t *testing.T, into any, path ...string) {
	t.Helper()
	dir := os.Getenv("ASSAY_THIRDPARTY")
	if dir == "" {
		if os.Getenv("ASSAY_REQUIRE_THIRDPARTY") == "1" {
			t.Fatalf("ASSAY_REQUIRE_THIRDPARTY=1 and ASSAY_THIRDPARTY is not set: set it to the directory that holds %s", filepath.Join(path...))
		}
		t.Skipf("not run: ASSAY_THIRDPARTY is not set; it names the directory that holds %s", filepath.Join(path...))
	}
	data, err := os.ReadFile(filepath.Join(append([]string{dir}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

// outOfScope are processors of Hugging Face that SPEC.md does not have.
var outOfScope = []string{"min_p", "typical_p", "epsilon_cutoff", "eta_cutoff", "top_h", "repetition_penalty", "no_repeat_ngram", "bad_words",
	"sequence_bias", "inf_nan_remove"}

// different are cases that SPEC.md answers otherwise, and why.
var different = map[string]string{
	"top_k_min_tokens_uniform":       "keeps all equal ones; DEC-8 keeps exactly k",
	"top_k_min_tokens_ramp":          "min_tokens_to_keep is 3; DEC-8 has no such parameter",
	"top_p_0.9_min2_ramp":            "min_tokens_to_keep is 2; DEC-9 keeps one",
	"top_k10_top_p0.6_min4_torch":    "min_tokens_to_keep is 4; DEC-9 keeps fewer there",
	"top_k10_top_p0.6_min4_tf":       "keeps 5 where PyTorch keeps 4 for the same parameters",
	"fairseq_maxlen2_sentence1":      "the end token is forced at the limit; DEC-22 treats what has not ended as it is",
	"fairseq_maxlen2_sentence2":      "the same",
	"t2t_topk_scores_and_seq":        "sorts a table, and is no search",
	"beam_process_eos_at_rank1":      "of random numbers: TestBeamByHand has its rule",
	"beam_hypotheses_worst_score":    "tests a container, see TestHuggingFaceHypotheses",
	"beam_hypotheses_early_stopping": "the same",
}

type hfCase struct {
	Name, Op string
	Input    struct{ Logits, Probs json.RawMessage }
	Params   struct {
		TopK         int     `json:"top_k"`
		TopP         float64 `json:"top_p"`
		Temperatures []float64
	}
	Expected struct {
		Filtered [][]bool    `json:"filtered_to_neg_inf"`
		Dropped  []int       `json:"count_equal_to_filter_value"`
		Left     []int       `json:"count_not_equal_to_filter_value"`
		Indices  [][]int     `json:"kept_indices"`
		Kept     [][]float64 `json:"exp_of_filtered_logits"`
	}
}

// agrees reports whether as many tokens are left of each row as the case has.
func (c hfCase) agrees(t *testing.T) bool {
	for r, row := range c.rows(t) {
		s, left := Sampling{Temperature: 1, TopK: c.Params.TopK, TopP: 1}, 0
		if c.Params.TopP > 0 {
			s.TopP = c.Params.TopP
		}
		for _, p := range must(Distribution(row, s)) {
			if p > 0 {
				left++
			}
		}
		var want int
		switch e := c.Expected; {
		case e.Dropped != nil:
			want = len(row) - e.Dropped[r]
		case e.Left != nil:
			want = e.Left[r]
		case e.Indices != nil:
			want = len(e.Indices[r])
		default:
			t.Fatalf("%s: nothing to compare", c.Name)
		}
		if left != want {
			return false
		}
	}
	return true
}

// rows returns the logits of a case, or the logarithms of its probabilities.
func (c hfCase) rows(t *testing.T) [][]float64 {
	var rows [][]float64
	raw := c.Input.Logits
	if c.Input.Probs != nil {
		raw = c.Input.Probs
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		t.Fatal(err)
	}
	if c.Input.Probs != nil {
		for _, row := range rows {
			for i, p := range row {
				row[i] = math.Log(p)
			}
		}
	}
	return rows
}

func TestHuggingFaceDecoding(t *testing.T) {
	var file struct{ Cases []hfCase }
	readThirdParty(t, &file, "vectors", "hf", "decoding.json")
	ran := 0
	for _, c := range file.Cases {
		if reason, ok := different[c.Name]; ok {
			if strings.HasPrefix(c.Op, "top_") && c.agrees(t) {
				t.Errorf("%s agrees, though it %s", c.Name, reason)
			}
			t.Logf("not compared: %s: %s", c.Name, reason)
			continue
		}
		if slices.Contains(outOfScope, c.Op) {
			t.Logf("not compared: %s: SPEC.md has no %s", c.Name, c.Op)
			continue
		}
		ran++
		t.Run(c.Name, func(t *testing.T) {
			for r, row := range c.rows(t) {
				s := Sampling{Temperature: 1, TopK: c.Params.TopK, TopP: 1}
				switch c.Op {
				case "top_k":
					for i, p := range must(Distribution(row, s)) {
						if (p == 0) != c.Expected.Filtered[r][i] {
							t.Errorf("row %d, token %d has %v", r, i, p)
						}
					}
				case "top_p":
					s.TopP = c.Params.TopP - 1e-6 // row 0 stands on the boundary, where the last bit decides
					kept := 0.0
					for _, p := range c.Expected.Kept[r] {
						kept += p
					}
					for i, p := range must(Distribution(row, s)) {
						if math.Abs(p-c.Expected.Kept[r][i]/kept) > 1e-12 {
							t.Errorf("row %d, token %d has %v, want %v of %v", r, i, p, c.Expected.Kept[r][i], kept)
						}
					}
				case "temperature":
					checkTemperature(t, row, c.Params.Temperatures, r == 0)
				case "log_softmax":
					sum := 0.0
					for _, l := range LogSoftmax(row) {
						sum += math.Exp(l)
					}
					if math.Abs(sum-1) > 1e-14 {
						t.Errorf("row %d: probabilities sum to %v", r, sum)
					}
				default:
					t.Errorf("op %s is not known: compare it, or say that it is out of scope", c.Op)
				}
			}
		})
	}
	if ran < 4 {
		t.Errorf("%d cases were compared", ran)
	}
}

// checkTemperature: a uniform row stays uniform; below 1 extremes grow apart, above 1 together.
func checkTemperature(t *testing.T, row, temperatures []float64, uniform bool) {
	spread := func(temperature float64) float64 {
		p := must(Distribution(row, Sampling{Temperature: temperature, TopP: 1}))
		return slices.Max(p) - slices.Min(p)
	}
	cold, as, hot := spread(temperatures[0]), spread(1), spread(temperatures[1])
	if uniform && max(cold, hot) != 0 || !uniform && !(cold > as && as > hot) {
		t.Errorf("max - min is %v at %v, %v at 1, %v at %v", cold, temperatures[0], as, hot, temperatures[1])
	}
}

// The rules of Hugging Face's container of finished sequences, by its own numbers: sums of ten tokens, length penalty 2, four beams.
func TestHuggingFaceHypotheses(t *testing.T) {
	var file struct{ Cases []struct{ Name string } }
	readThirdParty(t, &file, "vectors", "hf", "decoding.json")
	p := LengthPenalty{Exponent: 2}
	c := BeamConfig{Penalty: p, Stop: StopUnlikely, Length: 20}
	worst := Hypothesis{Score: Score([]float64{-9}, 10, p)} // of -10, -9, -8, -7 and -6 the four best stay
	if math.Abs(worst.Score+0.09) > 1e-15 {
		t.Errorf("the worst has %v, want -0.09", worst.Score)
	}
	for sum, stops := range map[float64]bool{-5: false, -20: true} {
		if got := Exact.stops(worst, Hypothesis{Logs: []float64{sum}}, 10, c); got != stops {
			t.Errorf("best sum %v: ends %v, want %v", sum, got, stops)
		}
	}
	c.Stop = StopAtOnce
	if !Exact.stops(worst, Hypothesis{Logs: []float64{-10}}, 5, c) {
		t.Error("with early stopping it does not end")
	}
}

type beamCase struct {
	Repo, Name  string
	BeamSize    int `json:"beam_size"`
	EOS         int
	BOS         *int
	Vocab       int
	Alpha       float64
	LenPenalty  float64 `json:"len_penalty"`
	Normalize   bool
	Length      int                        `json:"decode_length"`
	MaxLen      int                        `json:"max_len"`
	PrefixProbs map[string]json.RawMessage `json:"prefix_probs"`
	Expected    json.RawMessage
}

// model returns the case's table as a model. After a sequence that is not listed, the end has probability 1.
func (c beamCase) model(t *testing.T) func([]int) ([]float64, error) {
	return func(tokens []int) ([]float64, error) {
		key := strings.ReplaceAll(strings.Trim(fmt.Sprint(tokens), "[]"), " ", ",")
		p := make([]float64, max(c.Vocab, 6))
		switch raw, ok := c.PrefixProbs[key]; {
		case !ok:
			p[c.EOS] = 1
		case raw[0] == '[':
			p = p[:0]
			if err := json.Unmarshal(raw, &p); err != nil {
				t.Fatal(err)
			}
		default:
			var by map[int]float64
			if err := json.Unmarshal(raw, &by); err != nil {
				t.Fatal(err)
			}
			for token, v := range by {
				p[token] = v
			}
		}
		for i := range p {
			p[i] = math.Log(p[i])
		}
		return p, nil
	}
}

// TestOthersBeams compares beam search with the numbers of fairseq and tensor2tensor, which search as form hf does.
func TestOthersBeams(t *testing.T) {
	var file struct{ Cases []beamCase }
	readThirdParty(t, &file, "vectors", "beam", "beam_search.json")
	ran := 0
	for _, c := range file.Cases {
		if reason, ok := different[c.Name]; ok {
			if c.PrefixProbs != nil && c.differs(t) == "" {
				t.Errorf("%s agrees, though here %s", c.Name, reason)
			}
			t.Logf("not compared: %s: %s", c.Name, reason)
			continue
		}
		ran++
		if diff := c.differs(t); diff != "" {
			t.Errorf("%s: %s", c.Name, diff)
		}
	}
	if ran < 10 {
		t.Errorf("%d cases were compared", ran)
	}
}

// differs searches as the case says, and returns how the results differ from its own; empty where they do not.
func (c beamCase) differs(t *testing.T) string {
	b := BeamConfig{Form: HuggingFace, Beams: c.BeamSize, End: []int{c.EOS}, Length: 5, Stop: StopAtOnce}
	if c.MaxLen > 0 {
		b.Length = c.MaxLen + 1 // the end is not counted
	}
	if c.BOS != nil { // tensor2tensor
		b.Length, b.Penalty, b.Stop = c.Length, LengthPenalty{c.Alpha, true}, StopHopeless
	} else if c.Normalize {
		b.Penalty = LengthPenalty{Exponent: c.LenPenalty}
	}
	var want []struct {
		IDs   []int
		Score float64
	}
	if err := json.Unmarshal(c.Expected, &want); err != nil {
		t.Fatal(err)
	}
	got := must(Exact.BeamSearch(c.model(t), b))
	for k, w := range want {
		if c.BOS != nil { // the first token is the start; zeros follow the end
			w.IDs = w.IDs[1:]
			if i := slices.Index(w.IDs, c.EOS); i >= 0 {
				w.IDs = w.IDs[:i+1]
			}
		}
		if k >= len(got) || !slices.Equal(got[k].Tokens, w.IDs) || math.Abs(got[k].Score-w.Score) > 1e-6 {
			return fmt.Sprintf("result %d: got %+v, want %v with %v", k, got, w.IDs, w.Score)
		}
	}
	return ""
}

// TestOthersPositions compares sinusoids with Hugging Face's, whose columns are all sines first.
func TestOthersPositions(t *testing.T) {
	var file struct {
		Cases []struct {
			Name, Angle string
			Dim         int
			Positions   []int
			Values      [][]float64
			Tolerance   float64
		}
	}
	readThirdParty(t, &file, "vectors", "hf", "positions.json")
	for _, c := range file.Cases {
		fairseq := strings.Contains(c.Angle, "NOT Vaswani")
		worst := 0.0
		y := must(SinusoidalPositions(c.Positions, c.Dim))
		for r, row := range c.Values {
			for i, want := range row {
				at := 2 * i
				if i >= c.Dim/2 {
					at = 2*(i-c.Dim/2) + 1
				}
				worst = max(worst, math.Abs(y.At(r, at)-want))
			}
		}
		if (worst <= c.Tolerance) == fairseq {
			t.Errorf("%s: differs by %v, tolerance %v; fairseq's variant: %v", c.Name, worst, c.Tolerance, fairseq)
		}
	}
	if len(file.Cases) < 4 {
		t.Errorf("%d cases", len(file.Cases))
	}
}
