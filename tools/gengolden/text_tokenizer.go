package main

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/corpus"
	"github.com/assaykit/assay/reference"
)

// gpt2Bytes gives the bytes the ids that GPT-2 gives them: first those that it prints as they are.
func gpt2Bytes() []int64 {
	order := make([]int64, 256)
	next := int64(0)
	for _, printed := range []bool{true, false} {
		for b := range order {
			if (b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE) == printed {
				order[b] = next
				next++
			}
		}
	}
	return order
}

// learnMerges learns n merges from a text as Sennrich et al. do: the most frequent pair within words, the lowest ids where several are.
func learnMerges(bytes []int64, sample string, n int) []int64 {
	words := map[string]int{}
	for _, w := range reference.Pretokenize([]byte(sample)) {
		words[string(w)]++
	}
	type word struct {
		ids   []int64
		times int
	}
	var all []word
	for _, w := range slices.Sorted(maps.Keys(words)) {
		var ids []int64
		for i := range len(w) {
			ids = append(ids, bytes[w[i]])
		}
		all = append(all, word{ids, words[w]})
	}
	var merges []int64
	for r := range n {
		counts := map[[2]int64]int{}
		for _, w := range all {
			for i := range len(w.ids) - 1 {
				counts[[2]int64{w.ids[i], w.ids[i+1]}] += w.times
			}
		}
		pairs := slices.SortedFunc(maps.Keys(counts), func(a, b [2]int64) int {
			return cmp.Or(counts[b]-counts[a], cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
		})
		merges = append(merges, pairs[0][:]...)
		for j, w := range all {
			for i := 0; i+1 < len(w.ids); i++ {
				if [2]int64(w.ids[i:i+2]) == pairs[0] {
					w.ids = slices.Replace(w.ids, i, i+2, int64(256+r))
				}
			}
			all[j] = w
		}
	}
	return merges
}

// newton is the table that most cases use: 60 merges learned from the beginning of Opticks.
func newton() args {
	bytes := gpt2Bytes()
	merges := learnMerges(bytes, corpus.Opticks[:60_000], 60)
	return args{"bytes": ids(bytes...), "merges": idsOf(merges, len(merges)/2, 2)}
}

// crossing is a table of the pairs of bytes that a text holds, those that lie across the ends of its pieces first: a piece that ends
// elsewhere is then encoded otherwise.
func crossing(s string) args {
	bytes := gpt2Bytes()
	ends := map[int]bool{}
	at := 0
	for _, piece := range reference.Pretokenize([]byte(s)) {
		at += len(piece)
		ends[at] = true
	}
	var merges []int64
	listed := map[[2]int64]bool{}
	for _, across := range []bool{true, false} {
		for i := 1; i < len(s); i++ {
			pair := [2]int64{bytes[s[i-1]], bytes[s[i]]}
			if ends[i] == across && !listed[pair] {
				listed[pair] = true
				merges = append(merges, pair[:]...)
			}
		}
	}
	return args{"bytes": ids(bytes...), "merges": idsOf(merges, len(merges)/2, 2)}
}

// inOrder is a table whose bytes are their own ids.
func inOrder(merges ...int64) args {
	bytes := make([]int64, 256)
	for b := range bytes {
		bytes[b] = int64(b)
	}
	t := args{"bytes": ids(bytes...)}
	if len(merges) > 0 {
		t["merges"] = idsOf(merges, len(merges)/2, 2)
	}
	return t
}

var _ = register("text.encode", textEncodeFamily)

func textEncodeFamily() family {
	f := family{flags: []vector.Flag{
		{Name: "rank", Bug: "the leftmost or the longest pair is merged, not that of the lowest rank", See: "longest-match tokenizers"},
		{Name: "leftmost", Bug: "of equal pairs the last is merged first"},
		{Name: "chain", Bug: "a pair that a merge makes is not found, or one that it takes away is merged all the same"},
		{Name: "bytes", Bug: "a byte is its own id, or a byte that is not UTF-8 is replaced or dropped"},
		{Name: "words", Bug: "a piece begins or ends elsewhere than in GPT-2's pattern"},
		{Name: "contractions", Bug: "contractions are looked for in any case, or behind a SPACE"},
		{Name: "white-space", Bug: "a run of white space gives all, or none, to the word behind it, or white space is ASCII only"},
		{Name: "unicode", Bug: "letters and numbers are ASCII only, or marks are letters"},
		{Name: "table", Bug: "a table that is no encoding is accepted"},
		{Name: "byte-range", Bug: "an element that is no byte is cut to eight bits"},
	}}
	table := newton()
	with := func(name, comment, clauses, flags, pretokenize string, table args, s string) {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: attrs{"pretokenize": pretokenize},
			consts: table, src: args{"text": text(s)}, compare: vector.Exact})
	}
	none := func(name, comment, clauses, flags string, table args, s string) {
		with(name, comment, clauses, flags, "none", table, s)
	}
	words := func(name, comment, flags, s string) {
		with(name, comment, "TXT-11 TXT-12", flags, "gpt2", crossing(s), s)
	}

	every := make([]byte, 256)
	for b := range every {
		every[b] = byte(b)
	}
	none("bytes", "No merges: every byte has the id that the table gives it.", "TXT-10", "bytes", args{"bytes": table["bytes"]}, string(every))
	none("one-byte", "A text of one byte.", "TXT-10 TXT-11", "bytes", table, " ")
	none("rank", "bc is merged before ab.", "TXT-11", "rank", inOrder('b', 'c', 'a', 'b'), "abcabdbcab")
	none("rank-over-length", "A long merge of high rank does not happen where a short one of low rank takes its parts.", "TXT-11", "rank chain",
		inOrder('a', 'b', 'c', 'd', 256, 257, 'b', 'c', 'd', 'e'), "abcdeabcd bcd")
	none("leftmost", "Of overlapping equal pairs the left one is merged.", "TXT-11", "leftmost", inOrder('a', 'a'), "aaaaa aaa aa")
	none("doubling", "Merges of merges of one letter.", "TXT-11", "leftmost chain", inOrder('a', 'a', 256, 256, 257, 257, 258, 'a'), strings.Repeat("a", 31))
	none("chain", "Each merge makes the pair of the next.", "TXT-11", "chain", inOrder('a', 'b', 256, 'c', 257, 'd', 258, 'e'), "abcdeabcdabceabde")
	none("chain-left", "Each merge makes a pair with its left neighbour.", "TXT-11", "chain", inOrder('d', 'e', 'c', 256, 'b', 257, 'a', 258), "abcdebcdeacde")
	none("taken", "A pair whose part was merged away is not merged.", "TXT-11", "chain rank", inOrder('b', 'c', 'a', 'b', 'c', 'd'), "abcdabcd")
	none("first-rank-counts", "A pair that is listed twice has its first rank.", "TXT-10 TXT-11", "table", inOrder('a', 'b', 'b', 'c', 'a', 'b'), "abcab")
	none("across-words", "Without pretokenization merges cross words and white space.", "TXT-12", "words", inOrder(' ', ' ', 'e', ' ', 257, 't'), "the tree  the\n")
	none("opticks-whole", "A passage of Opticks as one piece.", "TXT-11", "rank chain", table, corpus.Opticks[20_000:20_400])

	with("opticks", "A passage of Opticks, word by word.", "TXT-11 TXT-12", "rank chain words", "gpt2", table, corpus.Opticks[20_000:20_400])
	with("title", "The title page, with its white space.", "TXT-11 TXT-12", "white-space", "gpt2", table, corpus.Opticks[:500])
	words("contractions", "'s 't 're 've 'm 'll 'd, and what only looks like them.", "contractions",
		"we've don't I'll he'd it's I'm they're CAN'T I'LL 'tis 'twas 'lend 'vast 'red 's' rock'n'roll ''s")
	words("apostrophes", "An apostrophe behind a SPACE, at the end, or one of Unicode's.", "contractions", "the 's the ' s the\u2019s 'r 'v 'l '")
	words("spaces", "A run of spaces leaves its last to the word.", "white-space", "a b  c   d    e    ")
	words("newlines", "A line end is no part of the word behind it.", "white-space", "a\nb\n\nc\r\nd \ne\n f \n g\n\n\n")
	words("tabs", "TAB, VT and FF are white space; only SPACE joins a word.", "white-space", "a\tb\t\tc \td\t e\v\ff")
	words("unicode-spaces", "White space beyond ASCII is white space, and joins no word.", "white-space unicode",
		"a\u00a0b\u00a0 c \u00a0d\u2003\u2003e\u3000f\u2028g\u0085h\u1680i")
	words("not-spaces", "Zero width spaces and the separators of ASCII are others.", "white-space unicode", "a\u200bb\x1c\x1dc\ufeffd\u180ee \x1f f")
	words("only-space", "White space to the end is one piece.", "white-space", " \n \t\u00a0 ")
	words("numbers", "Digits, fractions and Roman numerals are numbers, apart from letters.", "words unicode", "3.14159 1st 2nd x2y 10\u00bd! m\u00b2; \u00bd \u2167 \u0663\u0664 \u00b2")
	words("letters", "Letters of all scripts.", "unicode", "na\u00efve \u03b3\u03b5\u03b9\u03ac \u4f60\u597d\u3002 \u05e9\u05dc\u05d5\u05dd \u1e9e")
	words("marks", "Combining marks are no letters.", "unicode", "re\u0301sume\u0301 \u0928\u092e\u0938\u094d\u0924\u0947")
	words("others", "Runs of punctuation and symbols.", "words", "wait... what?! (a+b) -- _x_ $5 #1 \U0001f642\u200d\U0001f642 ,,  ;;")
	words("invalid", "Bytes that are not UTF-8 are others, one by one, and keep their values.", "bytes words", "a\xffb \xc3\xa9\xc3 c\xe2\x82 \xf0\x9fz\x80\x80")
	words("surrogate", "So are an encoded surrogate and an overlong form.", "bytes", "x\xed\xa0\x80y\xc0\xafz")
	words("nul", "NUL and DEL.", "bytes", "a\x00b\x7f \x00")
	with("plain", "Pretokenization without merges changes nothing.", "TXT-10 TXT-12", "bytes", "gpt2", args{"bytes": table["bytes"]}, "the light of the Sun's rays\n")

	fails := func(name, comment, clauses, flags, kind string, a attrs, consts args, in draw) {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: a, consts: consts, src: args{"text": in},
			err: kind, compare: vector.Exact})
	}
	permuted := func(change func([]int64)) args {
		bytes := gpt2Bytes()
		change(bytes)
		return args{"bytes": ids(bytes...)}
	}
	fails("byte-256", "An element that is no byte is an error.", "TXT-1", "byte-range", "index", nil, table, ids(65, 256))
	fails("byte-negative", "So is a negative one.", "TXT-1", "byte-range", "index", nil, table, ids(65, -1))
	fails("bytes-twice", "Two bytes with one id.", "TXT-10", "table", "index", nil, permuted(func(b []int64) { b[9] = b[10] }), text("a"))
	fails("bytes-outside", "A byte with an id of merges.", "TXT-10", "table", "index", nil, permuted(func(b []int64) { b[9] = 256 }), text("a"))
	fails("merge-itself", "A merge of the id that it makes.", "TXT-10", "table", "index", nil, inOrder('a', 'b', 'c', 257), text("a"))
	fails("merge-negative", "A merge of a negative id.", "TXT-10", "table", "index", nil, inOrder('a', -1), text("a"))
	fails("pretokenize", "An unknown pretokenization.", "TXT-12", "words", "attributes", attrs{"pretokenize": "gpt4"}, table, text("a"))
	return f
}

