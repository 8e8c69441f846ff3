package optimized

import "github.com/assaykit/assay/optimized/internal/kernel"

// Blocks of C are mcMax x ncMax: the packed block of A (mcMax x kcMax) and that of B (kcMax x ncMax) should fit the second-level cache.
const (
	mcMax = 128
	ncMax = 512
	ncMin = 32 // below this, packing A again for every block of columns costs more than a helper saves
)

// gemm computes C = A B + bias (Goto and van de Geijn 2008; Van Zee and van de Geijn 2015, BLIS). It belongs to one kernel.
//
// The five loops around the micro-kernel are those of BLIS in another order: B lies packed as a whole, so nothing is shared between
// blocks of C, and they need no barrier. Loops 5 and 4 (jc, ic) are the team's; 3 (pc), 2 (jr) and 1 (ir) follow below.
//
// Each element is the sum over K in ascending order, in blocks of kcMax: the same bits for any number of workers, for any blocking of
// rows and columns, and for one row or many.
type gemm struct {
	team *team
	kern kernel.Kernel
	work []gemmScratch // by worker

	// the product that runs now
	c       []float32
	a       view
	b       *packed
	bias    []float32 // by column; none where it is empty
	adds    bool      // to what c holds
	mc, nc  int
	rowsOfC int // blocks of C in one column of blocks
}

type gemmScratch struct {
	a    []float32 // a packed block of A
	edge []float32 // a last panel of C that is narrower than NR
}

func newGEMM(t *team, kern kernel.Kernel) *gemm {
	return &gemm{team: t, kern: kern, work: make([]gemmScratch, t.workers)}
}

// run overwrites c [M, N] with a [M, K] times b [K, N], plus the bias [N] in every row.
func (g *gemm) run(c []float32, a view, b *packed, bias []float32) {
	g.bias = bias
	g.product(c, a, b)
	g.bias = nil
}

// add adds a [M, K] times b [K, N] to c [M, N].
func (g *gemm) add(c []float32, a view, b *packed) {
	g.adds = true
	g.product(c, a, b)
	g.adds = false
}

func (g *gemm) product(c []float32, a view, b *packed) {
	g.c, g.a, g.b = c, a, b
	g.mc = min(a.rows, mcMax/g.kern.MR*g.kern.MR)
	g.nc = min(b.panels*b.nr, ncMax/b.nr*b.nr)
	for g.team.workers > 1 && g.blocks() < 4*g.team.workers && g.nc > max(ncMin, b.nr) {
		g.nc = (g.nc/2 + b.nr - 1) / b.nr * b.nr
	}
	g.team.run(g.blocks(), 2*g.mc*g.nc*b.rows, g)
	g.c, g.a, g.b = nil, view{}, nil
}

func (g *gemm) blocks() int {
	g.rowsOfC = (g.a.rows + g.mc - 1) / g.mc
	return g.rowsOfC * ((g.b.cols + g.nc - 1) / g.nc)
}

// do computes the blocks of C from lo to hi, counted down the columns of blocks: neighbours share a block of B.
func (g *gemm) do(worker, lo, hi int) {
	w := &g.work[worker]
	for t := lo; t < hi; t++ {
		jc, ic := t/g.rowsOfC*g.nc, t%g.rowsOfC*g.mc
		mb, nb := min(g.mc, g.a.rows-ic), min(g.nc, g.b.cols-jc)
		if !g.adds {
			g.clear(ic, mb, jc, nb)
		}
		for pc := 0; pc < g.b.rows; pc += kcMax {
			kb := min(kcMax, g.b.rows-pc)
			a := g.packA(w, ic, mb, pc, kb)
			for jr := jc; jr < jc+nb; jr += g.b.nr {
				panel := g.b.panel(pc, kb, jr/g.b.nr)
				c := g.c[ic*g.b.cols+jr:]
				if width := jc + nb - jr; width >= g.b.nr {
					multiply(&g.kern, mb, kb, a, panel, c, g.b.cols)
				} else {
					g.edge(w, mb, kb, a, panel, c, width)
				}
			}
		}
	}
}

// multiply adds to c, whose rows are ldc apart, the product of a packed block of A and a panel of B: the loop over ir.
func multiply(kern *kernel.Kernel, rows, kb int, a, panel, c []float32, ldc int) {
	ir := 0
	for ; ir+kern.MR <= rows; ir += kern.MR {
		kern.Tile(kb, a[ir*kb:], panel, c[ir*ldc:], ldc)
	}
	for ; ir < rows; ir++ {
		kern.Row(kb, a[ir*kb:], panel, c[ir*ldc:])
	}
}

// edge is multiply for a panel of which only the first columns belong to C: the others must not be written.
func (g *gemm) edge(w *gemmScratch, rows, kb int, a, panel, c []float32, width int) {
	nr := g.b.nr
	e := grow(&w.edge, rows*nr)
	clear(e)
	multiply(&g.kern, rows, kb, a, panel, e, nr)
	for i := range rows {
		for j := range width {
			c[i*g.b.cols+j] += e[i*nr+j]
		}
	}
}

// clear sets a block of C to what the products are added to: the bias or 0.
func (g *gemm) clear(ic, mb, jc, nb int) {
	for i := ic; i < ic+mb; i++ {
		row := g.c[i*g.b.cols+jc:][:nb]
		if len(g.bias) > 0 {
			copy(row, g.bias[jc:])
		} else {
			clear(row)
		}
	}
}

func (g *gemm) packA(w *gemmScratch, ic, mb, pc, kb int) []float32 {
	dst := grow(&w.a, mb*kb)
	packRows(dst, g.a.part(ic, pc, mb, kb), g.kern.MR)
	return dst
}
