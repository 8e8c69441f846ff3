package bigmath

import (
	"math"
	"math/big"
	"testing"
)

const testPrec = 256

func parse(t *testing.T, s string) *big.Float {
	t.Helper()
	x, _, err := big.ParseFloat(s, 10, 512, big.ToNearestEven)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// within fails where got is off by more than 2^-bits of want.
func within(t *testing.T, name string, got, want *big.Float, bits int) {
	t.Helper()
	diff := float(1024).Sub(got, want)
	if diff.Sign() != 0 && (want.Sign() == 0 || exponent(diff) > exponent(want)-bits) {
		t.Errorf("%s: got %.80g, want %.80g", name, got, want)
	}
}

type unary = func(*big.Float, uint) *big.Float

// The digits are published: those of the OEIS sequence named, or what mpmath 1.3.0 prints with mp.dps = 110.
func TestPublishedDigits(t *testing.T) {
	constantPi := func(_ *big.Float, prec uint) *big.Float { return Pi(prec) }
	tests := []struct {
		source string
		f      unary
		x      string
		want   string
	}{
		{"pi, OEIS A000796", constantPi, "0", "3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803483"},
		{"e, OEIS A001113", Exp, "1", "2.71828182845904523536028747135266249775724709369995957496696762772407663035354759457138218"},
		{"log 2, OEIS A002162", Log, "2", "0.693147180559945309417232121458176568075500134360255254120680009493393621969694715605863327"},
		{"log 10, OEIS A002392", Log, "10", "2.30258509299404568401799145468436420760110148862877297603332790096757260967735248023599721"},
		{"sqrt 2, OEIS A002193", Sqrt, "2", "1.41421356237309504880168872420969807856967187537694807317667973799073247846210703885038753"},
		{"sin 1, OEIS A049469", Sin, "1", "0.841470984807896506652502321630298999622563060798371065672751709991910404391239668948639744"},
		{"cos 1, OEIS A049470", Cos, "1", "0.540302305868139717400936607442976603732310420617922227670097255381100394774471764517951856"},
		{"tanh 1, OEIS A073744", Tanh, "1", "0.761594155955764888119458282604793590412768597257936551596810500121953244576638483458947522"},
		{"erf 1, mpmath", Erf, "1", "0.842700792949714869341220635082609259296066997966302908459937897834717254096010841261983325"},
		{"erf 1/2, mpmath", Erf, "0.5", "0.520499877813046537682746653891964528736451575757963700058805725647193521716853570914788219"},
		{"erf 2^-33, mpmath", Erf, "0x1p-33", "1.31360623880232751123963557186079804500434568163396684800194345607822767501916639736474249e-10"},
		{"tanh 2^-33, mpmath", Tanh, "0x1p-33", "1.16415321826934814452599092729852658796395031905502240855573729976478251381517445818431516e-10"},
		{"log(1+2^-40), mpmath", Log, "0x1.0000000001p0", "9.09494701772514647608762799434692470904243110457902306976190289801984748044190299464135307e-13"},
		{"exp -1000, mpmath", Exp, "-1000", "5.07595889754945676529180947957433691930559928289283736183239384541054054297481917567966217e-435"},
		{"1 + erf -20, mpmath", OnePlusErf, "-20", "5.39586561160790092893499916790534560408827267092360528347010378491301876315666993333543074e-176"},
		{"1 + tanh -30, mpmath", OnePlusTanh, "-30", "1.75130215253930406769774654481253705986742223148793516494337348432808140605261147027857223e-26"},
		{"sin 10^22, mpmath", Sin, "1e22", "-0.85220084976718880177270589375302936826176215041004365625650932602591031199209620153543628"},
		{"cos 10^22, mpmath", Cos, "1e22", "0.523214785395138945497594473384709492140919972439387953527211392104298247376710623283422633"},
		{"cos of the float64 next to pi/2, mpmath", Cos, "1.5707963267948965579989817342720925807952880859375",
			"6.12323399573676588613032966137500146464037779883628305209605498277248630839770963795134092e-17"},
	}
	for _, tt := range tests {
		x, _, err := big.ParseFloat(tt.x, 0, 512, big.ToNearestEven)
		if err != nil {
			t.Fatal(err)
		}
		within(t, tt.source, tt.f(x, 300), parse(t, tt.want), 294) // 89 digits
	}
	within(t, "10^(1/8), mpmath", Pow(parse(t, "10"), parse(t, "0.125"), 300),
		parse(t, "1.3335214321633240256759317152953310924156679647643709933295499871627589431801958186490135"), 289)
}

var arguments = []float64{0x1p-60, 1e-9, 0.01, 0.3, 0.5, 0.69, 0.7, 0.71, 1, 1.39, 1.41, 2, 3, 5.5, 11, 22, 39.5, 64, 100, 1e3, 12345.678, 0x1p19}

func each(f func(x *big.Float)) {
	for _, a := range arguments {
		f(big.NewFloat(a))
		f(big.NewFloat(-a))
	}
}

// What is promised at one precision is what is computed at any higher one.
func TestPrecisionsAgree(t *testing.T) {
	all := map[string]unary{"Exp": Exp, "Sin": Sin, "Cos": Cos, "Erf": Erf, "OnePlusErf": OnePlusErf, "Tanh": Tanh, "OnePlusTanh": OnePlusTanh,
		"Log": func(x *big.Float, prec uint) *big.Float { return Log(new(big.Float).Abs(x), prec) },
		"Pow": func(x *big.Float, prec uint) *big.Float { return Pow(big.NewFloat(1.1), x, prec) }}
	for name, f := range all {
		each(func(x *big.Float) {
			for _, prec := range []uint{53, 200, testPrec} {
				got := f(x, prec)
				if got.Prec() != prec {
					t.Errorf("%s(%g, %d) has %d bits", name, x, prec, got.Prec())
				}
				within(t, name+" of "+x.String(), got, f(x, 2*prec+100), int(prec)-1)
			}
		})
	}
}

// Identities between functions that are evaluated in different ways.
func TestIdentities(t *testing.T) {
	const p = 600
	add := func(x, y *big.Float) *big.Float { return float(p).Add(x, y) }
	mul := func(x, y *big.Float) *big.Float { return float(p).Mul(x, y) }
	one := integer(p, 1)
	each(func(x *big.Float) {
		name := x.String()
		within(t, "sin^2 + cos^2 at "+name, add(mul(Sin(x, p), Sin(x, p)), mul(Cos(x, p), Cos(x, p))), one, p-4)
		within(t, "sin 2x at "+name, Sin(add(x, x), p), mul(integer(p, 2), mul(Sin(x, p), Cos(x, p))), p-4)
		within(t, "sin(x + pi) at "+name, Sin(float(2*p).Add(x, Pi(2*p)), p), float(p).Neg(Sin(x, p)), p-8)
		within(t, "exp x exp -x at "+name, mul(Exp(x, p), Exp(float(p).Neg(x), p)), one, p-4)
		within(t, "exp 2x at "+name, Exp(add(x, x), p), mul(Exp(x, p), Exp(x, p)), p-4)
		if v, _ := x.Float64(); math.Abs(v) > 1e-3 {
			within(t, "log exp at "+name, Log(Exp(x, p), p), x, p-16)
		}
		within(t, "erf is odd at "+name, Erf(float(p).Neg(x), p), float(p).Neg(Erf(x, p)), p-4)
		within(t, "tanh 2x at "+name, Tanh(add(x, x), p), float(p).Quo(mul(integer(p, 2), Tanh(x, p)), add(one, mul(Tanh(x, p), Tanh(x, p)))), p-4)
	})
	for _, a := range arguments {
		x := big.NewFloat(a)
		within(t, "exp log at "+x.String(), Exp(Log(x, p), p), x, p-8)
		within(t, "x^3 at "+x.String(), Pow(x, integer(p, 3), p), mul(x, mul(x, x)), p-4)
		within(t, "x^(1/2) at "+x.String(), Pow(x, big.NewFloat(0.5), p), Sqrt(x, p), p-4)
		within(t, "log x^2 at "+x.String(), Log(mul(x, x), p), mul(integer(p, 2), Log(x, p)), p-4)
	}
}

// The derivative of erf is 2/sqrt(pi) exp(-x^2): a difference of 2^-200 each way shows it to about 2^-400.
func TestErfDerivative(t *testing.T) {
	const p = 800
	for _, a := range []float64{0.1, 0.5, 1, 2, 5, 9} {
		h := float(p).SetMantExp(integer(p, 1), -200)
		x := float(p).SetFloat64(a)
		slope := float(p).Sub(Erf(float(p).Add(x, h), p), Erf(float(p).Sub(x, h), p))
		slope.Quo(slope, float(p).Add(h, h))
		square := float(p).Mul(x, x)
		want := float(p).Quo(Exp(square.Neg(square), p), Sqrt(Pi(p), p))
		within(t, "erf'", slope, want.Add(want, want), 380)
	}
}

func TestExtremes(t *testing.T) {
	huge := big.NewFloat(1e300)
	negative := big.NewFloat(-1e300)
	for name, got := range map[string]*big.Float{"exp -huge": Exp(negative, 64), "1 + erf -huge": OnePlusErf(negative, 64),
		"1 + tanh -huge": OnePlusTanh(negative, 64), "log 1": Log(big.NewFloat(1), 64), "sin 0": Sin(new(big.Float), 64), "tanh 0": Tanh(new(big.Float), 64),
		"erf 0": Erf(new(big.Float), 64)} {
		if got.Sign() != 0 {
			t.Errorf("%s is %g, want 0", name, got)
		}
	}
	for name, got := range map[string]*big.Float{"erf huge": Erf(huge, 64), "tanh huge": Tanh(huge, 64), "exp 0": Exp(new(big.Float), 64),
		"cos 0": Cos(new(big.Float), 64), "1 + erf 0": OnePlusErf(new(big.Float), 64), "1^huge": Pow(big.NewFloat(1), big.NewFloat(1e9), 64)} {
		if got.Cmp(big.NewFloat(1)) != 0 {
			t.Errorf("%s is %g, want 1", name, got)
		}
	}
	if got := Exp(huge, 64); !got.IsInf() {
		t.Errorf("exp huge is %g, want +Inf", got)
	}
	if got := OnePlusErf(huge, 64); got.Cmp(big.NewFloat(2)) != 0 {
		t.Errorf("1 + erf huge is %g, want 2", got)
	}
}
