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
	top, left  int  // where it goes
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

// set copies a matrix into p: its first element to row top and column left.
func (p *packed) set(t *team, top, left int, src view) {
	p.src, p.top, p.left = src, top, left
	t.run(p.panels, 2*src.rows*p.nr, p)
	p.src = view{}
}

// do packs the panels from lo to hi, as far as the source has them.
func (p *packed) do(_, lo, hi int) {
	for jp := lo; jp < hi; jp++ {
		first, last := max(jp*p.nr, p.left), min((jp+1)*p.nr, p.left+p.src.cols)
		if first >= last {
			continue
		}
		for pc := 0; pc < p.rows; pc += kcMax {
			kb := min(kcMax, p.rows-pc)
			from, to := max(pc, p.top), min(pc+kb, p.top+p.src.rows)
			if from < to {
				p.src.part(from-p.top, first-p.left, to-from, last-first).interleave(p.panel(pc, kb, jp)[(from-pc)*p.nr+first-jp*p.nr:], p.nr)
			}
		}
	}
}

// part returns rows and columns of v from (i, j) on.
func (v view) part(i, j, rows, cols int) view {
	return view{v.data[i*v.row+j*v.col:], rows, cols, v.row, v.col}
}

// interleave copies v to dst, row by row, stride apart. It reads along whichever axis of v lies together.
func (v view) interleave(dst []float32, stride int) {
	if v.col == 1 {
		for k := range v.rows {
			copy(dst[k*stride:k*stride+v.cols], v.data[k*v.row:])
		}
		return
	}
	for j := range v.cols {
		from, to := j*v.col, j
		for range v.rows {
			dst[to] = v.data[from]
			from += v.row
			to += stride
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

// packRows packs a block of A: panels of mr rows, and the rows that are left over. It reads along whichever axis of the block lies together.
func packRows(dst []float32, block view, mr int) {
	kb, r := block.cols, 0
	for ; r+mr <= block.rows; r += mr {
		panel, i := dst[r*kb:], 0
		switch {
		case block.row == 1:
			block.part(r, 0, mr, kb).transposed().interleave(panel, mr)
			continue
		case block.col == 1:
			for ; i+4 <= mr; i += 4 {
				at := (r + i) * block.row
				interleave4(panel[i:], mr, block.data[at:][:kb], block.data[at+block.row:], block.data[at+2*block.row:], block.data[at+3*block.row:])
			}
		}
		for ; i < mr; i++ {
			packRow(panel, i, mr, block.data[(r+i)*block.row:], kb, block.col)
		}
	}
	for ; r < block.rows; r++ {
		packRow(dst, r*kb, 1, block.data[r*block.row:], kb, block.col)
	}
}

// interleave4 copies rows a, b, c, d to every stride-th group of four elements.
func interleave4(dst []float32, stride int, a, b, c, d []float32) {
	b, c, d = b[:len(a)], c[:len(a)], d[:len(a)]
	for k, v := range a {
		to := dst[k*stride:][:4]
		to[0], to[1], to[2], to[3] = v, b[k], c[k], d[k]
	}
}

// grow makes a buffer n elements long, with undefined contents, and returns it. It allocates only what was never needed before.
func grow[T any](buf *[]T, n int) []T {
	if cap(*buf) < n {
		*buf = make([]T, n)
	}
	*buf = (*buf)[:n]
	return *buf
}
