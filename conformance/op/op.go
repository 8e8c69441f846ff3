// Package op is the boundary between the conformance suite and the code that it judges.
//
// An Implementation opens an op (a name of the op table, its attributes and its constant tensors) and returns a Kernel that runs it on
// tensors. Nothing else crosses the boundary, and everything that does serialises.
//
// Kernel authors rarely touch []Tensor: each op has a typed argument struct and an adapter that takes a function over it.
//
//	impl := op.Attention(func(a op.AttentionArgs) error {
//		return myAttention(a.Out.F32, a.Q.F32, a.K.F32, a.V.F32, a.Dims(), a.EffectiveScale())
//	})
//
// The argument structs are the op table: their field tags give every argument's name, role, shape rule and dtype.
package op

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Implementation is what the suite judges: a set of ops that can be opened.
type Implementation interface {
	// Open prepares a kernel for one op. It returns an error that wraps ErrUnsupported, with a reason, where the
	// implementation does not offer the op or this use of it; the suite reports that and does not count it as a pass.
	Open(Spec) (Kernel, error)
}

// Spec says which op to open.
type Spec struct {
	Op    string          // a name of the op table, such as "attention"
	Attrs json.RawMessage // the op's attributes, a JSON object; one that is unknown, twice or in other letter case is an error; empty means {}
	Const []Tensor        // the op's constant tensors (weights) in table order, known at Open so that they can be packed once
}

// Kernel runs an opened op. It may keep state between Runs (a KV cache does). One Kernel is never used by two goroutines at once; two
// Kernels of one Implementation may be. A Kernel that is also an io.Closer is closed after its last Run.
type Kernel interface {
	// Run computes dst from src, both in table order; an absent optional argument is the zero Tensor. It must overwrite every
	// element of every dst, must not change src or Spec.Const, and must not keep references to dst or src after it returns.
	Run(dst, src []Tensor) error
}

// The sentinels that errors of this boundary wrap. Test with errors.Is.
var (
	ErrUnsupported = errors.New("unsupported")           // the implementation does not offer this op or this use of it
	ErrUnknownOp   = errors.New("unknown op")            // no row of the op table has this name
	ErrAttrs       = errors.New("invalid attributes")    // attributes do not decode or contradict each other
	ErrShape       = errors.New("invalid shape")         // an argument's shape breaks its rule
	ErrDType       = errors.New("invalid dtype")         // an argument has the wrong element type
	ErrIndex       = errors.New("index out of range")    // a token id, target or beam index is outside its table
	ErrPosition    = errors.New("position out of range") // a position is negative, past the context or past the cache's length
	ErrCapacity    = errors.New("cache capacity")        // a step would need more entries than the cache holds
	ErrNumber      = errors.New("invalid number")        // a value from which the op cannot go on: NaN, a row of -Inf, a norm that is not finite
)

// Unsupported returns the error for an op that an implementation does not offer.
func Unsupported(name, reason string) error {
	return fmt.Errorf("%s: %w: %s", name, ErrUnsupported, reason)
}

// Func adapts a stateless function to an Implementation of the op that A belongs to. Arguments are validated against the op table before
// each call, so f may index them freely.
func Func[A Args](f func(A) error) Implementation {
	return Open(func(A) (Runner[A], error) { return runnerFunc[A](f), nil })
}

// Runner is the typed form of a Kernel. It may also be an io.Closer.
type Runner[A Args] interface{ Run(A) error }

type runnerFunc[A Args] func(A) error

func (f runnerFunc[A]) Run(a A) error { return f(a) }

// Open adapts a function that opens a typed kernel: for ops that keep state between Runs or pack their constants once. At open, only
// the attributes and the constant tensors of A are set.
func Open[A Args](open func(A) (Runner[A], error)) Implementation {
	return opener[A](open)
}

type opener[A Args] func(A) (Runner[A], error)

func (o opener[A]) Offers(name string) bool { var a A; return name == a.Op() }

func (o opener[A]) Open(spec Spec) (Kernel, error) {
	k := new(adapted[A])
	if spec.Op != k.args.Op() {
		return nil, Unsupported(spec.Op, "this implementation offers "+k.args.Op())
	}
	var err error
	if k.plan, err = compile(spec, any(&k.args), Tensor.Check); err != nil {
		return nil, err
	}
	k.fields = k.plan.row.tensors(any(&k.args))
	if k.runner, err = o(k.args); err != nil {
		return nil, err
	}
	return k, nil
}

// adapted is a typed kernel behind the untyped boundary. Run does not allocate: decode loops pass through it.
type adapted[A Args] struct {
	args   A
	plan   plan
	fields []*Tensor // the Tensor fields of args, in declaration order
	runner Runner[A]
}

func (k *adapted[A]) Run(dst, src []Tensor) error {
	if err := k.plan.check(dst, src); err != nil {
		return err
	}
	for i, f := range k.plan.row.dst {
		*k.fields[f] = dst[i]
	}
	for i, f := range k.plan.row.src {
		*k.fields[f] = src[i]
	}
	err := k.runner.Run(k.args)
	for i := range k.fields { // a caller's buffers must not stay reachable from here
		if !k.plan.row.args[i].isConst() {
			*k.fields[i] = Tensor{}
		}
	}
	return err
}

func (k *adapted[A]) Close() error {
	if c, ok := k.runner.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Set joins implementations, each usually one adapter, into one that offers all their ops. Where two offer the same op, the first wins.
func Set(impls ...Implementation) Implementation { return set(impls) }

type set []Implementation

func (s set) Open(spec Spec) (Kernel, error) {
	for _, impl := range s {
		if !Offers(impl, spec.Op) {
			continue
		}
		if k, err := impl.Open(spec); !errors.Is(err, ErrUnsupported) {
			return k, err
		}
	}
	return nil, Unsupported(spec.Op, "none of the implementations in this set offers it")
}

// Formats returns what the members declare. Members that declare different formats make an invalid one: a set is judged as a whole.
func (s set) Formats() Formats {
	var common Formats
	for i, impl := range s {
		f := FormatsOf(impl)
		if i > 0 && f != common {
			return Formats{Storage: "different formats in one op.Set", Accumulate: f.Accumulate}
		}
		common = f
	}
	return common
}

func (s set) Offers(name string) bool {
	return slices.ContainsFunc(s, func(impl Implementation) bool { return Offers(impl, name) })
}

// Offers reports whether impl may offer the op. An implementation says so with a method Offers(name string) bool, as the adapters do; one
// without it may offer anything, and Open decides.
func Offers(impl Implementation, name string) bool {
	o, ok := impl.(interface{ Offers(name string) bool })
	return !ok || o.Offers(name)
}
