package op

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// Args is implemented by the argument struct of each op. The struct is the op's row of the table: an embedded struct holds the
// attributes, and each Tensor field carries its name under the key of its role (src, dst or const), its shape rule, its element
// types where they are not float, and "optional" where it may be absent. A destination marked "of=name" is there exactly where the
// constant or source of that name is.
type Args interface{ Op() string }

// Row says what the table holds of an op beside its arguments. Each family's file declares the rows of its ops.
type Row struct {
	Name     string
	Family   string // names the file that holds the op, in every package that has a part for each
	Group    string // of ops that a report takes together, one of Groups
	Gradient string // the op that is its gradient; empty where it has none
	// Stateful: a Run depends on those before it: one Open and many Runs, in order. Every other op is a function.
	Stateful bool
	// Composite: its gauges are measured or propagated through the functions that it is built from (SPEC.md A.9), not derived for the op.
	Composite bool
}

// Families name the files of ops, from the parts of a decoder to what is made of them: the order of the table within a group.
var Families = []string{
	"matmul", "linear", "softmax", "activation", "layernorm", "rmsnorm", "embedding", "position", "rotary", "mask", "attention", "kvcache",
	"mha", "ffn", "swiglu", "block", "model", "loss", "init", "optimizer", "clip", "schedule", "train", "decode", "beam", "generate", "text",
}

// Group is a part of the table that a report takes together. Several make a Part, the unit of which profiles are made.
type Group struct{ Name, Part string }

// Groups are the groups of ops, in the order of the table. Gradients of the ops of part forward are a group of their own.
var Groups = []Group{
	{"products, rows, lookups", "forward"}, {"attention", "forward"}, {"layers, models", "forward"},
	{"gradients", "gradients"}, {"training", "training"}, {"decoding", "decoding"}, {"text", "text"},
	{"llama", "llama"}, // what GPT-3 has not, and its successors have; gradients included
}

// entry is a row before the table is in order.
type entry struct {
	Row
	args Args
}

var entries []entry

// add enters an op into the table: its arguments, those of its gradient or nil, and what else its row says. The name is that of the
// arguments. It is called where packages initialise, and returns what a variable there can be set to.
func add(args, gradient Args, r Row) struct{} {
	r.Name = args.Op()
	if gradient != nil {
		g := Row{Name: gradient.Op(), Family: r.Family, Group: r.Group, Composite: r.Composite}
		if partOf(r.Group) == "forward" {
			g.Group = "gradients"
		}
		r.Gradient = g.Name
		defer func() { entries = append(entries, entry{g, gradient}) }()
	}
	entries = append(entries, entry{r, args})
	return struct{}{}
}

func groupAt(name string) int {
	return slices.IndexFunc(Groups, func(g Group) bool { return g.Name == name })
}

func partOf(group string) string { return Groups[groupAt(group)].Part }

// table returns the rows in order: by part, then family, then as the family's file has them.
var table = sync.OnceValue(func() []entry {
	part := func(e entry) int {
		return slices.IndexFunc(Groups, func(g Group) bool { return g.Part == partOf(e.Group) })
	}
	family := func(e entry) int { return slices.Index(Families, e.Family) }
	all := slices.Clone(entries)
	slices.SortStableFunc(all, func(a, b entry) int { return cmp.Or(part(a)-part(b), family(a)-family(b)) })
	return all
})

// Table returns the rows of all ops, in order.
func Table() []Row {
	var all []Row
	for _, e := range table() {
		all = append(all, e.Row)
	}
	return all
}

// Lookup returns the row of an op. An unknown name is an error that wraps ErrUnknownOp and says which are like it.
func Lookup(name string) (Row, error) {
	r, err := rowOf(name)
	if err != nil {
		return Row{}, err
	}
	return r.Row, nil
}

// Role says how an argument takes part in an op.
type Role string

// The roles. Constants are given at Open, sources and destinations at Run.
const (
	Src   Role = "src"
	Dst   Role = "dst"
	Const Role = "const"
)

// Argument describes one argument of an op.
type Argument struct {
	Name     string
	Role     Role
	Types    string // "float" (F32 or F64, the same in the whole call), "i64", or "bool|float"
	Rule     string // the shape rule, see CONTRIBUTING.md
	Optional bool
	Of       string // of a destination: it is present exactly where the argument of this name is; empty: always
	field    []int
	of       int // index of Of in the row
}

func (a Argument) isConst() bool { return a.Role == Const }

func (a Argument) accepts(d DType) bool {
	switch d {
	case F32, F64:
		return strings.Contains(a.Types, "float")
	case I64:
		return a.Types == "i64"
	case Bool:
		return strings.Contains(a.Types, "bool")
	}
	return false
}

