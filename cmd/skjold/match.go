package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/stix/pattern"
	"github.com/skjold-exchange/skjold/taxii"
)

// matchJSON is the answer of match --json.
type matchJSON struct {
	Outcome string `json:"outcome"` // matched, not matched, undecided or unsupported
	Reason  string `json:"reason,omitempty"`
	// Alone are the observed-data objects that satisfy the pattern by themselves.
	Alone []string `json:"alone"`
	// Together are objects that satisfy it in company, where none does alone.
	Together []string `json:"together"`
}

func (a *app) matchCommand() *cobra.Command {
	var steps int64
	cmd := &cobra.Command{
		Use:   "match PATTERN [FILE]...",
		Short: "Hold a STIX pattern against observed data and print what matches",
		Long: `Hold a STIX 2.1 pattern (§9) against the observed-data objects of files or standard input, and print the ids of those
that match: by themselves, or together where the pattern speaks of several observations. Exit code 0 if it matches, 1 if
it does not or if that could not be decided.`,
		Example: `  skjold match "[ipv4-addr:value = '198.51.100.3']" observations.json
  skjold match "[file:name LIKE '%.iso'] FOLLOWEDBY [process:pid > 0]" bundle.json --json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := pattern.Parse(args[0])
			if err != nil {
				return usagef("the pattern: %s", strings.TrimPrefix(err.Error(), "pattern: "))
			}
			files := args[1:]
			if len(files) == 0 {
				files = []string{"-"}
			}
			o, err := a.readObservations(files)
			if err != nil {
				return err
			}
			m, err := o.match(p, pattern.Budget{Steps: steps})
			if err != nil {
				return err
			}
			return a.showMatch(m)
		},
	}
	cmd.Flags().Int64Var(&steps, "budget", 0, "elementary steps after which the answer is undecided (10 million unless given)")
	return cmd
}

// observations are the objects of the input: the observed-data in order, and everything by id.
type observations struct {
	observed []stix.Identifier
	objects  map[stix.Identifier][]byte
}

func (a *app) readObservations(files []string) (*observations, error) {
	o := &observations{objects: map[stix.Identifier][]byte{}}
	for _, name := range files {
		src, err := openSource(name, a.in)
		if err != nil {
			return nil, err
		}
		err = src.objects(stix.DefaultLimits(), nil, func(_ int, raw []byte, element *stix.ElementError) error {
			if element != nil {
				return fmt.Errorf("%s: %w", src.name, element)
			}
			object, err := stix.Parse(raw, stix.DefaultLimits())
			if err != nil {
				return fmt.Errorf("%s: %w", src.name, err)
			}
			if object.Type == "observed-data" {
				o.observed = append(o.observed, object.ID)
			}
			o.objects[object.ID] = bytes.Clone(raw)
			return nil
		})
		src.Close()
		if err != nil {
			return nil, err
		}
	}
	return o, nil
}

// match asks first for all observations together, then for each alone.
func (o *observations) match(p *pattern.Pattern, budget pattern.Budget) (matchJSON, error) {
	m := matchJSON{Alone: []string{}, Together: []string{}}
	var all [][]byte
	for _, raw := range o.objects {
		all = append(all, raw)
	}
	whole, err := pattern.Match(p, [][]byte{taxii.JoinEnvelope(all)}, budget)
	if err != nil {
		return m, err
	}
	m.Outcome, m.Reason = whole.Outcome.String(), whole.Reason
	if whole.Outcome == pattern.NotMatched {
		return m, nil
	}
	for _, id := range o.observed {
		one, err := pattern.Match(p, [][]byte{taxii.JoinEnvelope(o.withReferences(id))}, budget)
		if err != nil {
			return m, err
		}
		if one.Outcome == pattern.Matched {
			m.Alone = append(m.Alone, string(id))
			m.Outcome, m.Reason = one.Outcome.String(), ""
		}
	}
	if len(m.Alone) == 0 {
		for _, b := range whole.Bindings {
			m.Together = append(m.Together, b.ObservedData)
		}
		slices.Sort(m.Together)
		m.Together = slices.Compact(m.Together)
	}
	return m, nil
}

// withReferences is an observed-data with the objects that it lists: all that a pattern may look at (§9.7.4).
func (o *observations) withReferences(id stix.Identifier) [][]byte {
	raw := o.objects[id]
	var refs struct {
		ObjectRefs []stix.Identifier `json:"object_refs"`
	}
	list := [][]byte{raw}
	if json.Unmarshal(raw, &refs) == nil {
		for _, ref := range refs.ObjectRefs {
			if object, ok := o.objects[ref]; ok {
				list = append(list, object)
			}
		}
	}
	return list
}

func (a *app) showMatch(m matchJSON) error {
	if a.json {
		if err := printJSON(a.out, m); err != nil {
			return err
		}
	} else {
		for _, id := range m.Alone {
			fmt.Fprintln(a.out, printable(id))
		}
		for _, id := range m.Together {
			fmt.Fprintln(a.out, printable(id), "(together with the others)")
		}
		if m.Reason != "" {
			fmt.Fprintf(a.err, "skjold: %s: %s\n", m.Outcome, m.Reason)
		}
	}
	if m.Outcome != pattern.Matched.String() {
		return errSilent
	}
	return nil
}
