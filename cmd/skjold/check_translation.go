package main

import (
	"bytes"
	"encoding/json"

	"github.com/skjold-exchange/skjold/stix"
)

// maxTranslations bounds how many language-content objects of one input are held against what they translate.
const maxTranslations = 10_000

// translations are the language-content objects of an input, by what they translate.
type translations struct {
	byTarget map[stix.Identifier][]translation
	count    int
}

type translation struct {
	index   int
	content *stix.Object
}

// note remembers a language-content object.
func (t *translations) note(index int, o *stix.Object) {
	if o.Type != "language-content" || t.count >= maxTranslations {
		return
	}
	var of struct {
		ObjectRef stix.Identifier `json:"object_ref"`
	}
	if err := json.Unmarshal(o.Raw, &of); err != nil || of.ObjectRef == "" {
		return
	}
	if t.byTarget == nil {
		t.byTarget = map[stix.Identifier][]translation{}
	}
	kept := *o
	kept.Raw = bytes.Clone(o.Raw)
	t.byTarget[of.ObjectRef] = append(t.byTarget[of.ObjectRef], translation{index, &kept})
	t.count++
}

// translated reads a source once more and holds every translation against its target (§7.1.1). Where the input has several
// versions of the target, a translation that fits one of them is right.
func (c *checker) translated(src *source, t *translations) error {
	if t.count == 0 {
		return nil
	}
	reports := map[int]*stix.Report{} // by the index of the translation; nil once one version fits
	objects := map[int]*stix.Object{}
	err := src.objects(stix.DefaultLimits(), nil, func(_ int, raw []byte, element *stix.ElementError) error {
		if element != nil {
			return nil
		}
		target, err := stix.Parse(raw, stix.DefaultLimits())
		if err != nil {
			return nil // it was reported before
		}
		for _, tr := range t.byTarget[target.ID] {
			report := stix.CheckTranslation(tr.content, target)
			before, seen := reports[tr.index]
			switch {
			case report.OK():
				reports[tr.index] = nil
			case !seen || before != nil:
				reports[tr.index], objects[tr.index] = &report, tr.content
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, list := range t.byTarget {
		for _, tr := range list {
			if r := reports[tr.index]; r != nil {
				c.objects-- // it was counted when it came
				if err := c.object(src.name, checkJSON{Index: tr.index, ID: string(objects[tr.index].ID), Type: "language-content"}, *r); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
