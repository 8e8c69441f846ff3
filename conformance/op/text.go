package op

import (
	"errors"
	"fmt"
)

// TextCleanArgs: the rules of text cleaning that are switched on, in their order. Out holds Length bytes and then -1; Counts says what
// each rule changed.
type TextCleanArgs struct {
	TextCleanAttrs
	Text   Tensor `src:"text" type:"i64" shape:"N"`
	Out    Tensor `dst:"out" type:"i64" shape:"M"` // M = 3 N
	Length Tensor `dst:"length" type:"i64" shape:""`
	Counts Tensor `dst:"counts" type:"i64" shape:"6"`
}

// TextCleanAttrs switch the rules on.
type TextCleanAttrs struct {
	LineEndings bool `json:"line_endings,omitempty"`
	Controls    bool `json:"controls,omitempty"`
	NFC         bool `json:"nfc,omitempty"`
	Whitespace  bool `json:"whitespace,omitempty"`
	Duplicates  bool `json:"duplicates,omitempty"`
}

func (TextCleanArgs) Op() string { return "text.clean" }

var _ = add(TextCleanArgs{}, nil, Row{Family: "text", Group: "text"})

func (a *TextCleanArgs) check(d *dims) error {
	d.set("M", 3*d.get("N"))
	return nil
}

// TextClean adapts f.
func TextClean(f func(TextCleanArgs) error) Implementation { return Func(f) }

// TextEncodeArgs: byte-level byte-pair encoding. IDs holds Length ids and then -1.
type TextEncodeArgs struct {
	TextEncodeAttrs
	Bytes  Tensor `const:"bytes" type:"i64" shape:"256"`
	Merges Tensor `const:"merges,optional" type:"i64" shape:"R 2"`
	Text   Tensor `src:"text" type:"i64" shape:"N"`
	IDs    Tensor `dst:"ids" type:"i64" shape:"N"`
	Length Tensor `dst:"length" type:"i64" shape:""`
}

// TextEncodeAttrs: Pretokenize is gpt2 (the default), which cuts the text into words first, or none.
type TextEncodeAttrs struct {
	Pretokenize string `json:"pretokenize"`
}

func (TextEncodeArgs) Op() string { return "text.encode" }

var _ = add(TextEncodeArgs{}, nil, Row{Family: "text", Group: "text"})

func (a *TextEncodeArgs) defaults() { a.Pretokenize = "gpt2" }

func (a *TextEncodeArgs) validate() error { return oneOf("pretokenize", a.Pretokenize, "gpt2", "none") }

// TextEncode adapts open, which is called with the table of merges and returns the encoder.
func TextEncode(open func(TextEncodeArgs) (Runner[TextEncodeArgs], error)) Implementation {
	return Open(open)
}

// TextDecodeArgs: the bytes that ids stand for. Text holds Length bytes and then -1.
type TextDecodeArgs struct {
	TextDecodeAttrs
	Bytes  Tensor `const:"bytes" type:"i64" shape:"256"`
	Merges Tensor `const:"merges,optional" type:"i64" shape:"R 2"`
	IDs    Tensor `src:"ids" type:"i64" shape:"N"`
	Text   Tensor `dst:"text" type:"i64" shape:"C"`
	Length Tensor `dst:"length" type:"i64" shape:""`
}

// TextDecodeAttrs: Capacity is the number of bytes that the result has room for.
type TextDecodeAttrs struct {
	Capacity int `json:"capacity"`
}

func (TextDecodeArgs) Op() string { return "text.decode" }

var _ = add(TextDecodeArgs{}, nil, Row{Family: "text", Group: "text"})

func (a *TextDecodeArgs) validate() error { return capacity(a.Capacity) }

func (a *TextDecodeArgs) preset(d *dims) { d.set("C", a.Capacity) }

// TextDecode adapts open, which is called with the table of merges and returns the decoder.
func TextDecode(open func(TextDecodeArgs) (Runner[TextDecodeArgs], error)) Implementation {
	return Open(open)
}

