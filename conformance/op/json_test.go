package op_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assaykit/assay/conformance/op"
)

type Inner struct {
	Flag bool `json:"flag"`
}

type outer struct {
	Inner
	Count int             `json:"count"`
	Size  *float64        `json:"size"`
	List  []Inner         `json:"list"`
	By    map[string]int  `json:"by"`
	Raw   json.RawMessage `json:"raw"`
	Not   int             `json:"-"`
}

func TestDecodeJSON(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{`{"flag":true,"count":2,"size":null,"list":[{"flag":false}],"by":{"a":1,"A":2},"raw":{"any":[{}],"ANY":1}}`, ""},
		{`{"count":1,"count":2}`, `"count" is there twice`},
		{`{"list":[{"flag":true},{"flag":true,"flag":true}]}`, `"flag" is there twice`},
		{`{"by":{"a":1,"a":1}}`, `"a" is there twice`},
		{`{"raw":{"a":[{"b":1,"b":1}]}}`, `"b" is there twice`},
		{`{"\u0063ount":1,"count":2}`, `"count" is there twice`},
		{`{"COUNT":1}`, `unknown "COUNT": did you mean count?`},
		{`{"list":[{"Flag":true}]}`, `unknown "Flag": did you mean flag?`},
		{`{"Not":1}`, `unknown "Not": want one of by, count, flag, list, raw, size`},
		{`{"flag":1}`, "flag: want true or false, got number"},
		{`{"count":1.5}`, "count: want an integer, got number 1.5"},
		{`{"size":"x"}`, "size: want a number of float64, got string"},
		{`{"size":1e400}`, "size: want a number of float64, got number 1e400"},
		{`{"list":[{"flag":[]}]}`, "list.flag: want true or false, got array"},
		{`[]`, "the value: want an object, got array"},
		{`{} {}`, "after top-level value"},
		{``, "unexpected end of JSON input"},
		{strings.Repeat("[", 1<<20), "exceeded max depth"},
	} {
		t.Run(c.text[:min(len(c.text), 40)], func(t *testing.T) {
			var v outer
			err := op.DecodeJSON([]byte(c.text), &v)
			if c.says == "" {
				require.NoError(t, err)
				require.True(t, v.Flag)
				require.Equal(t, 2, v.Count)
				return
			}
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "outer")
			require.NotContains(t, err.Error(), "Inner")
		})
	}
}

// What an attribute may be comes from the refusal of an absurd one: this holds the words together, and every attribute to having some.
func TestAttributes(t *testing.T) {
	all, err := op.Attributes("attention.cached")
	require.NoError(t, err)
	require.Equal(t, []op.Attribute{
		{Name: "scale", Type: "a number of float64", Default: "null", Want: "a finite number other than 0, or none for 1/sqrt(head dim)"},
		{Name: "window", Type: "an integer", Default: "0", Want: "at least 0"},
		{Name: "capacity", Type: "an integer", Want: "from 1 to 2^24"},
	}, all)
	_, err = op.Attributes("attenshun")
	require.ErrorContains(t, err, `unknown op "attenshun": did you mean attention?`)
	for _, name := range op.Names() {
		all, err := op.Attributes(name)
		require.NoError(t, err)
		for _, a := range all {
			require.NotEmpty(t, a.Type, "%s: %s", name, a.Name)
			require.True(t, a.Default != "" || a.Want != "", "%s: %s: neither a default nor what it must be", name, a.Name)
		}
	}
}

// Results needs no numbers, and allocates none.
func TestResultsNeedNoNumbers(t *testing.T) {
	header := func(d op.DType, shape ...int) op.Tensor { return op.Tensor{DType: d, Shape: shape} }
	src := []op.Tensor{header(op.F32, 1, 1, 1<<19, 1), header(op.F32, 1, 1, 1<<20, 1), {}}
	dst, err := op.Results(op.Spec{Op: "attention.scores"}, src, op.F32)
	require.NoError(t, err)
	require.Equal(t, []op.Tensor{header(op.F32, 1, 1, 1<<19, 1<<20)}, dst)
	_, err = op.Shapes(op.Spec{Op: "attention.scores"}, src, op.F32)
	require.ErrorIs(t, err, op.ErrShape)
	src[0].Shape = []int{1, 1, 0, 1}
	_, err = op.Results(op.Spec{Op: "attention.scores"}, src, op.F32)
	require.ErrorIs(t, err, op.ErrShape)
}

func TestSuggest(t *testing.T) {
	known := []string{"attention", "attention.cached", "mha", "matmul"}
	for _, c := range []struct{ name, says string }{
		{"atention", "did you mean attention?"},
		{"ATTENTION", "did you mean attention?"},
		{"matmull", "did you mean matmul?"},
		{"mha2", "did you mean mha?"},
		{"conv", "want one of attention, attention.cached, mha, matmul"},
		{"", "want one of attention, attention.cached, mha, matmul"},
	} {
		require.Equal(t, c.says, op.Suggest(c.name, known), c.name)
	}
	require.Equal(t, "there is none", op.Suggest("x", nil))
}
