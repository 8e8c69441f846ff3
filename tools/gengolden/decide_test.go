package main

import (
	"strings"
	"testing"

	"github.com/assaykit/assay/conformance/vector"
)

// A case in which rounding decides is refused, unless every answer that rounding may give is listed, and nothing else.
func TestDecisions(t *testing.T) {
	boundary := func(edit func(*testCase)) testCase {
		for _, c := range distributionFamily().cases {
			if c.name == "boundary" {
				edit(&c)
				return c
			}
		}
		t.Fatal("there is no case distribution/boundary")
		return testCase{}
	}
	close := testCase{name: "close", comment: "A case.", clauses: "DEC-12", src: args{"logits": all(0, 1, 2), "draws": ids(1 << 31)}}
	for name, tt := range map[string]struct {
		op   string
		c    testCase
		want string // a part of the error; empty: it is accepted
	}{
		"the boundary, with both answers":     {"distribution", boundary(func(*testCase) {}), ""},
		"the boundary, with one":              {"distribution", boundary(func(c *testCase) { c.or = nil }), "errors of 10 bands change the tokens"},
		"an alternative that is none":         {"distribution", boundary(func(c *testCase) { c.or = append(c.or, change{attrs: attrs{"top_p": 0.1}}) }), "it is no alternative"},
		"an alternative that is there twice":  {"distribution", boundary(func(c *testCase) { c.or = append(c.or, c.or[0]) }), "has the results of another"},
		"an alternative that is the answer":   {"distribution", boundary(func(c *testCase) { c.or = []change{{attrs: attrs{"top_p": 0.9}}} }), "has the results of another"},
		"a draw on an edge":                   {"sample", close, "errors of 10 bands change the tokens"},
		"the same where every order is exact": {"sample", func() testCase { c := close; c.compare = vector.Exact; return c }(), ""},
		"two sequences of one sum": {"beam_search", testCase{name: "tie", comment: "A case.", clauses: "DEC-16", attrs: attrs{"beams": 2, "max_length": 2},
			src: table(0, [][]float64{{.5, .5}, {.5, .5}}, chain(2, 2))}, "errors of 10 bands change the tokens"},
	} {
		_, err := tt.c.finish(tt.op)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got error %v, want one that says %q", name, err, tt.want)
		}
	}
}
