package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"strings"
)

// mutant is one change of the package.
type mutant struct {
	ID     int    `json:"id"`
	File   string `json:"file"`
	Line   int    `json:"line"`
	Func   string `json:"func"`
	Code   string `json:"code"`   // the expression or statement that it changes, on one line
	Change string `json:"change"` // "+ to -"
	Nth    int    `json:"nth"`    // from 1, among the mutants of the function that read the same
}

// site names the mutant in a way that outlives changes elsewhere in the file.
func (m mutant) site() site { return site{m.File, m.Func, m.Code, m.Change, m.Nth} }

func (m mutant) String() string {
	s := fmt.Sprintf("%s:%d %s: %s: %s", m.File, m.Line, m.Func, m.Code, m.Change)
	if m.Nth > 1 {
		s += fmt.Sprintf(" (%d)", m.Nth)
	}
	return s
}

// site is what a list of equivalent mutants names one by.
type site struct {
	File   string `json:"file"`
	Func   string `json:"func"`
	Code   string `json:"code"`
	Change string `json:"change"`
	Nth    int    `json:"nth"`
}

// finder walks a type-checked file and collects its mutants and the edits that build them all in.
type finder struct {
	fset    *token.FileSet
	info    *types.Info
	pkg     *types.Package
	src     []byte
	file    string
	funcs   string // the function that is being walked
	edits   edits
	mutants []mutant
	next    *int // the number of the next mutant, over all files
}

func (f *finder) offset(p token.Pos) int { return f.fset.Position(p).Offset }

func (f *finder) text(n ast.Node) string {
	return strings.Join(strings.Fields(string(f.src[f.offset(n.Pos()):f.offset(n.End())])), " ")
}

// add registers a mutant of n and returns its number.
func (f *finder) add(n ast.Node, change string) int {
	id := *f.next
	*f.next++
	m := mutant{ID: id, File: f.file, Line: f.fset.Position(n.Pos()).Line, Func: f.funcs, Code: f.text(n), Change: change, Nth: 1}
	for _, other := range f.mutants {
		if other.Func == m.Func && other.Code == m.Code && other.Change == m.Change {
			m.Nth++
		}
	}
	f.mutants = append(f.mutants, m)
	return id
}

// wrap puts n between two texts.
func (f *finder) wrap(n ast.Node, before, after string) {
	f.edits.open(f.offset(n.Pos()), f.offset(n.End()), before)
	f.edits.close(f.offset(n.Pos()), f.offset(n.End()), after)
}

// call makes "name(id, x, y)" of an expression "x op y"; y may be put between texts of its own.
func (f *finder) call(n ast.Node, x, y ast.Expr, name string, id int, beforeY, afterY string) {
	f.wrap(n, fmt.Sprintf("%s(%d, ", name, id), ")")
	f.edits.replace(f.offset(x.End()), f.offset(y.Pos()), ", "+beforeY)
	if afterY != "" {
		f.edits.close(f.offset(y.Pos()), f.offset(y.End()), afterY)
	}
}

// walk visits n and all below it.
func (f *finder) walk(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			f.funcs = funcName(n)
			if n.Body != nil {
				f.walk(n.Body)
			}
			return false
		case *ast.GenDecl:
			if n.Tok == token.VAR {
				for _, spec := range n.Specs {
					f.variables(spec.(*ast.ValueSpec))
				}
			}
			return false // constants are changed where they are used
		case *ast.ArrayType, *ast.StructType, *ast.InterfaceType, *ast.FuncType, *ast.MapType:
			return false
		case *ast.KeyValueExpr: // keys of arrays must be constant
			f.walk(n.Value)
			return false
		case *ast.TypeSwitchStmt:
			f.walk(n.Body)
			return false
		case *ast.ForStmt:
			f.loop(n)
			return false
		case *ast.ReturnStmt:
			if last := len(n.Results) - 1; last > 0 && f.isError(n.Results[last]) { // what comes with an error does not matter
				f.walk(n.Results[last])
				return false
			}
			f.statement(n)
		case ast.Stmt:
			f.statement(n)
		case ast.Expr:
			return f.expression(n)
		}
		return true
	})
}

func funcName(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return d.Name.Name
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if index, ok := t.(*ast.IndexExpr); ok {
		t = index.X
	}
	return t.(*ast.Ident).Name + "." + d.Name.Name
}

func (f *finder) variables(spec *ast.ValueSpec) {
	outer := f.funcs
	if outer == "" {
		f.funcs = "var " + spec.Names[0].Name
	}
	for _, v := range spec.Values {
		f.walk(v)
	}
	f.funcs = outer
}

// loop leaves out the post statement: turned around, a loop does not end.
func (f *finder) loop(n *ast.ForStmt) {
	for _, part := range []ast.Node{n.Init, n.Cond, n.Body} {
		if part != nil {
			f.walk(part)
		}
	}
	if assign, ok := n.Post.(*ast.AssignStmt); ok {
		f.walk(assign.Rhs[0])
	}
}