// TextSplitArgs: the first ids to train on, the last to validate with.
type TextSplitArgs struct {
	TextSplitAttrs
	IDs        Tensor `src:"ids" type:"i64" shape:"N"`
	Train      Tensor `dst:"train" type:"i64" shape:"K"`
	Validation Tensor `dst:"validation" type:"i64" shape:"V"`
}

// TextSplitAttrs: Fraction of the ids, 0.1 by default, is for validation.
type TextSplitAttrs struct {
	Fraction float64 `json:"fraction"`
}

func (TextSplitArgs) Op() string { return "text.split" }

var _ = add(TextSplitArgs{}, nil, Row{Family: "text", Group: "text"})

func (a *TextSplitArgs) defaults() { a.Fraction = 0.1 }

func (a *TextSplitArgs) validate() error {
	if !(a.Fraction > 0 && a.Fraction < 1) {
		return fmt.Errorf("fraction = %v: want a number between 0 and 1", a.Fraction)
	}
	return nil
}

func (a *TextSplitArgs) check(d *dims) error {
	n := d.get("N")
	if n < 2 {
		return fmt.Errorf("ids has %d element: want at least 2, one to train on and one to validate with", n)
	}
	validation := min(max(int(a.Fraction*float64(n)), 1), n-1)
	d.set("K", n-validation)
	d.set("V", validation)
	return nil
}

// TextSplit adapts f.
func TextSplit(f func(TextSplitArgs) error) Implementation { return Func(f) }

// TextPackArgs: documents, one after the other in IDs, with the ids that begin and end each.
type TextPackArgs struct {
	TextPackAttrs
	IDs     Tensor `src:"ids" type:"i64" shape:"N"`
	Lengths Tensor `src:"lengths" type:"i64" shape:"D"`
	Packed  Tensor `dst:"packed" type:"i64" shape:"P"` // P = N + D, or N + 2 D with start
}

// TextPackAttrs: End follows each document, Start precedes it where it is given.
type TextPackAttrs struct {
	End   *int64 `json:"end"`
	Start *int64 `json:"start,omitempty"`
}

func (TextPackArgs) Op() string { return "text.pack" }

var _ = add(TextPackArgs{}, nil, Row{Family: "text", Group: "text"})

func (a *TextPackArgs) validate() error {
	if a.End == nil {
		return errors.New("end is missing: want the id that ends a document")
	}
	if *a.End < 0 {
		return fmt.Errorf("end = %d: want at least 0", *a.End)
	}
	if a.Start != nil && *a.Start < 0 {
		return fmt.Errorf("start = %d: want at least 0", *a.Start)
	}
	return nil
}

func (a *TextPackArgs) check(d *dims) error {
	per := 1
	if a.Start != nil {
		per = 2
	}
	d.set("P", d.get("N")+per*d.get("D"))
	return nil
}

// TextPack adapts f.
func TextPack(f func(TextPackArgs) error) Implementation { return Func(f) }

// TextBatchesArgs: windows of Seq ids that begin at Starts, and the ids that follow each.
type TextBatchesArgs struct {
	TextBatchesAttrs
	IDs    Tensor `src:"ids" type:"i64" shape:"N"`
	Starts Tensor `src:"starts" type:"i64" shape:"B"`
	X      Tensor `dst:"x" type:"i64" shape:"B T"`
	Y      Tensor `dst:"y" type:"i64" shape:"B T"`
}

// TextBatchesAttrs: Seq is the length of a window.
type TextBatchesAttrs struct {
	Seq int `json:"seq"`
}

func (TextBatchesArgs) Op() string { return "text.batches" }

var _ = add(TextBatchesArgs{}, nil, Row{Family: "text", Group: "text"})

func (a *TextBatchesArgs) preset(d *dims) { d.set("T", a.Seq) }

func (a *TextBatchesArgs) validate() error {
	if a.Seq < 1 || a.Seq > 1<<24 {
		return fmt.Errorf("seq = %d: want from 1 to 2^24", a.Seq)
	}
	return nil
}

// TextBatches adapts f.
func TextBatches(f func(TextBatchesArgs) error) Implementation { return Func(f) }