// row is a Row with its arguments compiled.
type row struct {
	Row
	typ              reflect.Type
	args             []Argument
	attrs            []int // index of the attribute struct; nil where the op has none
	src, dst, consts []int // indices into args, by role
}

var rows = sync.OnceValue(func() map[string]*row {
	m := map[string]*row{}
	for _, e := range table() {
		r := newRow(e.args)
		r.Row = e.Row
		m[r.Name] = r
	}
	return m
})

func rowOf(name string) (*row, error) {
	r, ok := rows()[name]
	if !ok {
		return nil, fmt.Errorf("%w %q: %s", ErrUnknownOp, name, Suggest(name, Names()))
	}
	return r, nil
}

func newRow(a Args) *row {
	r := &row{Row: Row{Name: a.Op()}, typ: reflect.TypeOf(a)}
	r.walk(r.typ, nil)
	for i := range r.args {
		a := &r.args[i]
		if a.Of == "" {
			continue
		}
		a.of = slices.IndexFunc(r.args, func(other Argument) bool { return other.Name == a.Of && other.Role != Dst })
		if a.of < 0 || a.Role != Dst {
			panic("op: " + r.Name + ": " + a.Name + ": of=" + a.Of + ": want a destination, and the name of a constant or source")
		}
	}
	return r
}

// walk collects the arguments of a struct type, in declaration order.
func (r *row) walk(t reflect.Type, prefix []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(slices.Clone(prefix), i)
		switch {
		case f.Type == reflect.TypeFor[Tensor]():
			r.add(f.Tag, at)
		case f.Anonymous && hasTensors(f.Type):
			r.walk(f.Type, at)
		case f.Anonymous:
			r.attrs = at
		}
	}
}

func (r *row) add(tag reflect.StructTag, field []int) {
	a := Argument{Types: "float", Rule: tag.Get("shape"), field: field}
	for _, role := range []Role{Src, Dst, Const} {
		if v, ok := tag.Lookup(string(role)); ok {
			name, opts, _ := strings.Cut(v, ",")
			a.Name, a.Role, a.Optional = name, role, opts == "optional"
			if of, ok := strings.CutPrefix(opts, "of="); ok {
				a.Of = of
			} else if opts != "" && !a.Optional {
				panic("op: " + r.Name + ": " + name + ": option " + opts + ": want optional or of=")
			}
		}
	}
	if t, ok := tag.Lookup("type"); ok {
		a.Types = t
	}
	switch i := len(r.args); a.Role {
	case Src:
		r.src = append(r.src, i)
	case Dst:
		r.dst = append(r.dst, i)
	case Const:
		r.consts = append(r.consts, i)
	default:
		panic("op: " + r.Name + ": a Tensor field has no role")
	}
	r.args = append(r.args, a)
}

func hasTensors(t reflect.Type) bool {
	for i := range t.NumField() {
		if t.Field(i).Type == reflect.TypeFor[Tensor]() {
			return true
		}
	}
	return false
}

// tensors returns pointers to the Tensor fields of an argument struct, in the order of r.args.
func (r *row) tensors(args any) []*Tensor {
	v := reflect.ValueOf(args).Elem()
	out := make([]*Tensor, len(r.args))
	for i, a := range r.args {
		out[i] = v.FieldByIndex(a.field).Addr().Interface().(*Tensor)
	}
	return out
}

// Names returns the names of the ops of some parts, in table order; of all ops where no part is named. An unknown part has none.
func Names(parts ...string) []string {
	var names []string
	for _, e := range table() {
		if len(parts) == 0 || slices.Contains(parts, partOf(e.Group)) {
			names = append(names, e.Name)
		}
	}
	return names
}

// Arguments returns the arguments of an op, in table order.
func Arguments(name string) ([]Argument, error) {
	r, err := rowOf(name)
	if err != nil {
		return nil, err
	}
	return slices.Clone(r.args), nil
}

// Stateful reports whether a Run of the op depends on those before it. An unknown op is not stateful.
func Stateful(name string) bool {
	r, err := Lookup(name)
	return err == nil && r.Stateful
}

// An argument struct may refine its row. (All run on a pointer to the struct after its attributes are decoded.)
type (
	defaulter    interface{ defaults() }                 // sets attributes that are not zero by default, before decoding
	validator    interface{ validate() error }           // attributes that contradict each other or their range
	shaper       interface{ shapes() map[string]string } // shape rules that depend on attributes, by argument name
	presetter    interface{ preset(*dims) }              // dimensions that attributes give
	constChecker interface{ checkConst(*dims) error }    // relations between constants that a rule cannot state
	checker      interface{ check(*dims) error }         // the same with the sources of a call
	completer    interface {                             // which optional sources attributes demand or refuse
		complete(has func(name string) bool) error
	}
)

