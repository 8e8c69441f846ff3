package gate

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchproc"
	"golang.org/x/perf/benchunit"
)

// MaxInput bounds the bytes of one source.
const MaxInput = 16 << 20

// configKeys are the file configuration keys that tell rows apart; all but the first describe the machine.
var configKeys = []string{"pkg", "goos", "goarch", "cpu"}

var (
	benchmarkPrefix = []byte("Benchmark")
	// failure matches lines with which go test and the Go runtime report that a run went wrong. benchfmt ignores them.
	failure = regexp.MustCompile(`^(\s*--- FAIL|FAIL\b|panic:|fatal error:|exit status |signal: |\*\*\* Test killed)`)
	// record matches lines that benchfmt does not ignore.
	record = regexp.MustCompile(`^(Benchmark|Unit\s|\p{Ll}[^\s\p{Lu}]*:)`)
	// hidden matches a result that something stands before, or what follows the name in one.
	hidden = regexp.MustCompile(`Benchmark\S*[\s\p{Z}]+\d+[\s\p{Z}]+[-+]?(\d\S*|Inf|NaN)[\s\p{Z}]+\S|\t *[-+]?(\d\S*|Inf|NaN) (ns/op|MB/s|B/op|allocs/op)\b`)
	// prose matches a line that begins as a result and is none where it cannot be read: go test knows no such name.
	prose = regexp.MustCompile(`^Benchmark\p{Ll}`)
)

// cell collects the runs of one benchmark and unit from both sources.
type cell struct {
	cellKey
	written  string   // the unit as the file has it
	values   []string // of configKeys
	runs     [2][]float64
	iters    [2][]int
	residue  [2]benchproc.Key // configuration outside the key, of the side's first run
	unusable string           // why the first value that cannot be compared cannot
}

func (c *cell) String() string { return c.name + " " + c.unit }

// identity is what tells rows apart, without the machine.
func (c *cell) identity() [3]string { return [3]string{c.values[0], c.name, c.unit} }

type cellKey struct {
	config     benchproc.Key
	name, unit string
}

// input reads the sources and sorts their measurements into cells.
type input struct {
	opt        Options
	names      [2]string
	benchmarks [2]int // results before Options.Bench
	framing    [2]framing
	units      [2]map[cellKey][]string // of the last line of each benchmark, as written; the key has no unit
	skip       map[string]bool         // Options.SkipUnits, tidied
	format     benchfmt.Reader
	config     *benchproc.Projection // configKeys
	residue    *benchproc.Projection // every other file configuration key
	cells      map[cellKey]*cell
	order      []*cell  // as first seen
	derived    []string // units that are left to the time
}

func newInput(opt Options) (*input, error) {
	in := &input{opt: opt, cells: map[cellKey]*cell{}, units: [2]map[cellKey][]string{{}, {}}, skip: Tidied(opt.SkipUnits)}
	var p benchproc.ProjectionParser
	var err error
	if in.config, err = p.Parse(strings.Join(configKeys, ","), nil); err != nil {
		return nil, err
	}
	if _, err = p.Parse(".fullname", nil); err != nil { // keeps the name out of the residue
		return nil, err
	}
	in.residue = p.Residue()
	return in, nil
}

// read adds the results of side s (0 OLD, 1 NEW).
func (in *input) read(s int, src Source, limit int64) error {
	name := cmp.Or(src.Name, [2]string{"OLD", "NEW"}[s])
	in.names[s] = name
	if src.Reader == nil {
		return refuse("%s: no reader", name)
	}
	data, err := io.ReadAll(io.LimitReader(src, limit+1))
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrCannotJudge, name, err)
	}
	if int64(len(data)) > limit {
		return refuse("%s: larger than %d bytes: keep the benchmark result and configuration lines only", name, limit)
	}
	if bytes.IndexByte(data, 0) >= 0 {
		return refuse("%s: holds NUL bytes: save it as UTF-8 text", name)
	}
	var kept []line
	var records bytes.Buffer
	err = plain(name, data, func(l line) error {
		result := bytes.HasPrefix(l.text, benchmarkPrefix)
		switch {
		case failure.Match(l.text):
			return refuse("%s:%d: the run failed: %q: fix it and run again", name, l.number, bytes.TrimSpace(l.text))
		case !result && hides(l.text):
			return mixed(name, l, "a result does not begin its line")
		case result && len(l.text) >= bufio.MaxScanTokenSize:
			return mixed(name, l, "the line is too long")
		case l.open && len(l.text) > 0 && bytes.HasPrefix(benchmarkPrefix, l.text):
			return cutOff(name, l)
		case record.Match(l.text) && len(l.text) < bufio.MaxScanTokenSize:
			kept = append(kept, l)
			records.Write(l.text)
			records.WriteByte('\n')
		}
		in.framing[s].see(l.text)
		return nil
	})
	if err != nil {
		return err
	}
	if f := &in.framing[s]; f.ended && len(f.unended) > 0 {
		return refuse("%s: the output of %s has no PASS, others have: the file is cut off: run it again", name, f.unended[0])
	}
	in.format.Reset(&records, name)
	for in.format.Scan() {
		switch rec := in.format.Result().(type) {
		case *benchfmt.SyntaxError:
			err = syntax(name, kept[rec.Line-1], rec.Msg)
		case *benchfmt.Result:
			_, at := rec.Pos()
			in.benchmarks[s]++
			err = in.add(s, kept[at-1], rec)
		}
		if err != nil {
			return err
		}
	}
	if err := in.format.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrCannotJudge, err)
	}
	if in.benchmarks[s] == 0 {
		return refuse("%s: no benchmark results: want the output of go test -bench=. -count=N", name)
	}
	return nil
}

