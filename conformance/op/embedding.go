package op

// EmbeddingArgs: rows of a table by token id, SPEC.md EMB.
type EmbeddingArgs struct {
	EmbeddingInputs
	Y Tensor `dst:"y" shape:"... d"`
}

// EmbeddingInputs are what embedding and its gradient take.
type EmbeddingInputs struct {
	Table Tensor `const:"table" shape:"V d"`
	IDs   Tensor `src:"ids" type:"i64" shape:"..."`
}

func (EmbeddingArgs) Op() string { return "embedding" }

var _ = add(EmbeddingArgs{}, EmbeddingGradArgs{}, Row{Family: "embedding", Group: "products, rows, lookups"})

// Embedding adapts f.
func Embedding(f func(EmbeddingArgs) error) Implementation { return Func(f) }

// EmbeddingGradArgs: the gradient of EmbeddingArgs. Rows of the table that no id names have gradient 0.
type EmbeddingGradArgs struct {
	EmbeddingInputs
	DY     Tensor `src:"dy" shape:"... d"`
	DTable Tensor `dst:"dtable" shape:"V d"`
}

func (EmbeddingGradArgs) Op() string { return "embedding.grad" }

// EmbeddingGrad adapts f.
func EmbeddingGrad(f func(EmbeddingGradArgs) error) Implementation { return Func(f) }
