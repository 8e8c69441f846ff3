package main

import (
	"fmt"
	"strings"
)

func attentionShapes() []testCase {
	var cases []testCase
	for _, s := range []attentionShape{
		{B: 1, H: 1, Tq: 1, Tk: 2, D: 1}, {B: 1, H: 1, Tq: 1, Tk: 7, D: 4}, {B: 1, H: 1, Tq: 5, Tk: 3, D: 1}, {B: 1, H: 1, Tq: 3, Tk: 5, D: 2},
		{B: 1, H: 1, Tq: 7, Tk: 7, D: 8}, {B: 1, H: 2, Tq: 4, Tk: 9, D: 3}, {B: 2, H: 3, Tq: 3, Tk: 4, D: 5}, {B: 1, H: 1, Tq: 15, Tk: 17, D: 4},
		{B: 1, H: 1, Tq: 17, Tk: 15, D: 7}, {B: 1, H: 1, Tq: 2, Tk: 31, D: 16}, {B: 1, H: 1, Tq: 2, Tk: 33, D: 17}, {B: 1, H: 1, Tq: 33, Tk: 2, D: 3},
		{B: 1, H: 1, Tq: 2, Tk: 64, D: 8}, {B: 1, H: 1, Tq: 3, Tk: 65, D: 8}, {B: 1, H: 1, Tq: 2, Tk: 127, D: 4}, {B: 1, H: 1, Tq: 2, Tk: 129, D: 4},
		{B: 1, H: 1, Tq: 1, Tk: 257, D: 4}, {B: 1, H: 1, Tq: 2, Tk: 5, D: 63}, {B: 1, H: 1, Tq: 2, Tk: 5, D: 65}, {B: 1, H: 1, Tq: 2, Tk: 5, D: 128},
		{B: 1, H: 1, Tq: 3, Tk: 6, D: 4, Dv: 7}, {B: 1, H: 2, Tq: 3, Tk: 6, D: 8, Dv: 1},
	} {
		name := fmt.Sprintf("b%d-h%d-q%d-k%d-d%d", s.B, s.H, s.Tq, s.Tk, s.D)
		if s.Dv != 0 {
			name += fmt.Sprintf("-v%d", s.Dv)
		}
		cases = append(cases, testCase{
			name: name, comment: fmt.Sprintf("%d queries over %d keys, head dimension %d.", s.Tq, s.Tk, s.D), clauses: "ATT-1 ATT-2",
			flags: "edges", src: s.args(),
		})
	}
	for _, s := range []attentionShape{
		{B: 1, H: 4, G: 2, Tq: 3, Tk: 5, D: 4}, {B: 2, H: 6, G: 2, Tq: 2, Tk: 4, D: 3}, {B: 1, H: 6, G: 3, Tq: 2, Tk: 4, D: 2},
		{B: 2, H: 4, G: 1, Tq: 2, Tk: 3, D: 4},
	} {
		cases = append(cases, testCase{
			name:    fmt.Sprintf("groups-b%d-%d-over-%d", s.B, s.H, s.G),
			comment: fmt.Sprintf("%d query heads share %d heads of keys and values.", s.H, s.G), clauses: "ATT-1 ATT-4", flags: "groups", src: s.args(),
		})
	}
	cases = append(cases, testCase{
		name: "groups-error", comment: "Three query heads cannot share two key heads.", clauses: "ATT-4", flags: "groups",
		src: attentionShape{B: 1, H: 3, G: 2, Tq: 2, Tk: 2, D: 2}.args(), err: "shape",
	})
	for _, scale := range []float64{1, 0.03125, 0.7, -0.5} {
		cases = append(cases, testCase{
			name: "scale-" + strings.Replace(fmt.Sprint(scale), "-", "minus-", 1), comment: "An explicit scale.", clauses: "ATT-1", flags: "scale",
			attrs: attrs{"scale": scale}, src: attentionShape{B: 1, H: 2, Tq: 3, Tk: 6, D: 5}.args(),
		})
	}
	cases = append(cases, testCase{
		name: "scale-default-dv", comment: "The default scale comes from the dimension of queries and keys, here 16, not from that of values, 4.",
		clauses: "ATT-2", flags: "scale", src: attentionShape{B: 1, H: 1, Tq: 3, Tk: 6, D: 16, Dv: 4}.args(),
	})
	cases = append(cases, testCase{
		name: "tiles-200", comment: "200 queries over 200 keys, sampled around the edges of tiles.", clauses: "ATT-1", flags: "edges",
		src:     args{"q": sum4(1.5, 1, 1, 200, 16), "k": sum4(1.4, 1, 1, 200, 16), "v": sum4(1, 1, 1, 200, 16)},
		samples: tileEdges,
	})
	return append(cases, testCase{
		name: "tiles-512", comment: "GPT-3's head dimension, 64, with 512 positions and a causal mask.", clauses: "ATT-1 MSK-1", flags: "edges",
		attrs: attrs{"causal": true}, src: args{"q": sum4(1.5, 1, 2, 512, 64), "k": sum4(1.4, 1, 2, 512, 64), "v": sum4(1, 1, 2, 512, 64)},
		samples: tileEdges,
	})
}

