package main

import (
	"fmt"
	"strings"

	"github.com/assaykit/assay/conformance/vector"
	"github.com/assaykit/assay/corpus"
)

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

var _ = register("text.clean", textCleanFamily)

func textCleanFamily() family {
	f := family{flags: []vector.Flag{
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

var _ = register("text.split", textSplitFamily)

func textSplitFamily() family {
	f := family{flags: []vector.Flag{
		{Name: "end", Bug: "the validation set is taken from the beginning, or drawn"},
		{Name: "size", Bug: "the number of ids is rounded up or to nearest, or formed in float32"},
		{Name: "fraction-range", Bug: "nothing is left to train on or to validate with, and nobody says so"},
	}}
	add := func(name, comment, flags, err string, a attrs, at draw) {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: "TXT-15", flags: flags, attrs: a, src: args{"ids": at}, err: err, compare: vector.Exact})
	}
	add("default", "A tenth, rounded down.", "end size", "", nil, tokens(50257, 39))
	add("half", "Halves of an odd number.", "end size", "", attrs{"fraction": 0.5}, tokens(99, 7))
	add("tenths", "0.7 of 10 is 7, and 0.29 of 100 is 28: products in float64.", "size", "", attrs{"fraction": 0.29}, tokens(99, 100))
	add("seven-tenths", "0.7 of 10.", "size", "", attrs{"fraction": 0.7}, tokens(99, 10))
	add("one-at-least", "A fraction of less than one id is one id.", "size end", "", attrs{"fraction": 0.001}, tokens(99, 5))
	add("one-stays", "Nearly all, of two.", "size end", "", attrs{"fraction": 0.999}, tokens(99, 2))
	add("repeated", "Ids of any value, kept in order.", "end", "", attrs{"fraction": 0.4}, ids(7, 7, -1, 7, 1<<40, 7, 0, 7))
	add("one-id", "One id cannot be split.", "fraction-range", "shape", nil, ids(3))
	for _, fraction := range []float64{0, 1, -0.1} {
		add(fmt.Sprintf("fraction-%v", fraction), "A fraction that is not between 0 and 1.", "fraction-range", "attributes", attrs{"fraction": fraction}, tokens(9, 9))
	}
	return f
}

var _ = register("text.pack", textPackFamily)

func textPackFamily() family {
	f := family{flags: []vector.Flag{
		{Name: "ends", Bug: "the last document has no end, or documents only have one between them"},
		{Name: "starts", Bug: "start is put once, or behind the document, or where it is not wanted"},
		{Name: "empty", Bug: "an empty document is dropped"},
		{Name: "lengths", Bug: "ids that belong to no document, or documents without ids, go unseen"},
		{Name: "reserved", Bug: "an id that begins or ends documents is packed inside one"},
	}}
	add := func(name, comment, clauses, flags, err string, a attrs, at, lengths draw) {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: a, src: args{"ids": at, "lengths": lengths}, err: err,
			compare: vector.Exact})
	}
	add("ends", "An end after each of three documents.", "TXT-16", "ends", "", attrs{"end": 50256}, tokens(50256, 9), ids(4, 2, 3))
	add("one", "One document.", "TXT-16", "ends", "", attrs{"end": 9}, tokens(9, 5), ids(5))
	add("starts", "A start before each, another id than end.", "TXT-16", "starts ends", "", attrs{"end": 98, "start": 97}, tokens(97, 8), ids(1, 7))
	add("start-0", "A start of 0 is a start.", "TXT-16", "starts", "", attrs{"end": 1, "start": 0}, ids(5, 6, 7), ids(2, 1))
	add("same", "Start and end are one id.", "TXT-16", "starts", "", attrs{"end": 9, "start": 9}, ids(1, 2, 3), ids(1, 2))
	add("empty", "Empty documents keep their ends.", "TXT-16", "empty", "", attrs{"end": 9, "start": 8}, ids(1, 2, 3), ids(0, 2, 0, 0, 1, 0))
	add("no-start", "Without start, 0 is an id like others.", "TXT-16 TXT-17", "reserved starts", "", attrs{"end": 9}, ids(0, 8, 0), ids(1, 2))
	add("too-short", "Ids that belong to no document.", "TXT-17", "lengths", "index", attrs{"end": 9}, ids(1, 2, 3), ids(1, 1))
	add("too-long", "A document that goes on behind the ids.", "TXT-17", "lengths", "index", attrs{"end": 9}, ids(1, 2, 3), ids(2, 2))
	add("negative-length", "Lengths whose sum is right, one of them negative.", "TXT-17", "lengths", "index", attrs{"end": 9}, ids(1, 2, 3), ids(4, -1))
	add("huge-length", "Lengths whose sum is right in 64 bits only.", "TXT-17", "lengths", "index", attrs{"end": 9}, ids(1, 2, 3), ids(1<<63-1, 4))
	add("holds-end", "A document that holds the end.", "TXT-17", "reserved", "index", attrs{"end": 9}, ids(1, 9, 3), ids(1, 2))
	add("holds-start", "A document that holds the start.", "TXT-17", "reserved", "index", attrs{"end": 9, "start": 0}, ids(1, 2, 0), ids(1, 2))
	add("holds-padding", "A document that holds -1.", "TXT-17", "reserved", "index", attrs{"end": 9}, ids(1, -1, 3), ids(1, 2))
	add("end-missing", "Without an end there is nothing to pack with.", "TXT-16", "ends", "attributes", nil, ids(1, 2, 3), ids(3))
	add("end-negative", "-1 ends no document.", "TXT-16", "ends", "attributes", attrs{"end": -1}, ids(1, 2, 3), ids(3))
	return f
}

