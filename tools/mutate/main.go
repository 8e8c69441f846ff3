// Mutate changes one sign, operator or constant of package reference at a time, and looks whether a test notices.
//
//	go run ./tools/mutate                 all mutants: about an hour
//	go run ./tools/mutate -sample 60      some of them, the same for one -seed
//	go run ./tools/mutate -match decode   those whose description a regular expression matches
//	go run ./tools/mutate -list           what they are
//
// The tests are those by which the reference is trusted: its own (published values, central differences, algebra) and those against the
// evaluation with 256 bits. Neither compares with the golden vectors, which come from the reference. A mutant that no test can notice, because
// the change makes no difference, is listed in equivalent.json with the reason; an entry that is wrong or matches nothing is an error.
//
// It exits with 0 when every mutant died or is listed, 1 when one survived or the list is wrong, and 2 when that could not be found out.
package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// trusted are the packages whose tests a mutant has to survive.
var trusted = []string{"reference", filepath.Join("conformance", "internal", "precise")}

//go:embed equivalent.json
var equivalentJSON []byte

var errSurvived = errors.New("mutants survived, or equivalent.json is wrong")

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "mutate:", err)
	}
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errSurvived):
		os.Exit(1)
	default:
		os.Exit(2)
	}
}

func run(arguments []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	sample := flags.Int("sample", 0, "judge this `number` of mutants, chosen by -seed; 0: all")
	seed := flags.Uint64("seed", 1, "choose the sample by this `number`")
	match := flags.String("match", "", "judge the mutants that this `regexp` matches")
	list := flags.Bool("list", false, "print the mutants and do nothing")
	asJSON := flags.Bool("json", false, "print a JSON object")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() > 0 || *sample < 0 {
		return fmt.Errorf("unexpected arguments %q: mutate takes flags only", flags.Args())
	}
	pattern, err := regexp.Compile(*match)
	if err != nil {
		return err
	}
	equivalent, err := decodeEquivalent(equivalentJSON)
	if err != nil {
		return err
	}
	mutants, files, err := find("reference")
	if err != nil {
		return fmt.Errorf("%w: run from the module's root", err)
	}
	chosen := slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool { return !pattern.MatchString(m.String()) })
	if *list {
		for _, m := range chosen {
			fmt.Fprintln(stdout, m)
		}
		return nil
	}
	chosen = choose(chosen, *sample, *seed)
	if len(chosen) == 0 {
		return errors.New("nothing was judged: no mutant is chosen")
	}
	units, err := prepare(".", files, trusted, stderr)
	if err != nil {
		return err
	}
	r := tally(chosen, units, equivalent, stderr)
	r.Total = len(mutants)
	r.Stale = stale(equivalent, mutants)
	if *asJSON {
		err = json.NewEncoder(stdout).Encode(r)
	} else {
		err = r.print(stdout)
	}
	if err == nil && !r.good() {
		err = errSurvived
	}
	return err
}

// prepare builds the tests with all mutants in them, and finds out which of them reach which.
func prepare(module string, files map[string][]byte, packages []string, progress io.Writer) ([]unit, error) {
	tmp, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return nil, err
	}
	binaries, err := build(module, files, packages, tmp)
	if err != nil {
		return nil, err
	}
	var units []unit
	for _, b := range binaries {
		more, err := b.units(tmp)
		if err != nil {
			return nil, err
		}
		units = append(units, more...)
	}
	fmt.Fprintf(progress, "%d tests of %s\n", len(units), strings.Join(packages, ", "))
	return units, nil
}

// choose returns n of the mutants, in their order; all for 0.
func choose(mutants []mutant, n int, seed uint64) []mutant {
	if n == 0 || n >= len(mutants) {
		return mutants
	}
	var chosen []mutant
	for _, i := range rand.New(rand.NewPCG(seed, 0)).Perm(len(mutants))[:n] {
		chosen = append(chosen, mutants[i])
	}
	slices.SortFunc(chosen, func(a, b mutant) int { return a.ID - b.ID })
	return chosen
}

// tally runs the tests on each mutant.
func tally(mutants []mutant, units []unit, equivalent []entry, progress io.Writer) *report {
	r := &report{}
	h := hunter{units: units, killer: map[string][]string{}}
	last := time.Now()
	for i, m := range mutants {
		v := verdict{mutant: m, KilledBy: h.kill(m)}
		if e := slices.IndexFunc(equivalent, func(e entry) bool { return e.site == m.site() }); e >= 0 {
			v.Reason = equivalent[e].Reason
		}
		r.Verdicts = append(r.Verdicts, v)
		if v.survived() {
			fmt.Fprintf(progress, "survived: %s\n", m)
		}
		if time.Since(last) > 30*time.Second {
			fmt.Fprintf(progress, "%d of %d\n", i+1, len(mutants))
			last = time.Now()
		}
	}
	return r
}