func attentionGradShapes() []testCase {
	var cases []testCase
	add := func(c testCase) { cases = append(cases, c) }
	for _, s := range []attentionShape{
		{B: 1, H: 1, Tq: 1, Tk: 2, D: 1}, {B: 1, H: 1, Tq: 3, Tk: 5, D: 4}, {B: 1, H: 1, Tq: 5, Tk: 3, D: 2}, {B: 2, H: 3, Tq: 2, Tk: 4, D: 3},
		{B: 1, H: 1, Tq: 17, Tk: 15, D: 7}, {B: 1, H: 1, Tq: 2, Tk: 33, D: 8}, {B: 1, H: 1, Tq: 33, Tk: 2, D: 3},
		{B: 1, H: 1, Tq: 3, Tk: 65, D: 4},
		{B: 1, H: 1, Tq: 2, Tk: 5, D: 33}, {B: 1, H: 1, Tq: 3, Tk: 6, D: 4, Dv: 7}, {B: 1, H: 2, Tq: 3, Tk: 6, D: 8, Dv: 1},
	} {
		name := fmt.Sprintf("b%d-h%d-q%d-k%d-d%d", s.B, s.H, s.Tq, s.Tk, s.D)
		if s.Dv != 0 {
			name += fmt.Sprintf("-v%d", s.Dv)
		}
		add(testCase{
			name: name, comment: fmt.Sprintf("%d queries over %d keys, head dimension %d.", s.Tq, s.Tk, s.D), clauses: "GRAD-1 GRAD-17",
			flags: "edges jacobian upstream", src: s.grad(),
		})
	}
	for _, s := range []attentionShape{{B: 1, H: 4, G: 2, Tq: 3, Tk: 5, D: 4}, {B: 2, H: 6, G: 2, Tq: 2, Tk: 4, D: 3},
		{B: 2, H: 4, G: 1, Tq: 2, Tk: 3, D: 4}} {
		add(testCase{
			name: fmt.Sprintf("groups-b%d-%d-over-%d", s.B, s.H, s.G), comment: fmt.Sprintf("%d query heads share %d heads of keys and values.", s.H,
				s.G),
			clauses: "GRAD-17 GRAD-18 ATT-4", flags: "groups", src: s.grad(),
		})
	}
	add(testCase{
		name: "groups-causal", comment: "Grouped heads, causal, with a soft cap and a mask of each query head.", clauses: "GRAD-17 GRAD-18 MSK-8",
		flags: "groups mask softcap",
		attrs: attrs{"causal": true, "softcap": 3}, src: attentionShape{B: 1, H: 4, G: 2, Tq: 4, Tk: 4, D: 3}.grad().with("mask",
			normal(1, 1, 4, 4, 4)),
	})
	add(testCase{
		name: "groups-error", comment: "Three query heads cannot share two key heads.", clauses: "GRAD-2 ATT-4", flags: "groups",
		src: attentionShape{B: 1, H: 3, G: 2, Tq: 2, Tk: 2, D: 2}.grad(), err: "shape",
	})
	for _, scale := range []float64{1, 0.125, -0.5} {
		add(testCase{
			name: fmt.Sprintf("scale-%d", int(scale*1000)), comment: "An explicit scale.", clauses: "GRAD-17", flags: "scale",
			attrs: attrs{"scale": scale}, src: attentionShape{B: 1, H: 1, Tq: 3, Tk: 6, D: 5}.grad(),
		})
	}
	for _, c := range []float64{0.5, 2, 50} {
		add(testCase{
			name: fmt.Sprintf("softcap-%v", c), comment: "A soft cap below, near and above the size of the scores.", clauses: "GRAD-17 ATT-9",
			flags: "softcap",
			attrs: attrs{"softcap": c}, src: attentionShape{B: 1, H: 1, Tq: 3, Tk: 6, D: 5}.grad(),
		})
	}
	add(testCase{
		name: "softcap-scale", comment: "A soft cap on scores with a scale of their own.", clauses: "GRAD-17 ATT-9", flags: "softcap scale",
		attrs: attrs{"softcap": 1.5, "scale": 0.7}, src: attentionShape{B: 1, H: 2, Tq: 3, Tk: 6, D: 5}.grad(),
	})
	add(testCase{
		name: "again", comment: "Two steps: the second replaces the first.", clauses: "GRAD-1", flags: "overwrite",
		steps: twice(func() args { return attentionShape{B: 1, H: 4, G: 2, Tq: 3, Tk: 4, D: 3}.grad() }),
	})
	add(testCase{
		name: "tiles-130", comment: "130 queries over 130 keys, causal.", clauses: "GRAD-17 MSK-1", flags: "edges causal-offset",
		attrs: attrs{"causal": true},
		src:   args{"q": sum4(1.5, 1, 1, 130, 4), "k": sum4(1.4, 1, 1, 130, 4), "v": sum4(1, 1, 1, 130, 4), "dout": sum4(1, 1, 1, 130, 4)},
	})
	return cases
}

