package training

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

var (
	trainColor      = color.RGBA{R: 0x9e, G: 0xb9, B: 0xd6, A: 0xff}
	validationColor = color.RGBA{R: 0xc4, G: 0x3c, B: 0x2c, A: 0xff}
	entropyColor    = color.RGBA{R: 0x60, G: 0x60, B: 0x60, A: 0xff}
)

// mostPoints is how many training losses are drawn: beyond it each point is a mean.
const mostPoints = 2000

// WriteCurve draws the losses of the run, and the unigram entropy of the validation text, in a format: png, svg or pdf.
func (r *Run) WriteCurve(to io.Writer, format string) error {
	p := plot.New()
	p.Title.Text = fmt.Sprintf("Loss by step, %d parameters", r.Parameters())
	p.Title.Padding = 3 * vg.Millimeter
	p.X.Label.Text = "step"
	p.Y.Label.Text = "loss, nats a token"
	p.Legend.Top, p.Legend.XOffs = true, -4*vg.Millimeter
	p.Add(plotter.NewGrid())

	var losses plotter.XYs
	width := max(1, (len(r.Losses)+mostPoints-1)/mostPoints)
	for from := 0; from < len(r.Losses); from += width {
		until := min(from+width, len(r.Losses))
		sum := 0.0
		for _, loss := range r.Losses[from:until] {
			sum += loss
		}
		losses = append(losses, plotter.XY{X: float64(from+until+1) / 2, Y: sum / float64(until-from)})
	}
	if err := addLine(p, "training", losses, trainColor, nil); err != nil {
		return err
	}
	var validated plotter.XYs
	for _, v := range r.Validated {
		validated = append(validated, plotter.XY{X: float64(v.Steps), Y: v.Loss})
	}
	if err := addLine(p, "validation", validated, validationColor, nil); err != nil {
		return err
	}
	entropy := r.Text.UnigramEntropy()
	flat := plotter.XYs{{X: 0, Y: entropy}, {X: float64(max(1, r.Steps())), Y: entropy}}
	if err := addLine(p, fmt.Sprintf("unigram entropy, %.3f", entropy), flat, entropyColor, []vg.Length{vg.Points(5), vg.Points(4)}); err != nil {
		return err
	}

	roundTicks(&p.X, 1)
	roundTicks(&p.Y, 0)
	c, err := draw.NewFormattedCanvas(20*vg.Centimeter, 12*vg.Centimeter, format)
	if err != nil {
		return err
	}
	const margin = 4 * vg.Millimeter // labels at the ends of axes reach beyond them
	p.Draw(draw.Crop(draw.New(c), margin, -margin, margin, -margin))
	_, err = c.WriteTo(to)
	return err
}

// roundTicks widens an axis to multiples of a round number, one, two or five times a power of ten and no less than least, and has a tick at each.
func roundTicks(a *plot.Axis, least float64) {
	const most = 8 // spaces between ticks
	if a.Max == a.Min {
		a.Max++
	}
	span := a.Max - a.Min
	step := math.Pow(10, math.Floor(math.Log10(span)))
	for _, factor := range []float64{0.2, 0.5} {
		if span <= most*factor*step {
			step *= factor
			break
		}
	}
	step = max(step, least)
	var ticks plot.ConstantTicks
	first, last := math.Floor(a.Min/step), math.Ceil(a.Max/step)
	for i := first; i <= last; i++ {
		decimals := max(0, int(math.Ceil(-math.Log10(step))))
		ticks = append(ticks, plot.Tick{Value: i * step, Label: strconv.FormatFloat(i*step, 'f', decimals, 64)})
	}
	a.Min, a.Max, a.Tick.Marker = first*step, last*step, ticks
}

func addLine(p *plot.Plot, name string, points plotter.XYs, c color.Color, dashes []vg.Length) error {
	if len(points) == 0 {
		return nil
	}
	line, marks, err := plotter.NewLinePoints(points)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err) // a loss that is not finite
	}
	line.Color, line.Width, line.Dashes = c, vg.Points(1.2), dashes
	p.Add(line)
	if len(points) == 1 { // which a line does not show
		marks.Color = c
		p.Add(marks)
	}
	p.Legend.Add(name, line)
	return nil
}
