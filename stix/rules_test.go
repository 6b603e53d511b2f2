package stix

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// emittedRules are the names of the rules that this package reports, with the sections that stand beside them as
// constants: what the source passes as a parameter "rule", sets as a field Rule, or has in readingSections.
func emittedRules(t *testing.T) map[string]map[string]bool {
	t.Helper()
	names, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if !strings.HasSuffix(name.Name(), ".go") || strings.HasSuffix(name.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	constants := map[string]string{}
	positions := map[string]int{} // of the parameter "rule", by function
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if i := parameter(n.Type, "rule"); i >= 0 {
					positions[n.Name.Name] = i
				}
			case *ast.ValueSpec:
				if len(n.Values) == 1 {
					constants[n.Names[0].Name], _ = literal(n.Values[0])
				}
			}
			return true
		})
	}
	rules := map[string]map[string]bool{}
	add := func(rule, section ast.Expr) {
		name, _ := literal(rule)
		if id, ok := rule.(*ast.Ident); ok {
			name = constants[id.Name]
		}
		if name == "" {
			return
		}
		if rules[name] == nil {
			rules[name] = map[string]bool{}
		}
		if text, _ := literal(section); sectionForm.MatchString(text) {
			rules[name][text] = true
		}
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if i, ok := positions[calledName(n)]; ok && i < len(n.Args) {
					var section ast.Expr
					if i+1 < len(n.Args) {
						section = n.Args[i+1]
					}
					add(n.Args[i], section)
				}
			case *ast.CompositeLit:
				add(field(n, "Rule"), field(n, "Section"))
			}
			return true
		})
	}
	for name, section := range readingSections {
		if rules[name] == nil {
			rules[name] = map[string]bool{}
		}
		rules[name][section] = true
	}
	return rules
}

// sectionForm is how sections are written: as of the standard, as of no rule of STIX, or, in the table, as depending on
// the property.
var sectionForm = regexp.MustCompile(`^(\d+(\.\d+)*|reading|various)$`)

// parameter is the position of the parameter with the name, -1 if there is none.
func parameter(f *ast.FuncType, name string) int {
	i := 0
	for _, p := range f.Params.List {
		for _, n := range p.Names {
			if n.Name == name {
				return i
			}
			i++
		}
	}
	return -1
}

func calledName(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

func field(c *ast.CompositeLit, name string) ast.Expr {
	for _, e := range c.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if key, ok := kv.Key.(*ast.Ident); ok && key.Name == name {
				return kv.Value
			}
		}
	}
	return nil
}

func literal(e ast.Expr) (string, bool) {
	if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
		text, err := strconv.Unquote(l.Value)
		return text, err == nil
	}
	return "", false
}

// Every rule that can be reported is in the table of docs/stix.md with its sections, and the table has no other.
func TestRulesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/stix.md")
	if err != nil {
		t.Fatal(err)
	}
	// What the table says "various" of has the section of the property that is wrong.
	_, table, found := strings.Cut(string(page), "\n## Rules\n")
	if !found {
		t.Fatal("docs/stix.md has no section Rules")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	documented := map[string]map[string]bool{}
	row := regexp.MustCompile("(?m)^\\| `([a-z0-9.-]+)` \\| [^|]+ \\| ([^|]+) \\|")
	for _, m := range row.FindAllStringSubmatch(table, -1) {
		documented[m[1]] = map[string]bool{}
		for s := range strings.SplitSeq(m[2], ",") {
			documented[m[1]][strings.TrimPrefix(strings.TrimSpace(s), "§")] = true
		}
	}
	emitted := emittedRules(t)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(emitted)), slices.Sorted(maps.Keys(documented))); diff != "" {
		t.Errorf("rules (-emitted +documented):\n%s", diff)
	}
	for name, sections := range emitted {
		for s := range sections {
			if !documented[name][s] && !documented[name]["various"] {
				t.Errorf("%s is reported with §%s, which the table does not have: %v", name, s, slices.Sorted(maps.Keys(documented[name])))
			}
		}
		for s := range documented[name] {
			if !sectionForm.MatchString(s) {
				t.Errorf("%s has %q for a section", name, s)
			}
		}
	}
}