func attentionCausal() []testCase {
	var cases []testCase
	for _, s := range []attentionShape{
		{Tq: 2, Tk: 2, D: 3}, {Tq: 6, Tk: 6, D: 4}, {Tq: 17, Tk: 17, D: 4}, {Tq: 33, Tk: 33, D: 2},
		{Tq: 1, Tk: 6, D: 4}, {Tq: 3, Tk: 8, D: 4}, {Tq: 2, Tk: 65, D: 4}, {Tq: 8, Tk: 3, D: 4}, {Tq: 5, Tk: 4, D: 1}, {Tq: 9, Tk: 1, D: 2},
	} {
		s.B, s.H = 1, 2
		flags, clauses := "causal-offset", "MSK-1"
		if s.Tq > s.Tk {
			flags, clauses = "causal-offset masked-row", "MSK-1 MSK-10"
		}
		cases = append(cases, testCase{
			name:    fmt.Sprintf("causal-q%d-k%d", s.Tq, s.Tk),
			comment: fmt.Sprintf("Causal, %d queries at the end of %d keys.", s.Tq, s.Tk), clauses: clauses, flags: flags,
			attrs: attrs{"causal": true}, src: s.args(),
		})
	}
	for _, w := range []struct {
		window, tq, tk int
		causal         bool
	}{
		{1, 5, 5, true}, {2, 6, 6, true}, {3, 4, 9, true}, {4, 9, 6, true}, {16, 33, 33, true}, {100, 5, 7, true},
		{1, 5, 5, false}, {3, 7, 7, false}, {2, 3, 8, false}, {2, 8, 3, false}, {100, 4, 5, false},
	} {
		kind, clauses := "symmetric", "MSK-3"
		if w.causal {
			kind, clauses = "causal", "MSK-1 MSK-2"
		}
		if w.tq > w.tk {
			clauses += " MSK-10"
		}
		s := attentionShape{B: 1, H: 1, Tq: w.tq, Tk: w.tk, D: 4}
		cases = append(cases, testCase{
			name:    fmt.Sprintf("window-%d-%s-q%d-k%d", w.window, kind, w.tq, w.tk),
			comment: fmt.Sprintf("A %s window of %d, %d queries and %d keys.", kind, w.window, w.tq, w.tk), clauses: clauses, flags: "window",
			attrs: attrs{"causal": w.causal, "window": w.window}, src: s.args(),
		})
	}
	return cases
}
