package precise

func learnedPositions(_ attributes, in arrays) Step {
	return lookup(in["table"], in["pos"].I64, "position")
}

// sinusoid is element i of PE-1's row of width d for a position.
func sinusoid(pos int64, i, d int) number {
	angle := quo(ofInt(int(pos)), pow(ofInt(10000), ratio(int64(i-i%2), int64(d))))
	if i%2 == 0 {
		return sin(angle)
	}
	return cos(angle)
}

func sinusoidalPositions(a attributes, in arrays) Step {
	pos := in["pos"].I64
	for _, p := range pos {
		if p < 0 {
			return fails("position")
		}
	}
	return gives("y", func(i int) number { return sinusoid(pos[i/a.DModel], i%a.DModel, a.DModel) })
}
