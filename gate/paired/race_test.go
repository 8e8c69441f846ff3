//go:build race

package paired

func init() { runs = 60 }
