package main

import (
	"fmt"

	"github.com/assaykit/assay/conformance/vector"
)

func textSplitFamily() family {
	f := family{op: "text.split", flags: []vector.Flag{
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

func textPackFamily() family {
	f := family{op: "text.pack", flags: []vector.Flag{
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

func textBatchesFamily() family {
	f := family{op: "text.batches", flags: []vector.Flag{
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
