package training

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot"

	"github.com/assaykit/assay/cmd/gpt/internal/checkpoint"
)

func TestRoundTicks(t *testing.T) {
	for _, tt := range []struct {
		low, high, least float64
		want             []string
	}{
		{1.37, 4.61, 0, []string{"1.0", "1.5", "2.0", "2.5", "3.0", "3.5", "4.0", "4.5", "5.0"}},
		{0, 1500, 1, []string{"0", "200", "400", "600", "800", "1000", "1200", "1400", "1600"}},
		{0, 1, 1, []string{"0", "1"}},
		{0, 12, 1, []string{"0", "2", "4", "6", "8", "10", "12"}},
		{3.11, 3.12, 0, []string{"3.110", "3.112", "3.114", "3.116", "3.118", "3.120"}},
		{0, 80, 1, []string{"0", "10", "20", "30", "40", "50", "60", "70", "80"}},
		{2, 2, 0, []string{"2.0", "2.2", "2.4", "2.6", "2.8", "3.0"}},
	} {
		axis := plot.Axis{Min: tt.low, Max: tt.high}
		roundTicks(&axis, tt.least)
		var got []string
		for _, tick := range axis.Tick.Marker.Ticks(axis.Min, axis.Max) {
			got = append(got, tick.Label)
		}
		require.Equal(t, tt.want, got)
		require.LessOrEqual(t, axis.Min, tt.low)
		require.GreaterOrEqual(t, axis.Max, tt.high)
	}
}

func TestCurveHasATitle(t *testing.T) {
	c, text := tiny(t)
	r, err := New(c, text, 1)
	require.NoError(t, err)
	r.Losses, r.Validated = []float64{3.5, 2.5}, []checkpoint.Validation{{Steps: 2, Loss: 2.75}}
	var svg bytes.Buffer
	require.NoError(t, r.WriteCurve(&svg, "svg"))
	for _, text := range []string{"Loss by step, 1712 parameters", "loss, nats a token", ">step<", ">validation<", ">3.4<"} {
		require.Contains(t, svg.String(), text)
	}
}
