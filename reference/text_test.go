package reference

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/assaykit/assay/corpus"
)

// Python's bytes.decode("utf-8", "replace") follows section 3.9 too, and gives these (3.11); the last but one is the standard's own example.
func TestReplaceInvalid(t *testing.T) {
	for _, tt := range []struct {
		text, want string
		n          int
	}{
		{"a\u00e9\U0001f642\ufffd", "a\u00e9\U0001f642\ufffd", 0},
		{"\xe2\x82A", "?A", 1},
		{"\xed\xa0\x80", "???", 3},
		{"\xf0\x80\x80", "???", 3},
		{"\xf0\x9f\x98", "?", 1},
		{"\xf0\x90\x80x", "?x", 1},
		{"\xf4\x90\x80\x80", "????", 4},
		{"\xc0\xaf\xe0\x80\xaf", "?????", 5},
		{"\xff\xfe\xc3", "???", 3},
		{"a\xf1\x80\x80\xe1\x80\xc2b\x80c\x80\xbfd", "a???b?c??d", 6},
		{"\xc3\xc3\xa9", "?\u00e9", 1},
	} {
		want := strings.ReplaceAll(tt.want, "?", "\ufffd")
		if got, n := ReplaceInvalid([]byte(tt.text)); got != want || n != tt.n {
			t.Errorf("%q: got %q and %d, want %q and %d", tt.text, got, n, want, tt.n)
		}
	}
}

func TestCleaningRules(t *testing.T) {
	nfc := func(text string) (string, int) { return Normalize(text, norm.NFC.String) }
	for name, rule := range map[string]struct {
		apply func(string) (string, int)
		cases []struct {
			text, want string
			n          int
		}
	}{
		"line endings": {UnifyLineEndings, []struct {
			text, want string
			n          int
		}{
			{"a\nb\n", "a\nb\n", 0},
			{"a\r\nb\rc\n\rd\r", "a\nb\nc\n\nd\n", 4},
			{"a\r\r\nb", "a\n\nb", 2},
			{"\v\f\u0085\u2028\u2029", "\n\n\n\n\n", 5},
			{"\u200b\u0084", "\u200b\u0084", 0},
		}},
		"controls": {RemoveControls, []struct {
			text, want string
			n          int
		}{
			{"a\x00b\x1b\x7f\u0080\u009f", "ab", 5},
			{"\ufeffa\ufeff", "a", 2},
			{"\t\n\r", "\t\n\r", 0},
			{"\v\f\u0085", "", 3},
			{"\u200d\u00ad\u200e", "\u200d\u00ad\u200e", 0},
		}},
		"nfc": {nfc, []struct {
			text, want string
			n          int
		}{ // Python's unicodedata.normalize("NFC", ...), of Unicode 14, gives these
			{"e\u0301", "\u00e9", 1},
			{"\u212b\u2126\u037e", "\u00c5\u03a9;", 1},
			{"\u0958", "\u0915\u093c", 1},
			{"\U0001d160", "\U0001d158\U0001d165\U0001d16e", 1},
			{"q\u0307\u0323", "q\u0323\u0307", 1},
			{"\u1112\u1161\u11ab", "\ud55c", 1},
			{"\ufb01", "\ufb01", 0},
			{"o\u031b\u0323\nx\ne\x00\u0301\n\u2000", "\u1ee3\nx\ne\x00\u0301\n\u2002", 2},
		}},
		"whitespace": {TrimWhitespace, []struct {
			text, want string
			n          int
		}{
			{"a b\n\nc", "a b\n\nc", 0},
			{"a  b\t\tc\u00a0\u3000d", "a b c d", 1},
			{"\u2003a\u2003\n", "a", 2},
			{"a\n\n\n\nb", "a\n\nb", 2},
			{"\n\na\n \n", "a", 4},
			{"a\n \n\nb", "a\n\nb", 2},
			{"a\n\n \nb", "a\n\nb", 1},
			{" \n\t\n", "", 3},
			{"", "", 1},
			{"a\r\vb", "a\r\vb", 0},
		}},
		"duplicates": {DropDuplicates, []struct {
			text, want string
			n          int
		}{
			{"a\n\nb\n\na", "a\n\nb", 1},
			{"a\n\na\n\na\n", "a\n", 2},
			{"a\nb\n\nb\n\na\nb\n\nc", "a\nb\n\nb\n\nc", 1},
			{"a\n\n\na\n\n\n\nb", "a\n\n\n\nb", 1},
			{"\n\na\n\na\n\n", "\n\na\n\n", 1},
			{"a\n\na ", "a\n\na ", 0},
			{"\n\n\n", "\n\n\n", 0},
			{"", "", 0},
		}},
	} {
		for _, tt := range rule.cases {
			if got, n := rule.apply(tt.text); got != tt.want || n != tt.n {
				t.Errorf("%s: %q: got %q and %d, want %q and %d", name, tt.text, got, n, tt.want, tt.n)
			}
		}
	}
}

