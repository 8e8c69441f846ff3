package precise

// lookup gives rows of a table: EMB-1, PE-4. A row that the table lacks is an error of the kind given.
func lookup(table *array, at []int64, kind string) Step {
	for _, i := range at {
		if i < 0 || i >= int64(table.dim(0)) {
			return fails(kind)
		}
	}
	d := table.dim(1)
	return gives("y", func(i int) number { return table.at(int(at[i/d])*d + i%d) })
}

var _ = register("embedding", none, embedding)

func embedding(_ noAttrs, in arrays) Step { return lookup(in["table"], in["ids"].I64, "index") }