// plan is a row compiled for one Spec: what every call is checked against.
type plan struct {
	row   *row
	rules []rule
	args  any // pointer to an argument struct with its attributes set
	form  func(Tensor) error
	fixed dims   // as the attributes and constants leave them
	call  dims   // scratch for the call being checked
	there []bool // which constants and sources are present, by index into row.args
}

// compile sets the attributes and constants of args, a pointer to the op's argument struct, from spec, and checks them. form says what a
// tensor must be like in itself.
func compile(spec Spec, args any, form func(Tensor) error) (plan, error) {
	r, err := rowOf(spec.Op)
	if err != nil {
		return plan{}, err
	}
	p := plan{row: r, args: args, form: form, there: make([]bool, len(r.args))}
	if err := r.decode(spec.Attrs, args); err != nil {
		return plan{}, fmt.Errorf("%s: %w: %w", r.Name, ErrAttrs, err)
	}
	var special map[string]string
	if s, ok := args.(shaper); ok {
		special = s.shapes()
	}
	for _, a := range r.args {
		text, ok := special[a.Name]
		if !ok {
			text = a.Rule
		}
		p.rules = append(p.rules, parseRule(text, &p.fixed.names))
	}
	if s, ok := args.(presetter); ok {
		s.preset(&p.fixed)
	}
	if len(spec.Const) != len(r.consts) {
		return plan{}, fmt.Errorf("%s: %w: want %d constant tensors (absent ones as zero Tensors), got %d", r.Name, ErrShape, len(r.consts), len(spec.Const))
	}
	fields := r.tensors(args)
	for i, c := range r.consts {
		if err := p.match(&p.fixed, c, spec.Const[i]); err != nil {
			return plan{}, err
		}
		*fields[c], p.there[c] = spec.Const[i], spec.Const[i].Present()
	}
	if c, ok := args.(constChecker); ok {
		if err := c.checkConst(&p.fixed); err != nil {
			return plan{}, fmt.Errorf("%s: %w: %w", r.Name, ErrShape, err)
		}
	}
	return p, nil
}

// decode sets the attribute struct from JSON, strictly.
func (r *row) decode(attrs json.RawMessage, args any) error {
	if len(attrs) == 0 {
		attrs = json.RawMessage("{}")
	}
	into := any(&struct{}{})
	if r.attrs != nil {
		into = reflect.ValueOf(args).Elem().FieldByIndex(r.attrs).Addr().Interface()
	}
	if d, ok := args.(defaulter); ok {
		d.defaults()
	}
	if trimmed := bytes.TrimSpace(attrs); len(trimmed) == 0 || trimmed[0] != '{' {
		return fmt.Errorf("want a JSON object, got %.20s", trimmed)
	}
	if err := DecodeJSON(attrs, into); err != nil {
		return err
	}
	if v, ok := args.(validator); ok {
		return v.validate()
	}
	return nil
}

// wanted reports whether an argument may be present in this call.
func (p *plan) wanted(a *Argument) bool { return a.Of == "" || p.there[a.of] }

// has reports whether the constant or source of this name is present.
func (p *plan) has(name string) bool {
	return p.there[slices.IndexFunc(p.row.args, func(a Argument) bool { return a.Name == name })]
}

// match checks one argument: presence, dtype, form and shape.
func (p *plan) match(d *dims, i int, t Tensor) error {
	a := &p.row.args[i]
	switch absent := !p.wanted(a); {
	case absent && t.Present():
		return fmt.Errorf("%s: %w: %s is given, but %s is not", p.row.Name, ErrShape, a.Name, a.Of)
	case !t.Present() && (absent || a.Optional):
		return nil
	case !t.Present():
		return fmt.Errorf("%s: %w: %s is missing", p.row.Name, ErrShape, a.Name)
	}
	if !a.accepts(t.DType) {
		return fmt.Errorf("%s: %w: %s is %v, want %s", p.row.Name, ErrDType, a.Name, t.DType, a.Types)
	}
	if t.DType == F32 || t.DType == F64 {
		if d.storage != 0 && d.storage != t.DType {
			return fmt.Errorf("%s: %w: %s is %v, want %v like the arguments before it", p.row.Name, ErrDType, a.Name, t.DType, d.storage)
		}
		d.storage = t.DType
	}
	if err := p.form(t); err != nil {
		return fmt.Errorf("%s: %s: %w", p.row.Name, a.Name, err)
	}
	if err := d.match(p.rules[i], t.Shape); err != nil {
		return fmt.Errorf("%s: %s: %w", p.row.Name, a.Name, err)
	}
	return nil
}

