package op

// Gradients of the forward ops, SPEC.md GRAD. The constants and sources of each are those of the forward op, with the gradient of the
// loss with respect to its result as the last source; the results are the gradients with respect to every float constant and source, in
// table order. Masks, ids and targets have none. Attributes mean what they mean there.
var gradientOps = []Args{
	MatMulGradArgs{}, LinearGradArgs{}, SoftmaxGradArgs{}, LogSoftmaxGradArgs{}, ReLUGradArgs{}, GELUGradArgs{}, LayerNormGradArgs{},
	EmbeddingGradArgs{},
	AttentionGradArgs{}, MHAGradArgs{}, FFNGradArgs{}, BlockGradArgs{},
	GPTLossGradArgs{}, CrossEntropyGradArgs{},
}

// MatMulGradArgs: the gradients of MatMulArgs.
type MatMulGradArgs struct {
	MatMulAttrs
	A  Tensor `src:"a" shape:"... M K"`
	B  Tensor `src:"b" shape:"... K N"`
	DC Tensor `src:"dc" shape:"... M N"`
	DA Tensor `dst:"da" shape:"... M K"`
	DB Tensor `dst:"db" shape:"... K N"`
}

func (MatMulGradArgs) Op() string { return "matmul.grad" }

func (a *MatMulGradArgs) shapes() map[string]string {
	m := a.MatMulAttrs.shapes()
	for _, name := range []string{"a", "b"} {
		if rule, ok := m[name]; ok {
			m["d"+name] = rule
		}
	}
	return m
}

// MatMulGrad adapts f.
func MatMulGrad(f func(MatMulGradArgs) error) Implementation { return Func(f) }

// LinearGradArgs: the gradients of LinearArgs.
type LinearGradArgs struct {
	W  Tensor `const:"w" shape:"in out"`
	B  Tensor `const:"b,optional" shape:"out"`
	X  Tensor `src:"x" shape:"... in"`
	DY Tensor `src:"dy" shape:"... out"`
	DW Tensor `dst:"dw" shape:"in out"`
	DB Tensor `dst:"db,of=b" shape:"out"`
	DX Tensor `dst:"dx" shape:"... in"`
}

func (LinearGradArgs) Op() string { return "linear.grad" }

// LinearGrad adapts f.
func LinearGrad(f func(LinearGradArgs) error) Implementation { return Func(f) }

// SoftmaxGradArgs: the gradient of SoftmaxArgs.
type SoftmaxGradArgs struct {
	X  Tensor `src:"x" shape:"... n"`
	DY Tensor `src:"dy" shape:"... n"`
	DX Tensor `dst:"dx" shape:"... n"`
}

func (SoftmaxGradArgs) Op() string { return "softmax.grad" }

// SoftmaxGrad adapts f.
func SoftmaxGrad(f func(SoftmaxGradArgs) error) Implementation { return Func(f) }

// LogSoftmaxGradArgs: the gradient of LogSoftmaxArgs.
type LogSoftmaxGradArgs struct {
	X  Tensor `src:"x" shape:"... n"`
	DY Tensor `src:"dy" shape:"... n"`
	DX Tensor `dst:"dx" shape:"... n"`
}

func (LogSoftmaxGradArgs) Op() string { return "log_softmax.grad" }

// LogSoftmaxGrad adapts f.
func LogSoftmaxGrad(f func(LogSoftmaxGradArgs) error) Implementation { return Func(f) }

// ReLUGradArgs: the gradient of ReLUArgs.
type ReLUGradArgs struct {
	X  Tensor `src:"x" shape:"..."`
	DY Tensor `src:"dy" shape:"..."`
	DX Tensor `dst:"dx" shape:"..."`
}

func (ReLUGradArgs) Op() string { return "relu.grad" }

// ReLUGrad adapts f.
func ReLUGrad(f func(ReLUGradArgs) error) Implementation { return Func(f) }

// GELUGradArgs: the gradient of GELUArgs.
type GELUGradArgs struct {
	GELUAttrs
	X  Tensor `src:"x" shape:"..."`
	DY Tensor `src:"dy" shape:"..."`
	DX Tensor `dst:"dx" shape:"..."`
}

func (GELUGradArgs) Op() string { return "gelu.grad" }

func (a *GELUGradArgs) defaults()       { a.GELUAttrs.defaults() }
func (a *GELUGradArgs) validate() error { return a.GELUAttrs.validate() }