func (f *finder) statement(n ast.Stmt) {
	switch n := n.(type) {
	case *ast.BranchStmt:
		if n.Tok == token.CONTINUE || n.Tok == token.BREAK {
			f.wrap(n, fmt.Sprintf("if !mutOn(%d) { ", f.add(n, "removed")), " }")
		}
	case *ast.IncDecStmt:
		if !f.addressable(n.X) {
			return
		}
		name, change := "mutAddTo", "++ to --"
		if n.Tok == token.DEC {
			name, change = "mutSubTo", "-- to ++"
		}
		f.wrap(n.X, fmt.Sprintf("%s(%d, &", name, f.add(n, change)), ", 1)")
		f.edits.replace(f.offset(n.TokPos), f.offset(n.End()), "")
	case *ast.AssignStmt:
		f.assignment(n)
	case *ast.ReturnStmt:
		for _, r := range n.Results {
			f.sign(r)
		}
	case *ast.RangeStmt:
		if t := f.basic(n.X); t != nil && t.Info()&types.IsInteger != 0 {
			f.wrap(n.X, fmt.Sprintf("mutFewer[%s](%d, ", f.typeOf(n.X), f.add(n.X, "one round fewer")), ")")
		}
	}
}

// compound are the assignments that change what they assign to.
var compound = map[token.Token]struct{ name, change string }{
	token.ADD_ASSIGN: {"mutAddTo", "+= to -="},
	token.SUB_ASSIGN: {"mutSubTo", "-= to +="},
	token.MUL_ASSIGN: {"mutMulTo", "*= to /="},
	token.QUO_ASSIGN: {"mutQuoTo", "/= to *="},
}

func (f *finder) assignment(n *ast.AssignStmt) {
	if n.Tok == token.ASSIGN || n.Tok == token.DEFINE {
		if len(n.Lhs) == len(n.Rhs) {
			for _, r := range n.Rhs {
				f.sign(r)
			}
		}
		return
	}
	to, ok := compound[n.Tok]
	if t := f.basic(n.Lhs[0]); !ok || t == nil || t.Info()&types.IsNumeric == 0 || !f.addressable(n.Lhs[0]) {
		return
	}
	id := f.add(n, to.change)
	f.wrap(n, fmt.Sprintf("%s(%d, &", to.name, id), ")")
	f.edits.replace(f.offset(n.Lhs[0].End()), f.offset(n.Rhs[0].Pos()), ", ")
}

// sign negates a float that is assigned or returned.
func (f *finder) sign(e ast.Expr) {
	t := f.basic(e)
	if _, negated := e.(*ast.UnaryExpr); negated || f.text(e) == "math.NaN()" || t == nil || t.Info()&types.IsFloat == 0 || f.info.Types[e].Value != nil {
		return
	}
	f.wrap(e, fmt.Sprintf("mutSign(%d, ", f.add(e, "negated")), ")")
}

// addressable reports whether &e is allowed: not for elements of maps.
func (f *finder) addressable(e ast.Expr) bool {
	if index, ok := e.(*ast.IndexExpr); ok {
		_, isMap := f.info.TypeOf(index.X).Underlying().(*types.Map)
		return !isMap
	}
	return true
}

// basic returns the basic type under an expression's, nil where there is none.
func (f *finder) basic(e ast.Expr) *types.Basic {
	t := f.info.TypeOf(e)
	if t == nil {
		return nil
	}
	b, _ := types.Default(t).Underlying().(*types.Basic)
	return b
}

// isError reports whether an expression is an error that is there: one that is made, or a variable.
func (f *finder) isError(e ast.Expr) bool {
	t := f.info.TypeOf(e)
	return t != nil && !f.info.Types[e].IsNil() && types.Identical(t, types.Universe.Lookup("error").Type())
}

// typeOf returns the type of an expression as the file would write it.
func (f *finder) typeOf(e ast.Expr) string {
	return types.TypeString(types.Default(f.info.TypeOf(e)), func(p *types.Package) string {
		if p == f.pkg {
			return ""
		}
		return p.Name()
	})
}

// arithmetic are the operators whose operands keep their types.
var arithmetic = map[token.Token]struct{ name, change string }{
	token.ADD: {"mutAdd", "+ to -"}, token.SUB: {"mutSub", "- to +"},
	token.MUL: {"mutMul", "* to /"}, token.QUO: {"mutQuo", "/ to *"}, token.REM: {"mutRem", "% to /"},
	token.AND: {"mutAnd", "& to |"}, token.OR: {"mutOr", "| to &"}, token.XOR: {"mutXor", "^ to |"},
	token.SHL: {"mutShl", "<< to >>"}, token.SHR: {"mutShr", ">> to <<"},
}

// ordered are the comparisons, each with two changes.
var ordered = map[token.Token]struct{ name, first, second string }{
	token.LSS: {"mutLess", "< to <=", "< to >="}, token.LEQ: {"mutLessEqual", "<= to <", "<= to >"},
	token.GTR: {"mutGreater", "> to >=", "> to <="}, token.GEQ: {"mutGreaterEqual", ">= to >", ">= to <"},
}

