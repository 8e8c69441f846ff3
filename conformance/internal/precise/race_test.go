//go:build race

package precise

func init() { underRace = true }
