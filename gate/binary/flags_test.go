package binary

import (
	"slices"
	"testing"
)

func TestSplit(t *testing.T) {
	for in, want := range map[string][]string{
		"":                             nil,
		"  ":                           nil,
		"-s  -w\t":                     {"-s", "-w"},
		`'-ldflags=-s -w' -v`:          {"-ldflags=-s -w", "-v"},
		`-X "main.x=it's"`:             {"-X", "main.x=it's"},
		`-X=main.x='a b'`:              {"-X=main.x='a", "b'"}, // a quote inside of a field is none
		`''""x`:                        {"", "", "x"},
		"-ldflags='-s\n":               {"-ldflags='-s"},
		`-extldflags "-static -lm" -s`: {"-extldflags", "-static -lm", "-s"},
	} {
		got, err := split(in)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("split(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{`'`, `-X "a`, `a 'b"`} {
		if got, err := split(in); err == nil {
			t.Errorf("split(%q) = %q, want an error", in, got)
		}
	}
}

func TestReadFlags(t *testing.T) {
	for _, test := range []struct{ goflags, user, ldflags, mod string }{
		{"", "", "", ""},
		{"-ldflags=-s", "", "-s", ""},
		{"--ldflags=-s -mod=vendor", "-X main.a=b", "-s -X main.a=b", "vendor"},
		{"'-ldflags=-s -X main.c=d' -v", "all=-w", "-s -X main.c=d -w", ""},
		{"-ldflags=-s -ldflags=-w -mod=mod", "", "-w", "mod"}, // the last one, as in the go command
		{"-ldflags=-s -ldflags=", "", "", ""},
	} {
		tree := &tree{goenv: map[string]string{"GOFLAGS": test.goflags}}
		if err := tree.readFlags(test.user); err != nil || tree.ldflags != test.ldflags || tree.mod != test.mod {
			t.Errorf("GOFLAGS=%q --ldflags=%q: %v, -ldflags=%q -mod=%q, want %q %q",
				test.goflags, test.user, err, tree.ldflags, tree.mod, test.ldflags, test.mod)
		}
	}
}
