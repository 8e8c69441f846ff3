package optimized_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pkoukk/tiktoken-go"
	tiktokenloader "github.com/pkoukk/tiktoken-go-loader"
	"pgregory.net/rapid"

	"github.com/assaykit/assay/conformance/op"
	"github.com/assaykit/assay/conformance/refimpl"
	"github.com/assaykit/assay/corpus"
	"github.com/assaykit/assay/corpus/tokenizer"
	"github.com/assaykit/assay/optimized"
)

func textTensor(text []byte) op.Tensor {
	t := op.New(op.I64, len(text))
	for i, b := range text {
		t.I64[i] = int64(b)
	}
	return t
}

// runInts opens the op and runs it once.
func runInts(t interface{ Fatal(...any) }, impl op.Implementation, s op.Spec, src ...op.Tensor) []op.Tensor {
	k, err := impl.Open(s)
	if err != nil {
		t.Fatal(err)
	}
	dst, err := op.Shapes(s, src, op.F32)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Run(dst, src); err != nil {
		t.Fatal(err)
	}
	return dst
}

func equalIntegers(a, b []op.Tensor) bool {
	return slices.EqualFunc(a, b, func(x, y op.Tensor) bool { return slices.Equal(x.I64, y.I64) })
}

// An id may stand for more bytes than any memory holds: that is a fault only of a text that has it.
func TestDecodingIdsThatDouble(t *testing.T) {
	bytes, merges := op.New(op.I64, 256), op.New(op.I64, 80, 2)
	for i := range bytes.I64 {
		bytes.I64[i] = int64(i)
	}
	for i := range merges.I64 {
		merges.I64[i] = int64(255 + i/2)
	}
	spec := op.Spec{Op: "text.decode", Attrs: json.RawMessage(`{"capacity": 11}`), Const: []op.Tensor{bytes, merges}}
	ids := op.New(op.I64, 3)
	ids.I64 = []int64{258, 'b', 256}
	want := slices.Concat(slices.Repeat([]int64{255}, 8), []int64{'b', 255, 255})
	if got := runInts(t, optimized.New(), spec, ids); !slices.Equal(got[0].I64, want) || got[1].I64[0] != 11 {
		t.Errorf("got %v, want %v", got, want)
	}
	ids.I64[2] = 335
	k, err := optimized.New().Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Run([]op.Tensor{op.New(op.I64, 11), op.New(op.I64)}, []op.Tensor{ids}); !errors.Is(err, op.ErrCapacity) {
		t.Errorf("2^80 bytes in 2: got %v", err)
	}
}

func TestTextOpsAreTheReferences(t *testing.T) {
	dirty := rapid.SampledFrom(strings.Split("a,e,b,\u0301,\u0323, , ,\t,\n,\n,\n\n,\r,\r\n,\x00,\ufeff,\u00a0,\u0085,\u2028,\v,\u212b,\u0958,\xff,\xe2\x82,'s,'re,12,\u0663,!,\xf0\x9f", ","))
	rapid.Check(t, func(t *rapid.T) {
		text := textTensor([]byte(strings.Join(rapid.SliceOfN(dirty, 1, 40).Draw(t, "text"), "")))
		on := rapid.Bool()
		rules, err := json.Marshal(op.TextCleanAttrs{LineEndings: on.Draw(t, "line endings"), Controls: on.Draw(t, "controls"), NFC: on.Draw(t, "nfc"),
			Whitespace: on.Draw(t, "whitespace"), Duplicates: on.Draw(t, "duplicates")})
		if err != nil {
			t.Fatal(err)
		}
		n := int64(rapid.IntRange(1, 12).Draw(t, "merges"))
		merges := op.New(op.I64, int(n), 2)
		letters := []int64{'a', 'b', ' ', 'e', 0xCC, 0x81, '\n'}
		for i := range merges.I64 {
			merges.I64[i] = rapid.OneOf(rapid.SampledFrom(letters), rapid.Int64Range(0, 255+int64(i/2))).Draw(t, "id")
		}
		bytes := op.Int64(rapid.Permutation(seq(256)).Draw(t, "bytes"), 256)
		pretokenize := rapid.SampledFrom([]string{`{"pretokenize":"gpt2"}`, `{"pretokenize":"none"}`}).Draw(t, "pretokenize")
		for _, s := range []op.Spec{spec("text.clean", string(rules)), spec("text.encode", pretokenize, bytes, merges)} {
			got, want := runInts(t, optimized.New(), s, text), runInts(t, refimpl.New(), s, text)
			if !equalIntegers(got, want) {
				t.Fatalf("%s %s: got %v, want %v", s.Op, s.Attrs, got, want)
			}
		}
	})
}

