package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/stix"
)

// checkJSON is one object's result in the output of check --json, one a line in input order.
type checkJSON struct {
	File     string           `json:"file,omitempty"` // only with several inputs
	Index    int              `json:"index"`
	ID       string           `json:"id"`
	Version  string           `json:"version,omitempty"` // only with --collection
	Type     string           `json:"type"`
	Errors   []stix.Violation `json:"errors"`
	Warnings []stix.Violation `json:"warnings"`
	// Truncated says that more is wrong than is listed.
	Truncated bool `json:"truncated,omitempty"`
}

func (a *app) checkCommand() *cobra.Command {
	var together bool
	var quiet, pedantic bool
	var patterns, collection string
	var recorded bool
	cmd := &cobra.Command{
		Use:   "check [FILE|DIRECTORY]...",
		Short: "Validate STIX 2.1: bundles, envelopes, objects or JSON lines",
		Long: `Validate STIX 2.1 content from files, directories (every .json, .jsonl, .stix2 and .stix below them) or standard input.
Every violation is printed with the property, the rule and the section of the standard; docs/stix.md lists the rules.
Exit code 1 if there is an error.

With --collection it validates what a collection of the node in --data holds, every version of every object: lenient
collections and subscriptions take objects that break rules. --recorded lists what was recorded of those objects when
they were stored, which is quick in a large collection.`,
		Example: `  skjold check bundle.json
  skjold check --pedantic own-reports/
  skjold check --json feed/ | jq 'select(.errors != [])'
  curl -s https://example.org/bundle.json | skjold check
  skjold check --patterns patterns.txt
  skjold check --data /var/lib/skjold --collection official-feed --recorded`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			held := cmd.Flags().Changed("collection")
			switch {
			case held && (patterns != "" || len(args) > 0):
				return usagef("--collection checks what the node of --data holds; files and patterns are checked without it")
			case held && pedantic:
				return usagef("--pedantic is for files; a collection is checked by the rules of its node")
			case held && recorded:
				return a.listRecorded(cmd.Context(), collection)
			case held:
				return a.checkCollection(cmd.Context(), collection, quiet)
			case recorded:
				return usagef("--recorded needs --collection: which collection of the node?")
			}
			if patterns != "" {
				if len(args) > 0 {
					return usagef("--patterns names its own file; %q would not be read", args[0])
				}
				return a.checkPatterns(patterns)
			}
			if len(args) == 0 {
				args = []string{"-"}
			}
			files, err := expandInputs(args)
			if err != nil {
				return err
			}
			c := checker{app: a, quiet: quiet, pedantic: pedantic, many: len(files) > 1, together: together}
			for _, name := range files {
				if err := cmd.Context().Err(); err != nil {
					return err
				}
				if err := c.file(name); err != nil {
					return err
				}
			}
			return c.finish()
		},
	}
	cmd.Flags().BoolVar(&quiet, "quiet", false, "print errors only, no warnings")
	cmd.Flags().BoolVar(&pedantic, "pedantic", false, "also warn of recommendations that nearly all published objects disregard: SHA-256 hashes, lang, ISO 3166-2 codes")
	cmd.Flags().BoolVar(&together, "together", false, "also report what is wrong between the objects of one input, such as two contents of one version")
	cmd.Flags().StringVar(&patterns, "patterns", "", "check a file (or -) of STIX patterns, one a line, instead of objects")
	cmd.Flags().StringVar(&collection, "collection", "", "check what a collection of the node in --data holds: id, alias or title")
	cmd.Flags().BoolVar(&recorded, "recorded", false, "with --collection, list what was recorded of objects that were stored although they break rules")
	return cmd
}

// expandInputs replaces directories by the STIX files below them.
func expandInputs(args []string) ([]string, error) {
	var files []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if arg == "-" || (err == nil && !info.IsDir()) {
			files = append(files, arg)
			continue
		}
		if err != nil {
			return nil, err
		}
		before := len(files)
		err = filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				switch strings.ToLower(filepath.Ext(path)) {
				case ".json", ".jsonl", ".stix2", ".stix":
					files = append(files, path)
				}
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(files) == before {
			return nil, fmt.Errorf("%s: no .json, .jsonl, .stix2 or .stix file in this directory", arg)
		}
	}
	return files, nil
}

type checker struct {
	*app
	what                           string // what is checked, for the summary; "" for an object
	quiet, many, pedantic          bool
	together                       bool // also what is wrong between the objects of one input
	objects, bad, errors, warnings int
	broken                         int // inputs that could not be read to the end
}

