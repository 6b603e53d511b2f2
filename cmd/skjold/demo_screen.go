package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"
)

// nameOf is the name property of an object, for people.
func nameOf(raw []byte) string {
	var o struct {
		Type string `json:"type"`
		Name string `json:"name"`
	}
	if err := json.Unmarshal(raw, &o); err != nil || o.Name == "" {
		return o.Type
	}
	return o.Name
}

// siteFigures sums up what one node holds.
type siteFigures struct {
	held, expected int
	times          []time.Duration // from the publisher's 202 to the node's commit
}

func (f *demoFederation) figures() []siteFigures {
	published := f.publications()
	all := make([]siteFigures, len(f.sites))
	for i, s := range f.sites {
		for _, p := range published {
			if i == demoPublisher {
				all[i].expected++
				all[i].held++
				continue
			}
			if p.stays {
				continue
			}
			all[i].expected++
			if at, ok := s.arrival(p.demoObject); ok {
				all[i].held++
				if !at.IsZero() {
					all[i].times = append(all[i].times, max(0, at.Sub(p.at)))
				}
			}
		}
		slices.Sort(all[i].times)
	}
	return all
}

// rows is the table of nodes: what each holds, and how long objects took to get there.
func (f *demoFederation) rows() table {
	t := table{head: []string{"NODE", "HOLDS", "MEDIAN", "SLOWEST", "URL"}}
	for i, g := range f.figures() {
		s := f.sites[i]
		median, slowest := "", ""
		if i == demoPublisher {
			median = "publishes"
		} else if n := len(g.times); n > 0 {
			median, slowest = g.times[n/2].Round(time.Millisecond).String(), g.times[n-1].Round(time.Millisecond).String()
		}
		t.row(s.name, fmt.Sprintf("%d of %d", g.held, g.expected), median, slowest, s.apiRoot)
	}
	return t
}

// newest lists the last n published objects with the time to each node.
func (f *demoFederation) newest(n int) table {
	t := table{head: []string{"PUBLISHED", "TLP", "OBJECT"}}
	for _, s := range f.sites[demoPublisher+1:] {
		t.head = append(t.head, strings.ToUpper(s.folder))
	}
	published := f.publications()
	for _, p := range published[max(0, len(published)-n):] {
		row := []string{p.at.Format("15:04:05"), p.level.String(), clip(p.name, 40)}
		for _, s := range f.sites[demoPublisher+1:] {
			at, ok := s.arrival(p.demoObject)
			switch {
			case p.stays:
				row = append(row, "stays")
			case ok:
				row = append(row, after(p.at, at))
			default:
				row = append(row, "…")
			}
		}
		t.row(row...)
	}
	return t
}

// after is how long an arrival took from the publication.
func after(published, arrived time.Time) string {
	if arrived.IsZero() {
		return "had it"
	}
	return "+" + max(0, arrived.Sub(published)).Round(time.Millisecond).String()
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// printTable prints the final tables.
func (f *demoFederation) printTable(w io.Writer) error {
	newest, nodes := f.newest(20), f.rows()
	if err := newest.print(w); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := nodes.print(w); err != nil {
		return err
	}
	stay := 0
	for _, p := range f.publications() {
		if p.stays {
			stay++
		}
	}
	_, err := fmt.Fprintf(w, "\n%d objects published; %d of them stay at the publisher by their markings.\n", len(f.publications()), stay)
	return err
}

// demoScreen shows the federation live: redrawn in place on a terminal, a line for each object elsewhere.
type demoScreen struct {
	out   io.Writer
	f     *demoFederation
	live  bool
	lines int // drawn last time
	told  int // publications reported, where there is no terminal
}

func newDemoScreen(out io.Writer, f *demoFederation) *demoScreen {
	return &demoScreen{out: out, f: f, live: isTerminal(out)}
}

// run draws until the context ends.
func (d *demoScreen) run(ctx context.Context) error {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := d.draw(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return d.draw()
		case <-tick.C:
		}
	}
}

func (d *demoScreen) draw() error {
	if !d.live {
		return d.tell()
	}
	var b strings.Builder
	newest, nodes := d.f.newest(10), d.f.rows()
	if err := nodes.print(&b); err != nil {
		return err
	}
	b.WriteByte('\n')
	if err := newest.print(&b); err != nil {
		return err
	}
	b.WriteString("\nCtrl-C ends the demonstration.\n")
	text := fitted(b.String(), d.out)
	if d.lines > 0 {
		fmt.Fprintf(d.out, "\x1b[%dA\x1b[J", d.lines)
	}
	d.lines = strings.Count(text, "\n")
	_, err := io.WriteString(d.out, text)
	return err
}

// fitted cuts lines to the width of the terminal: a line that wraps would break the redrawing.
func fitted(text string, out io.Writer) string {
	f, ok := out.(*os.File)
	if !ok {
		return text
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 20 {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(clip(strings.TrimSuffix(line, "\n"), width))
		b.WriteByte('\n')
	}
	return b.String()
}

// patience is how long a line waits for the last node, which may have been suspended.
const patience = 15 * time.Second

// tell prints a line for each object that has reached every node it may reach, or has had the time for it.
func (d *demoScreen) tell() error {
	published := d.f.publications()
	for ; d.told < len(published); d.told++ {
		p := published[d.told]
		line := fmt.Sprintf("%s  TLP:%s  %s:", p.at.Format("15:04:05"), strings.ToUpper(p.level.String()), p.name)
		if p.stays {
			line += " stays at the publisher"
		} else {
			for _, s := range d.f.sites[demoPublisher+1:] {
				at, ok := s.arrival(p.demoObject)
				switch {
				case ok:
					line += fmt.Sprintf("  %s %s", s.folder, after(p.at, at))
				case time.Since(p.at) < patience:
					return nil // in order, so the next ones wait too
				default:
					line += fmt.Sprintf("  %s not yet", s.folder)
				}
			}
		}
		if _, err := fmt.Fprintln(d.out, line); err != nil {
			return err
		}
	}
	return nil
}