var _ = register("text.batches", textBatchesFamily)

func textBatchesFamily() family {
	f := family{flags: []vector.Flag{
		{Name: "shift", Bug: "targets are the inputs, are shifted the other way, or wrap around within the window"},
		{Name: "windows", Bug: "starts count windows and not ids, or rows are mixed"},
		{Name: "start-range", Bug: "the last start is refused, or one more is accepted and reads beyond the ids"},
	}}
	add := func(name, comment, clauses, flags, err string, seq int, at, starts draw) {
		f.cases = append(f.cases, testCase{name: name, comment: comment, clauses: clauses, flags: flags, attrs: attrs{"seq": seq}, src: args{"ids": at, "starts": starts},
			err: err, compare: vector.Exact})
	}
	add("batch", "Windows that overlap, in no order.", "TXT-18", "shift windows", "", 8, tokens(50257, 40), ids(17, 3, 0, 20))
	add("last", "The last window whose targets are all there.", "TXT-18 TXT-19", "start-range shift", "", 5, tokens(99, 12), ids(6, 0))
	add("whole", "One window over all ids but the last.", "TXT-18 TXT-19", "start-range", "", 9, tokens(99, 10), ids(0))
	add("seq-1", "Windows of one id.", "TXT-18", "shift", "", 1, tokens(99, 6), ids(4, 1, 1))
	add("repeated", "The same window many times.", "TXT-18", "windows", "", 3, tokens(99, 9), ids(2, 2, 5, 2))
	add("past", "A start whose last target is behind the ids.", "TXT-19", "start-range", "index", 5, tokens(99, 12), ids(0, 7))
	add("negative", "A negative start.", "TXT-19", "start-range", "index", 5, tokens(99, 12), ids(-1))
	add("too-long", "A window longer than the ids.", "TXT-19", "start-range", "index", 12, tokens(99, 12), ids(0))
	add("huge", "A start that does not fit 32 bits.", "TXT-19", "start-range", "index", 2, tokens(99, 12), ids(1<<32))
	add("seq-0", "Windows of nothing.", "TXT-18", "windows", "attributes", 0, tokens(99, 12), ids(0))
	return f
}