// bind checks the sources of a call and leaves its dimensions in p.call.
func (p *plan) bind(src []Tensor) error {
	p.call = p.fixed
	if len(src) != len(p.row.src) {
		return fmt.Errorf("%s: %w: want %d source tensors (absent ones as zero Tensors), got %d", p.row.Name, ErrShape, len(p.row.src), len(src))
	}
	for i, at := range p.row.src {
		if err := p.match(&p.call, at, src[i]); err != nil {
			return err
		}
		p.there[at] = src[i].Present()
	}
	if c, ok := p.args.(completer); ok {
		if err := c.complete(p.has); err != nil {
			return fmt.Errorf("%s: %w: %w", p.row.Name, ErrShape, err)
		}
	}
	if c, ok := p.args.(checker); ok {
		if err := c.check(&p.call); err != nil {
			return fmt.Errorf("%s: %w: %w", p.row.Name, ErrShape, err)
		}
	}
	return nil
}

// check validates all arguments of a call.
func (p *plan) check(dst, src []Tensor) error {
	if err := p.bind(src); err != nil {
		return err
	}
	if len(dst) != len(p.row.dst) {
		return fmt.Errorf("%s: %w: want %d destination tensors, got %d", p.row.Name, ErrShape, len(p.row.dst), len(dst))
	}
	for i, at := range p.row.dst {
		if err := p.match(&p.call, at, dst[i]); err != nil {
			return err
		}
	}
	return nil
}

// maxResults bounds what Shapes allocates on the word of small arguments.
const maxResults = 1 << 28

// Shapes validates a call's sources and constants and returns its destinations, zeroed, with the shapes that the op table gives them.
// Float destinations get the dtype of the float arguments, or storage where the op has none. A destination that is there only with
// another argument is the zero Tensor without it. Small arguments can ask for much: more than 2^28 elements are an error. For those there is
// Results, which allocates nothing.
func Shapes(spec Spec, src []Tensor, storage DType) ([]Tensor, error) {
	dst, err := results(spec, src, storage, Tensor.Check)
	if err != nil {
		return nil, err
	}
	total := 0
	for i, d := range dst {
		n, _ := Elements(d.Shape)
		if total += n; total > maxResults {
			r := rows()[spec.Op]
			return nil, fmt.Errorf("%s: %w: %s would be %v: at most 2^28 elements are allocated", r.Name, ErrShape, r.args[r.dst[i]].Name, d.Shape)
		}
	}
	for i, d := range dst {
		if d.Present() {
			dst[i] = New(d.DType, d.Shape...)
		}
	}
	return dst, nil
}

// Results is Shapes without the numbers: of the destinations that it returns only dtype and shape are set, and of the sources and constants
// it needs no more.
func Results(spec Spec, src []Tensor, storage DType) ([]Tensor, error) {
	return results(spec, src, storage, Tensor.checkShape)
}

func results(spec Spec, src []Tensor, storage DType, form func(Tensor) error) ([]Tensor, error) {
	r, err := rowOf(spec.Op)
	if err != nil {
		return nil, err
	}
	p, err := compile(spec, reflect.New(r.typ).Interface(), form)
	if err != nil {
		return nil, err
	}
	if err := p.bind(src); err != nil {
		return nil, err
	}
	if p.call.storage != 0 {
		storage = p.call.storage
	}
	dst := make([]Tensor, len(r.dst))
	for i, at := range r.dst {
		a := &r.args[at]
		if !p.wanted(a) {
			continue
		}
		shape := p.call.resolve(p.rules[at])
		if _, ok := Elements(shape); !ok {
			return nil, fmt.Errorf("%s: %w: %s would be %v: want fewer than 2^40 elements", r.Name, ErrShape, a.Name, shape)
		}
		d := storage
		if a.Types == "i64" {
			d = I64
		}
		dst[i] = Tensor{DType: d, Shape: shape}
	}
	return dst, nil
}

// Validate checks a whole call against the op table: attributes, constants, sources and destinations.
func Validate(spec Spec, dst, src []Tensor) error {
	r, err := rowOf(spec.Op)
	if err != nil {
		return err
	}
	p, err := compile(spec, reflect.New(r.typ).Interface(), Tensor.Check)
	if err != nil {
		return err
	}
	return p.check(dst, src)
}