// dirty draws texts that have something for every rule.
var dirty = rapid.Custom(func(t *rapid.T) []byte {
	parts := rapid.SampledFrom([]string{"a", "e", "\u0301", "\u0323", " ", " ", "\t", "\n", "\n", "\n\n", "\r", "\r\n", "\x00", "\ufeff", "\u00a0", "\u0085",
		"\u2028", "\v", "\u212b", "\u0958", "\xff", "\xe2\x82", "ab\n\n", "\u1112", "\u1161"})
	return []byte(strings.Join(rapid.SliceOfN(parts, 0, 30).Draw(t, "text"), ""))
})

var drawRules = rapid.Custom(func(t *rapid.T) CleanRules {
	on := rapid.Bool()
	return CleanRules{on.Draw(t, "line endings"), on.Draw(t, "controls"), on.Draw(t, "nfc"), on.Draw(t, "whitespace"), on.Draw(t, "duplicates")}
})

func TestCleanIsIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, rules := dirty.Draw(t, "text"), drawRules.Draw(t, "rules")
		once, _ := Clean(text, rules, norm.NFC.String)
		twice, n := Clean([]byte(once), rules, norm.NFC.String)
		if once != twice || n.Invalid+n.LineEndings+n.Controls+n.NFC+n.Duplicates > 0 {
			t.Fatalf("%q became %q and then %q, %+v", text, once, twice, n)
		}
		if len(once) > 3*len(text) {
			t.Fatalf("%q has %d bytes, and %d when it is clean", text, len(text), len(once))
		}
	})
}

// The text that the project trains on is read by two implementations of the rules.
func TestCleanOfOpticksIsTheCorpus(t *testing.T) {
	rules := CleanRules{true, true, true, true, true}
	got, n := Clean([]byte(corpus.Opticks), rules, norm.NFC.String)
	want, report := corpus.Clean([]byte(corpus.Opticks), corpus.AllRules)
	if got != string(want) || corpus.Report(n) != report {
		t.Errorf("got %d bytes, %+v, want %d bytes, %+v", len(got), n, len(want), report)
	}
	if report.Whitespace == 0 || report.Duplicates == 0 {
		t.Errorf("%+v: want something to clean", report)
	}
}

func TestSplitPackBatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfN(rapid.IntRange(2, 50), 2, 60).Draw(t, "ids")
		train, validation := Split(ids, rapid.Float64Range(0.001, 0.999).Draw(t, "fraction"))
		if !slices.Equal(slices.Concat(train, validation), ids) || len(train) == 0 || len(validation) == 0 {
			t.Fatalf("%v was split into %v and %v", ids, train, validation)
		}

		var documents [][]int
		var lengths []int
		for rest := ids; len(rest) > 0; {
			n := rapid.IntRange(0, len(rest)).Draw(t, "length")
			documents, lengths, rest = append(documents, rest[:n]), append(lengths, n), rest[n:]
		}
		hasStart := rapid.Bool().Draw(t, "start")
		packed, err := Pack(ids, lengths, 0, 1, hasStart)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range documents {
			end := slices.Index(packed, 1)
			got := packed[:end]
			if hasStart && (len(got) == 0 || got[0] != 0) {
				t.Fatalf("%v does not begin with start", got)
			} else if hasStart {
				got = got[1:]
			}
			if !slices.Equal(got, want) {
				t.Fatalf("a document is unpacked as %v, want %v", got, want)
			}
			packed = packed[end+1:]
		}
		if len(packed) > 0 {
			t.Fatalf("%v is left", packed)
		}

		seq := rapid.IntRange(1, len(ids)-1).Draw(t, "seq")
		starts := rapid.SliceOfN(rapid.IntRange(0, len(ids)-seq-1), 1, 5).Draw(t, "starts")
		x, y, err := Batches(ids, starts, seq)
		if err != nil {
			t.Fatal(err)
		}
		for b := range starts {
			if !slices.Equal(x[b][1:], y[b][:seq-1]) || y[b][seq-1] != ids[starts[b]+seq] || x[b][0] != ids[starts[b]] {
				t.Fatalf("x %v, y %v", x[b], y[b])
			}
		}
	})
}