// expression handles e itself, and reports whether to go on below it.
func (f *finder) expression(e ast.Expr) bool {
	if tv := f.info.Types[e]; tv.IsType() {
		return false
	} else if tv.Value != nil {
		f.constant(e, tv.Value)
		return false
	}
	switch e := e.(type) {
	case *ast.BinaryExpr:
		f.binary(e)
	case *ast.UnaryExpr:
		switch t := f.basic(e.X); {
		case e.Op == token.NOT:
			f.wrap(e, fmt.Sprintf("mutNot(%d, ", f.add(e, "! removed")), ")")
		case e.Op == token.SUB && t != nil && t.Info()&types.IsNumeric != 0:
			f.wrap(e, fmt.Sprintf("mutSign(%d, ", f.add(e, "- removed")), ")")
		}
	case *ast.CallExpr:
		return f.function(e)
	}
	return true
}

func (f *finder) binary(e *ast.BinaryExpr) {
	t := f.basic(e.X)
	switch {
	case e.Op == token.EQL:
		f.wrap(e, fmt.Sprintf("mutNot(%d, ", f.add(e, "== to !=")), ")")
	case e.Op == token.NEQ:
		f.wrap(e, fmt.Sprintf("mutNot(%d, ", f.add(e, "!= to ==")), ")")
	case e.Op == token.LAND:
		f.call(e, e.X, e.Y, "mutBoth", f.add(e, "&& to ||"), "func() bool { return ", " }")
	case e.Op == token.LOR:
		f.call(e, e.X, e.Y, "mutEither", f.add(e, "|| to &&"), "func() bool { return ", " }")
	case t == nil:
	case ordered[e.Op].name != "":
		o := ordered[e.Op]
		id := f.add(e, o.first)
		f.add(e, o.second)
		f.call(e, e.X, e.Y, o.name, id, "", "")
	case arithmetic[e.Op].name != "" && t.Info()&types.IsNumeric != 0:
		f.call(e, e.X, e.Y, arithmetic[e.Op].name, f.add(e, arithmetic[e.Op].change), "", "")
	}
}

// exchanged are functions with one that may be called in their place by mistake.
var exchanged = map[string]string{
	"math.Sin": "math.Cos", "math.Cos": "math.Sin", "math.Floor": "math.Ceil", "math.Log1p": "math.Log", "math.Expm1": "math.Exp",
	"math.Max": "math.Min", "math.Min": "math.Max",
	"math.Pow": "func(x, y float64) float64 { return math.Pow(y, x) }",
}

// function handles calls; the arguments of those that only make a message are left alone.
func (f *finder) function(e *ast.CallExpr) bool {
	name := f.text(e.Fun)
	switch {
	case name == "fmt.Errorf" || name == "fmt.Sprintf" || name == "errors.New" || name == "panic":
		return false
	case name == "require": // its first argument is a condition, the others a message
		f.walk(e.Args[0])
		return false
	case name == "make" && len(e.Args) == 3: // the third is a hint
		f.walk(e.Args[1])
		return false
	case name == "math.Inf":
		f.wrap(e, fmt.Sprintf("mutSign(%d, ", f.add(e, "of the other sign")), ")")
		return false
	case name == "math.IsInf" && constant.Sign(f.info.Types[e.Args[1]].Value) != 0:
		f.wrap(e.Args[1], fmt.Sprintf("mutSign[int](%d, ", f.add(e, "of the other sign")), ")")
		f.walk(e.Args[0])
		return false
	case (name == "min" || name == "max") && len(e.Args) == 2 && f.basic(e) != nil:
		other := map[string]string{"min": "max", "max": "min"}[name]
		id := f.add(e, name+" to "+other)
		f.edits.replace(f.offset(e.Pos()), f.offset(e.Lparen)+1, fmt.Sprintf("mut%s[%s](%d, ", strings.ToUpper(name[:1])+name[1:], f.typeOf(e), id))
	case exchanged[name] != "":
		caller := map[int]string{1: "mutFunc", 2: "mutFunc2"}[len(e.Args)]
		change := name + " to " + exchanged[name]
		if name == "math.Pow" {
			change = "arguments exchanged"
		}
		f.edits.replace(f.offset(e.Pos()), f.offset(e.Lparen)+1, fmt.Sprintf("%s(%d, %s, %s, ", caller, f.add(e, change), name, exchanged[name]))
	}
	return true
}

// constant changes a number: an integer n to n+1, a float c to 1.001 c; 0 to 1, and 1 also to 0.
func (f *finder) constant(e ast.Expr, v constant.Value) {
	t := f.basic(e)
	if t == nil || t.Info()&types.IsNumeric == 0 {
		return
	}
	change := func(helper, to string) {
		f.wrap(e, fmt.Sprintf("%s[%s](%d, ", helper, f.typeOf(e), f.add(e, to)), ")")
	}
	switch {
	case constant.Sign(v) == 0:
		change("mutPlusOne", "0 to 1")
	case t.Info()&types.IsInteger != 0:
		change("mutPlusOne", "1 more")
	default:
		change("mutScaled", "times 1.001")
	}
	if constant.Compare(v, token.EQL, constant.MakeInt64(1)) {
		change("mutZero", "1 to 0")
	}
}