// hides tells whether a line that is no result holds one. Most lines lack even what is cheap to look for.
func hides(text []byte) bool {
	return (bytes.Contains(text, benchmarkPrefix) || bytes.Contains(text, []byte("/op")) || bytes.Contains(text, []byte("MB/s"))) && hidden.Match(text)
}

// syntax refuses a line that benchfmt cannot read, unless it is prose.
func syntax(name string, l line, problem string) error {
	switch {
	case bytes.HasPrefix(l.text, []byte("Unit")) && strings.Contains(problem, "already set"):
		return refuse("%s:%d: %s: OLD and NEW must agree: correct one of the lines", name, l.number, problem)
	case bytes.HasPrefix(l.text, []byte("Unit")):
		return refuse("%s:%d: %s: want a line such as \"Unit tok/s better=higher\"", name, l.number, problem)
	case l.open:
		return cutOff(name, l)
	case prose.Match(l.text) && !hides(l.text):
		return nil
	}
	return mixed(name, l, problem)
}

// mixed refuses a result that other output stands in the same line with.
func mixed(name string, l line, problem string) error {
	const most = 100
	return refuse("%s:%d: %s: %.*q: let the benchmark print nothing, or whole lines under go test -v", name, l.number, problem, most, l.text)
}

// cutOff refuses a last line that no newline ends.
func cutOff(name string, l line) error {
	return refuse("%s:%d: no newline ends the last line, and nothing shows that it is whole: the file is cut off: run it again", name, l.number)
}

// framing is what go test prints around the results of a package, if that was kept.
type framing struct {
	unended  []string // packages whose results have no end; the last may yet get it
	begun    bool     // the last of unended is
	results  bool     // there are some of what is neither begun nor ended
	ended    bool     // some package was
	headless bool     // and had results, but no beginning
}

// see takes note of a line.
func (f *framing) see(text []byte) {
	switch pkg, ok := bytes.CutPrefix(text, []byte("pkg: ")); {
	case ok:
		f.unended, f.begun = append(f.unended, string(pkg)), true
	case string(bytes.TrimSpace(text)) == "PASS" || bytes.HasPrefix(text, []byte("ok  \t")):
		if f.begun {
			f.unended = f.unended[:len(f.unended)-1]
		}
		f.headless = f.headless || f.results
		f.begun, f.results, f.ended = false, false, true
	case bytes.HasPrefix(text, benchmarkPrefix):
		f.results = !f.begun
	}
}

func (in *input) add(s int, l line, res *benchfmt.Result) error {
	name := string(res.Name.Full())
	key := cellKey{config: in.config.Project(res), name: name}
	var units []string
	for _, v := range res.Values {
		units = append(units, cmp.Or(v.OrigUnit, v.Unit))
	}
	if l.open && !slices.Equal(units, in.units[s][key]) { // which end with what a whole line ends with
		return cutOff(in.names[s], l)
	}
	in.units[s][key] = units
	if re := in.opt.Bench; re != nil && !re.MatchString(name) && !re.MatchString("Benchmark"+name) {
		return nil
	}
	at := func(format string, args ...any) error {
		return refuse("%s:%d: %s: %s", in.names[s], l.number, name, fmt.Sprintf(format, args...))
	}
	if res.Iters < 1 {
		return at("%d iterations: run it again", res.Iters)
	}
	residue := in.residue.Project(res)
	seen := map[string]bool{}
	for i, v := range res.Values {
		x, unit := benchunit.Tidy(v.Value, v.Unit) // benchfmt leaves the unit of "0 ns/op" as it is
		if in.skip[unit] {
			continue
		}
		if seen[unit] {
			return at("two values of %s: report each unit once", units[i])
		}
		seen[unit], key.unit = true, unit
		c := in.cells[key]
		if c == nil {
			c = &cell{cellKey: key, written: units[i]}
			for _, f := range in.config.Fields() {
				c.values = append(c.values, key.config.Get(f))
			}
			in.cells[key], in.order = c, append(in.order, c)
		}
		if why := Unusable(cmp.Or(v.OrigValue, v.Value), units[i]); why != "" && c.unusable == "" {
			c.unusable = fmt.Sprintf("%s:%d: %s", in.names[s], l.number, why)
		}
		if len(c.runs[s]) == 0 {
			c.residue[s] = residue
		} else if vary := benchproc.NonSingularFields([]benchproc.Key{c.residue[s], residue}); len(vary) > 0 {
			return at("runs under one name differ in %q: put it into the benchmark's name or drop the line from the file", vary[0].Name)
		}
		c.runs[s], c.iters[s] = append(c.runs[s], x), append(c.iters[s], res.Iters)
	}
	return nil
}