func (c *checker) file(name string) error {
	src, err := openSource(name, c.in)
	if err != nil {
		return err
	}
	defer src.Close()
	var cross *stix.CrossCheck
	var languages translations
	if c.together {
		cross = stix.NewCrossCheck(0)
	}
	read := 0
	bar := newProgress(c.err, src.size, true, "checking")
	err = src.objects(stix.DefaultLimits(), bar.add, func(index int, raw []byte, element *stix.ElementError) error {
		read++
		var o *stix.Object
		var report stix.Report
		j := checkJSON{Index: index}
		if element != nil {
			j.ID, j.Type = string(element.ID), element.Type
			violation, _ := stix.ReadingViolation(element)
			report.Errors = []stix.Violation{violation}
		} else if o, report = stix.Check(raw, c.options()); o != nil && o.ID != "" {
			j.ID, j.Type = string(o.ID), o.Type
			if cross != nil {
				languages.note(index, o)
				between := cross.Add(index, o)
				report.Errors = append(report.Errors, between.Errors...)
				report.Warnings = append(report.Warnings, between.Warnings...)
			}
		} else {
			j.ID, j.Type = stix.Identity(raw)
		}
		return c.object(src.name, j, report)
	})
	bar.done()
	if err == nil {
		err = c.bundle(src.name, src.head)
	}
	if cross != nil && err == nil {
		if err = c.between(src.name, cross); err == nil {
			err = c.translated(src, &languages)
		}
	}
	if err == nil {
		return nil
	}
	c.broken++
	if violation, ok := stix.ReadingViolation(err); ok {
		fmt.Fprintf(c.err, "skjold: %s could not be read to its end; nothing from object %d on was checked\n", printable(src.name), read)
		return c.object(src.name, checkJSON{Index: read}, stix.Report{Errors: []stix.Violation{violation}})
	}
	fmt.Fprintf(c.err, "skjold: %s\n", err)
	return nil
}

// bundle reports what is wrong with a bundle itself. Of one with warnings only --json prints no line, as each stands for an
// object: they go to the standard error.
func (c *checker) bundle(file string, h container) error {
	if c.json && len(h.report.Errors) == 0 {
		c.warnings += len(h.report.Warnings)
		for _, v := range h.report.Warnings {
			if !c.quiet {
				fmt.Fprintf(c.err, "skjold: warning: %s, the bundle itself: %s\n", printable(file), printable(v.String()))
			}
		}
		return nil
	}
	c.objects-- // the bundle is no object of its own
	return c.object(file, checkJSON{Index: -1, ID: string(h.bundleID), Type: "bundle"}, h.report)
}

// options are those of the node, and more warnings where they are asked for.
func (c *checker) options() stix.Options {
	o := checkOptions()
	o.Pedantic = c.pedantic
	return o
}

// between reports what showed only when the whole input had been seen.
func (c *checker) between(file string, cross *stix.CrossCheck) error {
	for _, f := range cross.Finish() {
		c.objects-- // it was counted when it came
		if err := c.object(file, checkJSON{Index: f.Index, ID: string(f.ID), Type: f.ID.Type()}, f.Report); err != nil {
			return err
		}
	}
	if cross.Truncated() {
		fmt.Fprintf(c.err, "skjold: %s has more objects than --together can hold against each other; the later ones were checked by themselves\n", printable(file))
	}
	return nil
}

func (c *checker) object(file string, j checkJSON, r stix.Report) error {
	c.objects++
	c.errors += len(r.Errors)
	c.warnings += len(r.Warnings)
	if len(r.Errors) > 0 {
		c.bad++
	}
	j.Errors, j.Warnings, j.Truncated = r.Errors, r.Warnings, r.Truncated
	if c.json {
		if c.many {
			j.File = file
		}
		if j.Errors == nil {
			j.Errors = []stix.Violation{}
		}
		if j.Warnings == nil || c.quiet {
			j.Warnings = []stix.Violation{}
		}
		return printJSON(c.out, j)
	}
	if len(r.Errors) == 0 && (len(r.Warnings) == 0 || c.quiet) {
		return nil
	}
	id := j.ID
	if id == "" {
		id = "an object without an id"
	}
	place := fmt.Sprintf("object %d", j.Index)
	if j.Index < 0 {
		place = "the bundle itself"
	}
	fmt.Fprintf(c.out, "%s, %s: %s\n", printable(file), place, printable(excerpt(id)))
	for _, v := range r.Errors {
		c.violation("error", v)
	}
	if !c.quiet {
		for _, v := range r.Warnings {
			c.violation("warning", v)
		}
	}
	if r.Truncated {
		fmt.Fprintln(c.out, "  and more that is not listed")
	}
	return nil
}

// excerpt is the beginning of what names an object: an id, or a pattern, which may be long.
func excerpt(id string) string {
	const limit = 250
	if len(id) <= limit {
		return id
	}
	return strings.ToValidUTF8(id[:limit], "") + "…"
}

func (c *checker) violation(kind string, v stix.Violation) {
	path := v.Path
	if path == "" {
		path = "(object)"
	}
	rule := v.Rule
	switch v.Section {
	case "":
	case stix.SectionReading:
		rule += ", " + v.Section
	default:
		rule += ", §" + v.Section
	}
	fmt.Fprintf(c.out, "  %-7s %s: %s [%s]\n", kind, printable(path), printable(v.Message), printable(rule))
}

func (c *checker) finish() error {
	if !c.json {
		what := c.what
		if what == "" {
			what = "object"
		}
		fmt.Fprintf(c.out, "%s checked: %d without errors, %d with errors (%s, %s)\n", counted(c.objects, what), c.objects-c.bad, c.bad,
			counted(c.errors, "error"), counted(c.warnings, "warning"))
	}
	if c.bad > 0 || c.broken > 0 {
		return errSilent
	}
	return nil
}
