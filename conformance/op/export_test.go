package op

// ProbeArgs is a row that only tests open: results of both kinds, and one that is there only with an argument.
type ProbeArgs struct {
	W     Tensor `const:"w,optional" shape:"V"`
	X     Tensor `src:"x,optional" shape:"N V"`
	Draws Tensor `src:"draws" type:"i64" shape:"N"`
	Token Tensor `dst:"token" type:"i64" shape:"N"`
	DW    Tensor `dst:"dw,of=w" shape:"V"`
	DX    Tensor `dst:"dx,of=x" shape:"N V"`
}

func (ProbeArgs) Op() string { return "probe" }

func init() { rows()["probe"] = newRow(ProbeArgs{}) }

// NewRow compiles an argument struct.
func NewRow(a Args) { newRow(a) }