func seq(n int64) []int64 {
	s := make([]int64, n)
	for i := range s {
		s[i] = int64(i)
	}
	return s
}

// r50kTable are the constants of the encoding of GPT-2 and GPT-3.
func r50kTable(t testing.TB) []op.Tensor {
	t.Helper()
	bytes, merges, err := tokenizer.R50kTable()
	if err != nil {
		t.Fatal(err)
	}
	return []op.Tensor{op.Int64(bytes, 256), op.Int64(merges, len(merges)/2, 2)}
}

func TestEncodingOpticksIsTiktokens(t *testing.T) {
	t.Parallel()
	tiktoken.SetBpeLoader(tiktokenloader.NewOfflineLoader())
	tok, err := tiktoken.GetEncoding(tokenizer.R50kName)
	if err != nil {
		t.Fatal(err)
	}
	want := tok.EncodeOrdinary(corpus.Opticks)
	table, text := r50kTable(t), textTensor([]byte(corpus.Opticks))
	got := runInts(t, optimized.New(), spec("text.encode", "{}", table...), text)
	ids, n := got[0].I64, got[1].I64[0]
	if !slices.EqualFunc(ids[:n], want, func(a int64, b int) bool { return a == int64(b) }) || slices.ContainsFunc(ids[n:], func(id int64) bool { return id != -1 }) {
		t.Fatalf("%d ids, tiktoken has %d, or they differ", n, len(want))
	}
	back := runInts(t, optimized.New(), spec("text.decode", `{"capacity":567198}`, table...), op.Int64(ids[:n], int(n)))
	if !slices.Equal(back[0].I64, text.I64) {
		t.Errorf("decoding does not give the text again: %d bytes", back[1].I64[0])
	}
}

// A piece of many bytes: merging by search for the best pair would take hours.
func TestEncodingOneLongPiece(t *testing.T) {
	t.Parallel()
	const n = 1 << 20
	text := op.New(op.I64, n)
	for i := range text.I64 {
		text.I64[i] = 'a'
	}
	merges := []int64{'a', 'a'}
	for id := int64(256); id < 256+19; id++ {
		merges = append(merges, id, id)
	}
	table := []op.Tensor{op.Int64(seq(256), 256), op.Int64(merges, len(merges)/2, 2)}
	got := runInts(t, optimized.New(), spec("text.encode", "{}", table...), text)
	if got[1].I64[0] != 1 || got[0].I64[0] != 256+19 {
		t.Errorf("2^20 letters became %d ids, the first %d, want one, %d", got[1].I64[0], got[0].I64[0], 256+19)
	}
}

func BenchmarkEncodeOpticks(b *testing.B) {
	s := spec("text.encode", "{}", r50kTable(b)...)
	src := []op.Tensor{textTensor([]byte(corpus.Opticks))}
	k := open(b, optimized.New(), s)
	dst, err := op.Shapes(s, src, op.F32)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(corpus.Opticks)))
	for b.Loop() {
		if err := k.Run(dst, src); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCleanOpticks(b *testing.B) {
	text := []byte(corpus.Opticks)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		corpus.Clean(text, corpus.AllRules)
	}
}
