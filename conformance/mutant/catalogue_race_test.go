//go:build race

package mutant_test

func init() { raceDetector = true }