// GELUGrad adapts f.
func GELUGrad(f func(GELUGradArgs) error) Implementation { return Func(f) }

// LayerNormGradArgs: the gradients of LayerNormArgs. Beta has no effect on them.
type LayerNormGradArgs struct {
	LayerNormAttrs
	Gamma  Tensor `const:"gamma" shape:"d"`
	Beta   Tensor `const:"beta" shape:"d"`
	X      Tensor `src:"x" shape:"... d"`
	DY     Tensor `src:"dy" shape:"... d"`
	DGamma Tensor `dst:"dgamma" shape:"d"`
	DBeta  Tensor `dst:"dbeta" shape:"d"`
	DX     Tensor `dst:"dx" shape:"... d"`
}

func (LayerNormGradArgs) Op() string { return "layernorm.grad" }

func (a *LayerNormGradArgs) defaults()       { a.LayerNormAttrs.defaults() }
func (a *LayerNormGradArgs) validate() error { return a.LayerNormAttrs.validate() }

// LayerNormGrad adapts f.
func LayerNormGrad(f func(LayerNormGradArgs) error) Implementation { return Func(f) }

// EmbeddingGradArgs: the gradient of EmbeddingArgs. Rows of the table that no id names have gradient 0.
type EmbeddingGradArgs struct {
	Table  Tensor `const:"table" shape:"V d"`
	IDs    Tensor `src:"ids" type:"i64" shape:"..."`
	DY     Tensor `src:"dy" shape:"... d"`
	DTable Tensor `dst:"dtable" shape:"V d"`
}

func (EmbeddingGradArgs) Op() string { return "embedding.grad" }

// EmbeddingGrad adapts f.
func EmbeddingGrad(f func(EmbeddingGradArgs) error) Implementation { return Func(f) }

// AttentionGradArgs: the gradients of AttentionArgs.
type AttentionGradArgs struct {
	AttentionAttrs
	Q    Tensor `src:"q" shape:"B H Tq D"`
	K    Tensor `src:"k" shape:"B G Tk D"`
	V    Tensor `src:"v" shape:"B G Tk Dv"`
	Mask Tensor `src:"mask,optional" type:"bool|float" shape:"B|1 H|1 Tq Tk"`
	DOut Tensor `src:"dout" shape:"B H Tq Dv"`
	DQ   Tensor `dst:"dq" shape:"B H Tq D"`
	DK   Tensor `dst:"dk" shape:"B G Tk D"`
	DV   Tensor `dst:"dv" shape:"B G Tk Dv"`
}

func (AttentionGradArgs) Op() string { return "attention.grad" }

func (a *AttentionGradArgs) validate() error     { return a.AttentionAttrs.validate() }
func (a *AttentionGradArgs) check(d *dims) error { return grouped(d.get("H"), d.get("G")) }

// EffectiveScale returns the factor of the scores: the attribute, or 1/sqrt(D) where it is absent.
func (a *AttentionGradArgs) EffectiveScale() float64 { return scale(a.Scale, a.Q.Shape[3]) }

// Dims returns the lengths of the axes.
func (a *AttentionGradArgs) Dims() AttentionDims {
	return AttentionDims{a.Q.Shape[0], a.Q.Shape[1], a.K.Shape[1], a.Q.Shape[2], a.K.Shape[2], a.Q.Shape[3], a.V.Shape[3]}
}

// AttentionGrad adapts f.
func AttentionGrad(f func(AttentionGradArgs) error) Implementation { return Func(f) }

// MHAGradArgs: the gradients of MHAArgs.
type MHAGradArgs struct {
	MHAAttrs
	MHAWeights
	X    Tensor `src:"x" shape:"B T d"`
	Mask Tensor `src:"mask,optional" type:"bool|float" shape:"B|1 H|1 T T"`
	DY   Tensor `src:"dy" shape:"B T d"`
	MHAGrads
	DX Tensor `dst:"dx" shape:"B T d"`
}

// MHAGrads are the gradients with respect to MHAWeights.
type MHAGrads struct {
	DWq Tensor `dst:"dwq" shape:"d HD"`
	DBq Tensor `dst:"dbq,of=bq" shape:"HD"`
	DWk Tensor `dst:"dwk" shape:"d GD"`
	DBk Tensor `dst:"dbk,of=bk" shape:"GD"`
	DWv Tensor `dst:"dwv" shape:"d GD"`
	DBv Tensor `dst:"dbv,of=bv" shape:"GD"`
	DWo Tensor `dst:"dwo" shape:"HD d"`
	DBo Tensor `dst:"dbo,of=bo" shape:"d"`
}