func TestTokenFaults(t *testing.T) {
	for name, err := range map[string]error{
		"lengths beyond the ids":  second(Pack([]int{3, 4}, []int{1, 2}, 0, 1, false)),
		"ids beyond the lengths":  second(Pack([]int{3, 4}, []int{1}, 0, 1, false)),
		"a negative length":       second(Pack([]int{3, 4}, []int{3, -1}, 0, 1, false)),
		"end in a document":       second(Pack([]int{3, 1}, []int{2}, 0, 1, false)),
		"start in a document":     second(Pack([]int{3, 0}, []int{2}, 0, 1, true)),
		"padding in a document":   second(Pack([]int{3, -1}, []int{2}, 0, 1, false)),
		"a start that is too far": third(Batches([]int{3, 4, 5}, []int{0, 1}, 2)),
		"a negative start":        third(Batches([]int{3, 4, 5}, []int{-1}, 2)),
		"a window over all ids":   third(Batches([]int{3, 4, 5}, []int{0}, 3)),
	} {
		if !errors.Is(err, ErrIndex) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := Pack([]int{3, 0}, []int{2}, 0, 1, false); err != nil {
		t.Errorf("without start, 0 is an id like others: %v", err)
	}
}

func second[A any](_ A, err error) error { return err }

func third[A, B any](_ A, _ B, err error) error { return err }

// Sequences of bytes at the edges of every range of The Unicode Standard's table 3-7: well-formed is what package utf8 says, and a maximal
// subpart is, by definition D93b, the longest start of a sequence that some bytes complete to a well-formed one, or else one byte.
func TestSubpartsAtEveryEdge(t *testing.T) {
	edges := []byte{0x00, 0x7F, 0x80, 0x81, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xC3, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF,
		0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF}
	continuations := []byte{0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF}
	whole := func(b []byte) bool { r, n := utf8.DecodeRune(b); return n == len(b) && (r != utf8.RuneError || n == 3) }
	var begins func(b []byte) bool // whether b is a well-formed sequence or begins one
	begins = func(b []byte) bool {
		if whole(b) {
			return true
		}
		if len(b) == 4 {
			return false
		}
		for _, c := range continuations {
			if begins(append(b[:len(b):len(b)], c)) {
				return true
			}
		}
		return false
	}
	known := map[string]bool{}
	cached := func(b []byte) bool {
		v, ok := known[string(b)]
		if !ok {
			v = begins(b)
			known[string(b)] = v
		}
		return v
	}
	check := func(b []byte) {
		want := 1
		for n := 1; n <= len(b) && cached(b[:n]); n++ {
			want = n
			if whole(b[:n]) {
				break
			}
		}
		if n, ok := subpart(b); n != want || ok != whole(b[:want]) {
			t.Fatalf("% x: got %d, %v, want %d, %v", b, n, ok, want, whole(b[:want]))
		}
	}
	for _, b0 := range edges {
		check([]byte{b0})
		for _, b1 := range edges {
			check([]byte{b0, b1})
			for _, b2 := range edges {
				check([]byte{b0, b1, b2})
				for _, b3 := range edges {
					check([]byte{b0, b1, b2, b3})
				}
			}
		}
	}
}

// CR LF is one end of a line wherever it stands, and CR alone one too.
func TestLineEndingsAtTheEdges(t *testing.T) {
	for _, tt := range []struct {
		text, want string
		n          int
	}{
		{"a\r\n", "a\n", 1}, {"\r\n", "\n", 1}, {"\r", "\n", 1}, {"\r\r\n", "\n\n", 2}, {"\n\r", "\n\n", 1}, {"\r\na", "\na", 1}, {"a\r\nb", "a\nb", 1},
	} {
		if got, n := UnifyLineEndings(tt.text); got != tt.want || n != tt.n {
			t.Errorf("%q: got %q and %d, want %q and %d", tt.text, got, n, tt.want, tt.n)
		}
	}
}

// TXT-15: floor(fraction N), from 1 to N - 1.
func TestSplitSizes(t *testing.T) {
	for _, tt := range []struct {
		n        int
		fraction float64
		want     int
	}{
		{10, 0.1, 1}, {19, 0.1, 1}, {20, 0.1, 2}, {100, 0.29, 28}, {7, 0.25, 1}, {8, 0.25, 2}, {5, 0.001, 1}, {2, 0.9, 1}, {2, 0.001, 1}, {3, 0.9, 2},
		{100, 0.999, 99}, {4, 0.75, 3}, {4, 0.5, 2},
	} {
		train, validation := Split(make([]int, tt.n), tt.fraction)
		if len(validation) != tt.want || len(train) != tt.n-tt.want {
			t.Errorf("%d ids, fraction %v: got %d and %d, want %d in validation", tt.n, tt.fraction, len(train), len(validation), tt.want)
		}
	}
}
