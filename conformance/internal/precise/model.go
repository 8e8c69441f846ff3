package precise

import (
	"slices"
)

type modelAttrs struct {
	blockAttrs
	Positions      string `json:"positions"`
	ScaleEmbedding bool   `json:"scale_embedding"`
	Windows        []int  `json:"windows"`
}

func modelDefaults() modelAttrs { return modelAttrs{blockAttrs: blockDefaults(), Positions: "learned"} }

// prefix is a node of the tree of all token sequences that a model was shown: the sequence that ends here. What a model makes of a position
// depends on nothing but the ids up to it, since every block is causal (GPT-1); so it is kept here, and a cache is a list of these.
type prefix struct {
	entries []entry  // of each layer
	hidden  []number // what goes into the output matrix
	next    map[int64]*prefix
}

// model evaluates GPT-1 to GPT-6.
type model struct {
	modelAttrs
	in     arrays
	layers []arrays
	root   prefix
}

func newModel(a modelAttrs, consts arrays) *model {
	m := &model{modelAttrs: a, in: consts}
	for l := range consts["wq"].dim(0) {
		layer := arrays{}
		for _, name := range []string{"ln1_gamma", "ln1_beta", "wq", "bq", "wk", "bk", "wv", "bv", "wo", "bo", "ln2_gamma", "ln2_beta",
			"w1", "b1", "w2", "b2"} {
			layer[name] = consts[name].part(l)
		}
		m.layers = append(m.layers, layer)
	}
	return m
}

func (m *model) vocabulary() int { return m.in["wte"].dim(0) }

// after returns the prefix that is the sequence path with one more id.
func (m *model) after(path []*prefix, id int64) *prefix {
	from := &m.root
	if len(path) > 0 {
		from = path[len(path)-1]
	}
	if from.next[id] == nil {
		if from.next == nil {
			from.next = map[int64]*prefix{}
		}
		from.next[id] = m.evaluate(path, id)
	}
	return from.next[id]
}

func (m *model) evaluate(path []*prefix, id int64) *prefix {
	p := new(prefix)
	x := m.embedded(len(path), id)
	for l, in := range m.layers {
		read := before(x, in, m.blockAttrs, "ln1")
		p.entries = append(p.entries, projected(read, in, m.kvHeads()))
		var entries []entry
		for _, earlier := range path {
			entries = append(entries, earlier.entries[l])
		}
		entries = append(entries, p.entries[l])
		see := sight{position: len(path), causal: true}
		if len(m.Windows) > 0 {
			see.window = m.Windows[l%len(m.Windows)]
		}
		x = completed(x, attended(read, entries, in, m.mhaAttrs, func(int) sight { return see }), in, m.blockAttrs)
	}
	p.hidden = before(x, m.in, m.blockAttrs, "lnf")
	return p
}

// embedded is the row of h_0 of an id at a position: GPT-1 to GPT-3.
func (m *model) embedded(position int, id int64) []number {
	x := m.in["wte"].row(int(id))
	for i := range x {
		if m.ScaleEmbedding {
			x[i] = mul(x[i], sqrt(ofInt(len(x))))
		}
		switch m.Positions {
		case "learned":
			x[i] = add(x[i], m.in["wpe"].at(position*len(x)+i))
		case "sinusoidal":
			x[i] = add(x[i], sinusoid(int64(position), i, len(x)))
		}
	}
	return x
}

// logit is that of one class: GPT-5.
func (m *model) logit(p *prefix, class int) number {
	if w := m.in["w_out"]; w != nil {
		return dot(p.hidden, w.column(class))
	}
	return dot(p.hidden, m.in["wte"].row(class))
}

// faults: GPT-7.
func (m *model) faults(ids []int64, last int) (kinds []string) {
	if slices.ContainsFunc(ids, func(id int64) bool { return id < 0 || id >= int64(m.vocabulary()) }) {
		kinds = append(kinds, "index")
	}
	if m.Positions == "learned" && last > m.in["wpe"].dim(0) {
		kinds = append(kinds, "position")
	}
	return kinds
}

// read returns the prefixes of all positions of ids [B T], one batch item after the other.
func (m *model) read(ids *array) []*prefix {
	var all []*prefix
	for row := range slices.Chunk(ids.I64, ids.dim(1)) {
		start := len(all)
		for _, id := range row {
			all = append(all, m.after(all[start:], id))
		}
	}
	return all
}

func (m *model) logits(ps []*prefix) Result {
	return func(i int) number { return m.logit(ps[i/m.vocabulary()], i%m.vocabulary()) }
}

var _ = register("gpt", modelDefaults, gpt)

func gpt(a modelAttrs, in arrays) Step {
	m := newModel(a, in)
	if kinds := m.faults(in["ids"].I64, in["ids"].dim(1)); kinds != nil {
		return fails(kinds...)
	}
	return gives("logits", m.logits(m.read(in["ids"])))
}

type gptLossAttrs struct {
	modelAttrs
	lossAttrs
}

func gptLossDefaults() gptLossAttrs { return gptLossAttrs{modelDefaults(), lossDefaults()} }

var _ = register("gpt.loss", gptLossDefaults, gptLoss)

func gptLoss(a gptLossAttrs, in arrays) Step {
	m, targets := newModel(a.modelAttrs, in), in["targets"].I64
	kinds := m.faults(in["ids"].I64, in["ids"].dim(1))
	if !validTargets(a.lossAttrs, targets, m.vocabulary()) {
		kinds = append(kinds, "index")
	}
	if kinds != nil {
		return fails(kinds...)
	}
	ps := m.read(in["ids"])
	return gives("loss", reduced(a.lossAttrs, targets, func(i int) number {
		row := make([]number, m.vocabulary())
		for class := range row {
			row[class] = m.logit(ps[i], class)
		}
		return crossEntropyOf(row, targets[i])
	}))
}

type gptCachedAttrs struct {
	modelAttrs
	Capacity int `json:"capacity"`
}

var _ = registerStateful("gpt.cached", func() gptCachedAttrs { return gptCachedAttrs{modelAttrs: modelDefaults()} }, gptCached)

// gptCached: GPT-9, GPT-10. The state of a batch item is the path of its prefixes.
func gptCached(a gptCachedAttrs, consts arrays) kernel {
	m := newModel(a.modelAttrs, consts)
	var state [][]*prefix
	return func(in arrays) Step {
		ids := in["ids"]
		steps := ids.dim(1)
		next, kinds := continued(state, ids.dim(0), in, steps, a.Capacity)
		if kinds = append(kinds, m.faults(ids.I64, 0)...); kinds != nil {
			return fails(kinds...)
		}
		var rows []*prefix
		for b := range next {
			for _, id := range ids.I64[b*steps : (b+1)*steps] {
				next[b] = append(next[b], m.after(next[b], id))
			}
			rows = append(rows, next[b][len(next[b])-steps:]...)
		}
		state = next
		return gives("logits", m.logits(rows))
	}
}