func (MHAGradArgs) Op() string { return "mha.grad" }

func (a *MHAGradArgs) validate() error          { return a.MHAAttrs.validate() }
func (a *MHAGradArgs) preset(d *dims)           { d.set("H", a.Heads) }
func (a *MHAGradArgs) checkConst(d *dims) error { return projections(d, a.Heads, a.KVHeads) }

// EffectiveScale returns the factor of the scores: the attribute, or 1/sqrt(head dim) where it is absent.
func (a *MHAGradArgs) EffectiveScale() float64 { return scale(a.Scale, a.Wq.Shape[1]/a.Heads) }

// MHAGrad adapts f.
func MHAGrad(f func(MHAGradArgs) error) Implementation { return Func(f) }

// FFNGradArgs: the gradients of FFNArgs.
type FFNGradArgs struct {
	FFNAttrs
	W1  Tensor `const:"w1" shape:"d F"`
	B1  Tensor `const:"b1,optional" shape:"F"`
	W2  Tensor `const:"w2" shape:"F d"`
	B2  Tensor `const:"b2,optional" shape:"d"`
	X   Tensor `src:"x" shape:"... d"`
	DY  Tensor `src:"dy" shape:"... d"`
	DW1 Tensor `dst:"dw1" shape:"d F"`
	DB1 Tensor `dst:"db1,of=b1" shape:"F"`
	DW2 Tensor `dst:"dw2" shape:"F d"`
	DB2 Tensor `dst:"db2,of=b2" shape:"d"`
	DX  Tensor `dst:"dx" shape:"... d"`
}

func (FFNGradArgs) Op() string { return "ffn.grad" }

func (a *FFNGradArgs) defaults()       { a.FFNAttrs.defaults() }
func (a *FFNGradArgs) validate() error { return a.FFNAttrs.validate() }

// FFNGrad adapts f.
func FFNGrad(f func(FFNGradArgs) error) Implementation { return Func(f) }

// BlockGradArgs: the gradients of BlockArgs.
type BlockGradArgs struct {
	BlockAttrs
	BlockWeights
	X  Tensor `src:"x" shape:"B T d"`
	DY Tensor `src:"dy" shape:"B T d"`
	BlockGrads
	DX Tensor `dst:"dx" shape:"B T d"`
}

// BlockGrads are the gradients with respect to BlockWeights.
type BlockGrads struct {
	DLN1Gamma Tensor `dst:"dln1_gamma" shape:"d"`
	DLN1Beta  Tensor `dst:"dln1_beta" shape:"d"`
	DWq       Tensor `dst:"dwq" shape:"d HD"`
	DBq       Tensor `dst:"dbq" shape:"HD"`
	DWk       Tensor `dst:"dwk" shape:"d GD"`
	DBk       Tensor `dst:"dbk" shape:"GD"`
	DWv       Tensor `dst:"dwv" shape:"d GD"`
	DBv       Tensor `dst:"dbv" shape:"GD"`
	DWo       Tensor `dst:"dwo" shape:"HD d"`
	DBo       Tensor `dst:"dbo" shape:"d"`
	DLN2Gamma Tensor `dst:"dln2_gamma" shape:"d"`
	DLN2Beta  Tensor `dst:"dln2_beta" shape:"d"`
	DW1       Tensor `dst:"dw1" shape:"d F"`
	DB1       Tensor `dst:"db1" shape:"F"`
	DW2       Tensor `dst:"dw2" shape:"F d"`
	DB2       Tensor `dst:"db2" shape:"d"`
}

func (BlockGradArgs) Op() string { return "block.grad" }

func (a *BlockGradArgs) defaults()                { a.BlockAttrs.defaults() }
func (a *BlockGradArgs) validate() error          { return a.BlockAttrs.validate() }
func (a *BlockGradArgs) checkConst(d *dims) error { return projections(d, a.Heads, a.KVHeads) }

// BlockGrad adapts f.
func BlockGrad(f func(BlockGradArgs) error) Implementation { return Func(f) }

// GPTLossGradArgs: the gradients of GPTLossArgs with respect to every parameter.
type GPTLossGradArgs struct {
	GPTLossAttrs
	GPTWeights
	IDs     Tensor `src:"ids" type:"i64" shape:"B T"`
	Targets Tensor `src:"targets" type:"i64" shape:"B T"`
	DLoss   Tensor `src:"dloss" shape:"B T"`
	GPTGrads
}

