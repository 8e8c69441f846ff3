package reference

import "testing"

// A model of one layer has one cache, and steps over it give the rows of the whole.
func TestStepsOfOneLayer(t *testing.T) {
	cfg := must(ConfigByName("tiny"))
	cfg.Layers = 1
	s := newSource(5)
	w, ids := s.gpt(cfg), s.ids(6, cfg.Vocab)
	whole := must(Exact.GPT(ids, w, cfg))
	state := NewGPTState(cfg, len(ids))
	for pos := range ids {
		got := must(Exact.GPTStep(state, ids[pos:pos+1], pos, w, cfg))
		within(t, got.Data, whole.Row(pos), 64)
		if state.Len() != pos+1 {
			t.Errorf("after %d positions the state holds %d", pos+1, state.Len())
		}
	}
}
