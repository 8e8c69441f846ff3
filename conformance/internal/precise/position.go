package precise

// sinusoid is element i of PE-1's row of width d for a position.
func sinusoid(pos int64, i, d int) number {
	angle := quo(ofInt(int(pos)), pow(ofInt(10000), ratio(int64(i-i%2), int64(d))))
	if i%2 == 0 {
		return sin(angle)
	}
	return cos(angle)
}

type sinusoidalAttrs struct {
	DModel int `json:"d_model"`
}

var _ = register("sinusoidal_positions", func() sinusoidalAttrs { return sinusoidalAttrs{} }, sinusoidalPositions)

func sinusoidalPositions(a sinusoidalAttrs, in arrays) Step {
	pos := in["pos"].I64
	for _, p := range pos {
		if p < 0 {
			return fails("position")
		}
	}
	return gives("y", func(i int) number { return sinusoid(pos[i/a.DModel], i%a.DModel, a.DModel) })
}

var _ = register("learned_positions", none, learnedPositions)

func learnedPositions(_ noAttrs, in arrays) Step {
	return lookup(in["table"], in["pos"].I64, "position")
}