// GPTGrads are the gradients with respect to GPTWeights.
type GPTGrads struct {
	DWte      Tensor `dst:"dwte" shape:"V d"`
	DWpe      Tensor `dst:"dwpe,of=wpe" shape:"C d"`
	DLN1Gamma Tensor `dst:"dln1_gamma" shape:"L d"`
	DLN1Beta  Tensor `dst:"dln1_beta" shape:"L d"`
	DWq       Tensor `dst:"dwq" shape:"L d HD"`
	DBq       Tensor `dst:"dbq" shape:"L HD"`
	DWk       Tensor `dst:"dwk" shape:"L d GD"`
	DBk       Tensor `dst:"dbk" shape:"L GD"`
	DWv       Tensor `dst:"dwv" shape:"L d GD"`
	DBv       Tensor `dst:"dbv" shape:"L GD"`
	DWo       Tensor `dst:"dwo" shape:"L HD d"`
	DBo       Tensor `dst:"dbo" shape:"L d"`
	DLN2Gamma Tensor `dst:"dln2_gamma" shape:"L d"`
	DLN2Beta  Tensor `dst:"dln2_beta" shape:"L d"`
	DW1       Tensor `dst:"dw1" shape:"L d F"`
	DB1       Tensor `dst:"db1" shape:"L F"`
	DW2       Tensor `dst:"dw2" shape:"L F d"`
	DB2       Tensor `dst:"db2" shape:"L d"`
	DLNfGamma Tensor `dst:"dlnf_gamma,of=lnf_gamma" shape:"d"`
	DLNfBeta  Tensor `dst:"dlnf_beta,of=lnf_beta" shape:"d"`
	DWout     Tensor `dst:"dw_out,of=w_out" shape:"d V"`
}

// Tensors returns the gradients in table order, as GPTWeights.Tensors does. An absent one is the zero Tensor.
func (g *GPTGrads) Tensors() []Tensor {
	return []Tensor{g.DWte, g.DWpe, g.DLN1Gamma, g.DLN1Beta, g.DWq, g.DBq, g.DWk, g.DBk, g.DWv, g.DBv, g.DWo, g.DBo,
		g.DLN2Gamma, g.DLN2Beta, g.DW1, g.DB1, g.DW2, g.DB2, g.DLNfGamma, g.DLNfBeta, g.DWout}
}

func (GPTLossGradArgs) Op() string { return "gpt.loss.grad" }

func (a *GPTLossGradArgs) defaults()                 { a.GPTLossAttrs.defaults() }
func (a *GPTLossGradArgs) validate() error           { return a.GPTLossAttrs.validate() }
func (a *GPTLossGradArgs) shapes() map[string]string { return a.CrossEntropyAttrs.upstreamShapes() }
func (a *GPTLossGradArgs) checkConst(d *dims) error  { return a.GPTAttrs.check(d, &a.GPTWeights) }

// GPTLossGrad adapts f.
func GPTLossGrad(f func(GPTLossGradArgs) error) Implementation { return Func(f) }

// CrossEntropyGradArgs: the gradient of CrossEntropyArgs. DLoss is [N] under reduction none, a scalar otherwise.
type CrossEntropyGradArgs struct {
	CrossEntropyAttrs
	Logits  Tensor `src:"logits" shape:"N V"`
	Targets Tensor `src:"targets" type:"i64" shape:"N"`
	DLoss   Tensor `src:"dloss" shape:"N"`
	DLogits Tensor `dst:"dlogits" shape:"N V"`
}

func (CrossEntropyGradArgs) Op() string { return "cross_entropy.grad" }

func (a *CrossEntropyGradArgs) defaults()       { a.CrossEntropyAttrs.defaults() }
func (a *CrossEntropyGradArgs) validate() error { return a.CrossEntropyAttrs.validate() }
func (a *CrossEntropyGradArgs) shapes() map[string]string {
	return a.CrossEntropyAttrs.upstreamShapes()
}

// upstreamShapes are the shapes of the loss, for its gradient.
func (a *CrossEntropyAttrs) upstreamShapes() map[string]string {
	if rule, ok := a.shapes()["loss"]; ok {
		return map[string]string{"dloss": rule}
	}
	return nil
}

// CrossEntropyGrad adapts f.
func CrossEntropyGrad(f func(CrossEntropyGradArgs) error) Implementation { return Func(f) }
