package optimized

// A view is a matrix that lies in a slice: element (i, j) is data[i*row+j*col].
type view struct {
	data       []float32
	rows, cols int
	row, col   int
}

// dense returns the view of a row-major matrix.
func dense(data []float32, rows, cols int) view { return view{data, rows, cols, cols, 1} }

func (v view) transposed() view { return view{v.data, v.cols, v.rows, v.col, v.row} }

// kcMax is the depth of a block of B, and so the length of the sums that a micro-kernel makes before it adds them to C. It bounds the
// growth of rounding errors as well as the size of a panel, which should stay in the first-level cache.
const kcMax = 256

// A packed is a matrix B [K, N] in the order in which the micro-kernel reads it: blocks of up to kcMax rows, in each the panels of NR
// columns. The last panel is filled up with columns whose contents do not matter.
type packed struct {
	rows, cols int
	nr, panels int
	data       []float32
	src        view // what do packs
	at         int  // the column where it goes
}

// resize makes p a matrix of the given shape, with undefined contents.
func (p *packed) resize(rows, cols, nr int) {
	p.rows, p.cols, p.nr, p.panels = rows, cols, nr, (cols+nr-1)/nr
	grow(&p.data, rows*p.panels*nr)
}

// panel returns the kb rows from row pc of panel jp; pc is the start of a block.
func (p *packed) panel(pc, kb, jp int) []float32 {
	at := (pc*p.panels + jp*kb) * p.nr
	return p.data[at : at+kb*p.nr]
}

// set copies a matrix of K rows into p, to the columns from at.
func (p *packed) set(t *team, at int, src view) {
	p.src, p.at = src, at
	t.run(p.panels, 2*p.rows*p.nr, p)
	p.src = view{}
}

// do packs the panels from lo to hi, as far as the source has them.
func (p *packed) do(_, lo, hi int) {
	for jp := lo; jp < hi; jp++ {
		first, last := max(jp*p.nr, p.at), min((jp+1)*p.nr, p.at+p.src.cols)
		for pc := 0; pc < p.rows; pc += kcMax {
			kb := min(kcMax, p.rows-pc)
			dst := p.panel(pc, kb, jp)
			for j := first; j < last; j++ {
				from, to := pc*p.src.row+(j-p.at)*p.src.col, j-jp*p.nr
				for range kb {
					dst[to] = p.src.data[from]
					from += p.src.row
					to += p.nr
				}
			}
		}
	}
}

// slot returns where the elements of row r of a block of A lie once it is packed, and how far apart. Rows that fill an A-panel of mr are
// interleaved; those that are left over follow one by one, for Kernel.Row. Either way row r's panel begins at r*kb, r being its first row.
func slot(r, rows, mr, kb int) (at, step int) {
	if r < rows/mr*mr {
		return r/mr*mr*kb + r%mr, mr
	}
	return r * kb, 1
}

// packRow copies kb elements that lie step apart to a row's slot.
func packRow(dst []float32, at, step int, src []float32, kb, srcStep int) {
	for i := range kb {
		dst[at] = src[i*srcStep]
		at += step
	}
}

// grow makes a buffer n elements long, with undefined contents, and returns it. It allocates only what was never needed before.
func grow(buf *[]float32, n int) []float32 {
	if cap(*buf) < n {
		*buf = make([]float32, n)
	}
	*buf = (*buf)[:n]
	return *buf
}
