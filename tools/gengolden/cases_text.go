package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/corpus"
	"github.com/assaykit/assay/reference"
)

func textFamilies() []family {
	return []family{textCleanFamily(), textEncodeFamily(), textDecodeFamily(), textSplitFamily(), textPackFamily(), textBatchesFamily()}
}

// text gives the bytes of a text.
func text(s string) draw {
	values := make([]int64, len(s))
	for i := range values {
		values[i] = int64(s[i])
	}
	return ids(values...)
}

// on are attributes that are true.
func on(names string) attrs {
	a := attrs{}
	for _, name := range strings.Fields(names) {
		a[name] = true
	}
	return a
}

func textCleanFamily() family {
	f := family{op: "text.clean", flags: []vector.Flag{
		{Name: "utf-8", Bug: "one U+FFFD for each byte or each run of them, overlong forms or surrogates accepted", See: "Go's range loop and bytes.ToValidUTF8"},
		{Name: "line-ends", Bug: "CR LF becomes two lines, or a lone CR or a Unicode line end stays"},
		{Name: "controls", Bug: "TAB or LF removed, C1 controls or a byte order mark kept, joiners removed"},
		{Name: "nfc", Bug: "NFD, NFKC, excluded compositions composed, or no room for what becomes longer"},
		{Name: "blanks", Bug: "only SPACE and TAB are blanks, empty lines are counted in bytes, or an edge keeps one"},
		{Name: "paragraphs", Bug: "lines are compared in place of paragraphs, only neighbours are compared, or a copy leaves its empty lines behind"},
		{Name: "order", Bug: "rules are applied in another order"},
		{Name: "counts", Bug: "a rule counts bytes, or what it looked at and not what it changed"},
		{Name: "byte-range", Bug: "an element that is no byte is cut to eight bits"},
	}}
	add := func(name, comment, clauses, flags, rules, s string) {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: on(rules), src: args{"text": text(s)},
			compare: vector.Exact})
	}
	const everything = "line_endings controls nfc whitespace duplicates"

	add("off", "No rule: a text in UTF-8 stays as it is.", "TXT-1 TXT-3 TXT-9", "counts", "", " a\r\n\x00e\u0301\t\n\n\n\na\n")
	add("extremes", "The first and last characters of each length are valid, U+FFFD among them.", "TXT-2", "utf-8", "",
		"\x00\x7f\u0080\u07ff\u0800\ud7ff\ue000\ufffd\uffff\U00010000\U0010ffff")
	add("subparts", "The standard's example: six maximal subparts.", "TXT-2 TXT-9", "utf-8 counts", "", "a\xf1\x80\x80\xe1\x80\xc2b\x80c\x80\xbfd")
	add("surrogates", "An encoded surrogate is three errors.", "TXT-2 TXT-9", "utf-8", "", "\xed\xa0\x80\xed\xbf\xbfx")
	add("overlong", "Overlong forms are an error a byte.", "TXT-2 TXT-9", "utf-8", "", "\xc0\xaf\xe0\x80\xaf\xf0\x80\x80\xaf")
	add("beyond", "What would be beyond U+10FFFF, and bytes that no text has.", "TXT-2 TXT-9", "utf-8", "", "\xf4\x90\x80\x80\xf5\xfe\xff")
	add("cut", "A character that the end of the text cuts is one error.", "TXT-2 TXT-9", "utf-8", "", "abc\xf0\x9f\x99")
	add("cut-short", "A character that the next one cuts is one error, and the next one stays.", "TXT-2 TXT-9", "utf-8", "", "\xc3\xc3\xa9\xe2\x82A\xf0\x9f\u00e9")
	add("all-invalid", "Every byte becomes three: the result fills its room.", "TXT-1 TXT-2", "utf-8", "", "\xff\x80\xc1\xfe\xbf")

	add("crlf", "CR LF is one line end, and CR alone is one too.", "TXT-4 TXT-9", "line-ends counts", "line_endings", "a\r\nb\rc\n\rd\r\r\ne\r")
	add("unicode-ends", "VT, FF, NEL, LS and PS end lines.", "TXT-4 TXT-9", "line-ends", "line_endings", "a\vb\fc\u0085d\u2028e\u2029f\u200bg\u0084h")
	add("ends-only", "With line_endings alone, nothing else changes.", "TXT-4", "line-ends", "line_endings", "\x00 a \u00a0\r\n\r\n\r\n e\u0301\ufeff")

	add("controls", "C0 and C1 controls go; TAB, LF and CR stay.", "TXT-5 TXT-9", "controls counts", "controls", "a\x00\x01b\tc\nd\re\x1b[0m\x7f\u0080\u009ff\u00a0")
	add("bom", "A byte order mark goes wherever it is.", "TXT-5 TXT-9", "controls", "controls", "\ufeffone\ufefftwo\ufeff")
	add("joiners", "Joiners, soft hyphens and directional marks stay.", "TXT-5", "controls", "controls", "a\u200db\u200cc\u00add\u200ee\u2060\x02")
	add("controls-lines", "Where line_endings is off, VT, FF and NEL are controls.", "TXT-4 TXT-5 TXT-9", "controls", "controls", "a\vb\fc\u0085d\re")
	add("nothing-left", "A text of controls becomes empty.", "TXT-1 TXT-5", "controls", "controls", "\x00\x01\u0090")

	add("compose", "Letters and their accents become one character.", "TXT-6 TXT-9", "nfc counts", "nfc", "re\u0301sume\u0301\nplain\nA\u030angstro\u0308m")
	add("singletons", "Angstrom, Ohm and the Greek question mark have one form.", "TXT-6 TXT-9", "nfc", "nfc", "\u212b\u2126\u037e\u2000")
	add("exclusions", "What must not be composed is taken apart, and becomes longer.", "TXT-1 TXT-6", "nfc", "nfc", "\u0958\u2adc\u0f73\U0001d160")
	add("longest", "A character that becomes three times as long.", "TXT-1 TXT-6", "nfc", "nfc", "\U0001d160\U0001d15f")
	add("reorder", "Marks are put in their order, and the first composes.", "TXT-6", "nfc", "nfc", "q\u0307\u0323 D\u0307\u0323 a\u0300\u0328 o\u031b\u0323")
	add("hangul", "Jamo become syllables.", "TXT-6", "nfc", "nfc", "\u1112\u1161\u11ab\u1100\u1173\u11af \uac00\u11a8")
	add("compatibility", "Ligatures, superscripts and wide letters stay: this is not NFKC.", "TXT-6 TXT-9", "nfc counts", "nfc", "\ufb01 x\u00b2 \uff21 \u00bd\ne\u0301")

	add("blanks", "Every run of blanks becomes one SPACE.", "TXT-7 TXT-9", "blanks counts", "whitespace", "a  b\t\tc \t d\u00a0e\u2003\u3000f\u202fg")
	add("not-blanks", "CR, VT, zero width spaces and NEL are not blanks.", "TXT-7", "blanks", "whitespace", "a \rb\v\vc\u200b\u200bd\u0085\u0085e  f")
	add("edges", "Lines have no blanks at their edges, the text no empty lines.", "TXT-7 TXT-9", "blanks counts", "whitespace", "\n\n  a b \n\tc\u00a0\n\n")
	add("empty-lines", "Of empty lines one stays, also where they held blanks.", "TXT-7 TXT-9", "blanks counts", "whitespace", "a\n\n\n\nb\n \n\t\n\nc\n\n \nd\ne")
	add("blank-text", "A text of blanks becomes empty.", "TXT-1 TXT-7 TXT-9", "blanks counts", "whitespace", " \n\t\n\u00a0\n")
	add("tidy", "A text that is tidy stays as it is.", "TXT-3 TXT-7 TXT-9", "counts", "whitespace", "a b\nc\n\nd")

	add("copies", "Later copies of a paragraph go, wherever they are.", "TXT-8 TXT-9", "paragraphs counts", "duplicates", "a\n\nb\n\na\n\nc\n\nb\n\na\n")
	add("many-lines", "A paragraph is all of its lines.", "TXT-8", "paragraphs", "duplicates", "a\nb\n\nb\n\na\nb\n\nb\na\n\na")
	add("empty-paragraphs", "The empty lines before a copy go with it, those before others stay.", "TXT-8", "paragraphs", "duplicates", "\n\na\n\n\n\na\n\n\nb\n\na\n\n")
	add("nearly", "Case and blanks make a difference.", "TXT-8 TXT-9", "paragraphs counts", "duplicates", "a\n\nA\n\na \n\n a\n\na")
	add("repeated-lines", "Lines that repeat within a paragraph stay.", "TXT-8", "paragraphs", "duplicates", "a\na\na\n\na\n\na\na\na")
	add("blank-lines", "A line of blanks is not empty: without whitespace it joins paragraphs.", "TXT-8", "paragraphs order", "duplicates", "a\n \nb\n\na\n\nb\n\na\n \nb")

	add("controls-nfc", "A control between a letter and its accent does not keep them apart.", "TXT-3 TXT-5 TXT-6", "order", "controls nfc", "e\x00\u0301 a\ufeff\u0300")
	add("ends-controls", "NEL is a line end first, and CR does not wait for the LF behind a control.", "TXT-3 TXT-4 TXT-5 TXT-9", "order counts",
		"line_endings controls", "a\u0085b\r\x00\nc\vd\x00")
	add("ends-whitespace", "Line ends of all kinds make empty lines.", "TXT-3 TXT-4 TXT-7", "order", "line_endings whitespace", "a \r\n\r\n\u2029\r b\f\fc\r")
	add("whitespace-duplicates", "Paragraphs are compared after blanks are.", "TXT-3 TXT-7 TXT-8", "order", "whitespace duplicates", "a  b\n\na b \n \na\u00a0b\n\nc")
	add("nfc-duplicates", "Paragraphs are compared after normalization.", "TXT-3 TXT-6 TXT-8", "order", "nfc duplicates", "\u00e9\n\ne\u0301\n\n\xff\n\n\ufffd")
	add("everything", "All rules on a text that needs each.", "TXT-3 TXT-9", "order counts", everything,
		"\ufeffOpticks:\r\nor,  a Treatise\u00a0of\r\n\r\n\r\n\x0cLight \u0085and Colours.\xff\r\re\u0301\x00\r\n\r\n\u00e9\r\n\r\nOpticks:\nor, a Treatise of\n\n")
	add("everything-controls", "All rules on controls alone.", "TXT-1 TXT-3 TXT-9", "counts", everything, "\x00\x02")
	add("opticks", "The title page of Newton's Opticks, all rules.", "TXT-3 TXT-7 TXT-8 TXT-9", "blanks counts", everything, corpus.Opticks[:1600])
	for _, bad := range []int64{256, -1, 1<<32 + 65} {
		f.cases = append(f.cases, testCase{name: fmt.Sprintf("byte-%d", bad), comment: "An element that is no byte is an error.", clauses: "TXT-1",
			flags: "byte-range", src: args{"text": ids(65, bad, 66)}, err: "index", compare: vector.Exact})
	}
	return f
}

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

func textEncodeFamily() family {
	f := family{op: "text.encode", flags: []vector.Flag{
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

func textDecodeFamily() family {
	f := family{op: "text.decode", flags: []vector.Flag{
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