var _ = register("text.decode", textDecodeFamily)

func textDecodeFamily() family {
	f := family{flags: []vector.Flag{
		{Name: "merges", Bug: "a merge of merges is not taken apart to the end, or in another order"},
		{Name: "bytes", Bug: "an id of a byte is taken for the byte, or bytes that are not UTF-8 are replaced"},
		{Name: "id-range", Bug: "an id outside the table is dropped, or reads other memory"},
		{Name: "room", Bug: "a text that fills the capacity is refused, or one that is longer is cut"},
	}}
	table := newton()
	add := func(name, comment, clauses, flags, err string, capacity int, table args, at draw) {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: attrs{"capacity": capacity}, consts: table,
			src: args{"ids": at}, err: err, compare: vector.Exact})
	}
	every := make([]int64, 316)
	for id := range every {
		every[id] = int64(id)
	}
	add("every-id", "Every id of the table.", "TXT-13", "merges bytes", "", 700, table, ids(every...))
	add("bytes", "Without merges, ids are bytes in another order.", "TXT-13", "bytes", "", 256, args{"bytes": table["bytes"]}, ids(every[:256]...))
	add("nested", "A merge of merges of merges.", "TXT-1 TXT-13", "merges", "", 20, inOrder('a', 'b', 256, 'c', 'd', 257, 258, 256), ids(259, 257, 'x', 258))
	add("invalid", "Bytes that are no text.", "TXT-13", "bytes", "", 9, inOrder(0xC3, 0xA9), ids(0xFF, 256, 0xC3, 0x80))
	add("room-exact", "A text that fills its room.", "TXT-14", "room", "", 5, inOrder('a', 'b'), ids(256, 'c', 256))
	add("room-short", "A text with one byte too many.", "TXT-14", "room", "capacity", 4, inOrder('a', 'b'), ids(256, 'c', 256))
	add("id-past", "The id behind the last.", "TXT-14", "id-range", "index", 9, inOrder('a', 'b'), ids('a', 257))
	add("id-negative", "Padding is no token.", "TXT-14", "id-range", "index", 9, inOrder('a', 'b'), ids('a', -1))
	add("id-no-merges", "Without merges 256 is outside.", "TXT-14", "id-range", "index", 9, args{"bytes": table["bytes"]}, ids(256))
	add("capacity-0", "Room for nothing.", "TXT-14", "room", "attributes", 0, table, ids(1))
	return f
}
