package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// maxBatch is how many objects one request carries at most: enough to make the commit cheap, few enough that a failed
// request repeats little.
const maxBatch = 1000

func (a *app) publishCommand() *cobra.Command {
	var remote remoteFlags
	var collection string
	cmd := &cobra.Command{
		Use:   "publish [FILE|-]...",
		Short: "Publish STIX 2.1 objects: bundles, envelopes, JSON lines",
		Long: `Publish STIX 2.1 objects from files or standard input into a collection: of the node in --data, or of any TAXII 2.1
server with --url. Marking definitions go first, so that no object arrives before the definition of its marking.

Each object stands alone: the refused ones are listed with the reason, the others are stored. A lenient collection also
stores objects that break rules of STIX 2.1; they are listed with what they break. Publishing again repeats
nothing: what is already there counts as a success and changes nothing. So an interrupted run is simply run again. A server
that answers before it has stored everything is asked until it has: the summary tells the end of it.`,
		Example: `  skjold publish --collection indicators bundle.json
  skjold publish --url https://node.example.org/taxii2/main/ --user analyst --password-file key.txt --collection indicators *.json
  skjold-export | skjold publish --collection indicators -`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("name the files to publish, or - for standard input")
			}
			to, closeTarget, err := a.publishTarget(cmd.Context(), remote, collection)
			if err != nil {
				return err
			}
			defer closeTarget()
			p := &publisher{app: a, to: to, began: time.Now()}
			err = p.all(cmd.Context(), args)
			return errors.Join(p.summary(err), err)
		},
	}
	remote.register(cmd)
	cmd.Flags().StringVar(&collection, "collection", "", "collection to publish into: id, alias or title (may be left out where there is only one)")
	return cmd
}

// target takes batches of objects: a local store or a TAXII server.
type target interface {
	// send publishes one envelope of objects and waits until their fate is known.
	send(ctx context.Context, objects [][]byte) (taxii.Status, error)
	// maxBytes bounds the envelope.
	maxBytes() int64
	// name is the collection for people.
	name() string
}

// publisher counts what became of the objects of a run.
type publisher struct {
	*app
	to      target
	began   time.Time
	batch   [][]byte
	bytes   int64
	total   int
	stored  int
	known   int
	red     int // stored and TLP:RED, so served to nobody
	refused []refusal
	// violating are the objects that a lenient collection stored although they break rules.
	violating []refusal
	// unserved are the objects that nobody is served until the definition of their marking is published.
	unserved []refusal
}

// refusal is an object that was not stored, or only in spite of what it breaks.
type refusal struct {
	ID      string `json:"id"`
	Version string `json:"version,omitempty"`
	Message string `json:"message"`
}

// all publishes the inputs one after the other. Every input is opened before anything is sent: a misspelt name should
// not be noticed half way.
func (p *publisher) all(ctx context.Context, names []string) error {
	var sources []*source
	defer func() {
		for _, s := range sources {
			s.Close()
		}
	}()
	var size int64
	for _, name := range names {
		s, err := openSource(name, p.in)
		if err != nil {
			return err
		}
		sources = append(sources, s)
		size += s.size
	}
	var broken error // inputs that could not be read to their end
	bar := newProgress(p.err, 2*size, true, "publishing")
	defer bar.done()
	if to, ok := p.to.(*remoteTarget); ok {
		to.waiting = func(s taxii.Status) {
			if s.PendingCount > 0 {
				bar.describe(fmt.Sprintf("publishing (the server has %d objects to do)", s.PendingCount))
			} else {
				bar.describe("publishing")
			}
		}
	}
	// Marking definitions of all inputs first, then everything else.
	for _, definitions := range []bool{true, false} {
		for _, s := range sources {
			err := p.pass(ctx, s, definitions, bar)
			var syntax *stix.SyntaxError
			if errors.As(err, &syntax) { // the other files are not to blame
				broken = errors.Join(broken, err)
			} else if err != nil {
				return err
			}
		}
		if err := p.flush(ctx); err != nil {
			return err
		}
	}
	if broken == nil && p.total == 0 {
		return errors.New("the input has no objects; there is nothing to publish")
	}
	return broken
}

// pass publishes the marking definitions of a source, or everything but them. What cannot be read is counted in the
// second pass only.
func (p *publisher) pass(ctx context.Context, s *source, definitions bool, bar progress) error {
	err := s.objects(stix.DefaultLimits(), bar.add, func(index int, raw []byte, element *stix.ElementError) error {
		if element != nil {
			if !definitions {
				p.total++
				p.refused = append(p.refused, refusal{ID: string(element.ID), Message: fmt.Sprintf("%s, object %d: %s", s.name, index, element.Reason)})
			}
			return nil
		}
		if isDefinition(raw) != definitions {
			return nil
		}
		return p.add(ctx, raw)
	})
	var syntax *stix.SyntaxError
	if definitions && errors.As(err, &syntax) {
		return nil // reported by the second pass, after the objects before it were published
	}
	return err
}

func isDefinition(raw []byte) bool {
	o, err := stix.Parse(raw, stix.DefaultLimits())
	return err == nil && o.Type == "marking-definition"
}

// add puts one object into the batch and sends the batch when it is full.
func (p *publisher) add(ctx context.Context, raw []byte) error {
	const envelope = int64(len(`{"objects":[]}`))
	size := int64(len(raw)) + 1
	if envelope+size > p.to.maxBytes() {
		o, _ := stix.Parse(raw, stix.DefaultLimits())
		r := refusal{Message: fmt.Sprintf("the object has %d bytes, more than the %d that the server takes in one request", len(raw), p.to.maxBytes())}
		if o != nil {
			r.ID = string(o.ID)
		}
		p.total++
		p.refused = append(p.refused, r)
		return nil
	}
	if len(p.batch) == maxBatch || (len(p.batch) > 0 && envelope+p.bytes+size > p.to.maxBytes()) {
		if err := p.flush(ctx); err != nil {
			return err
		}
	}
	p.batch = append(p.batch, append([]byte(nil), raw...))
	p.bytes += size
	return nil
}

// flush sends the batch and counts the answer.
func (p *publisher) flush(ctx context.Context) error {
	if len(p.batch) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	status, err := p.to.send(ctx, p.batch)
	if err != nil {
		return err
	}
	if got := status.SuccessCount + status.FailureCount; status.Status != "complete" || got != len(p.batch) {
		return fmt.Errorf("the server answered for %d of %d objects (status %s %s); ask it for that status, or publish again",
			got, len(p.batch), status.Status, status.ID)
	}
	p.total += len(p.batch)
	for _, s := range status.Successes {
		if s.Message == taxii.AlreadyHeld {
			p.known++
		}
		if strings.HasPrefix(s.Message, taxii.StoredAlthough) {
			p.violating = append(p.violating, refusal{ID: s.ID, Version: s.Version, Message: s.Message})
		}
		if strings.HasPrefix(s.Message, taxii.NotServed) {
			p.unserved = append(p.unserved, refusal{ID: s.ID, Version: s.Version, Message: s.Message})
		}
	}
	p.stored += status.SuccessCount
	for _, f := range status.Failures {
		p.refused = append(p.refused, refusal{ID: f.ID, Version: f.Version, Message: f.Message})
	}
	p.batch, p.bytes = p.batch[:0], 0
	return nil
}

// publishJSON is the summary in the output of --json.
type publishJSON struct {
	Collection string    `json:"collection"`
	Total      int       `json:"total"`
	Success    int       `json:"success"`
	New        int       `json:"new"`
	Known      int       `json:"known"`
	Red        int       `json:"red"` // of the successes, TLP:RED: stored, and served to nobody
	Failure    int       `json:"failure"`
	Failures   []refusal `json:"failures"`
	Violating  []refusal `json:"violating,omitempty"` // of the new ones, those that a lenient collection took in spite of what they break
	Unserved   []refusal `json:"unserved,omitempty"`  // of the new ones, those that nobody is served until the definition of their marking comes
	Seconds    float64   `json:"seconds"`
	PerSecond  float64   `json:"objects_per_second"`
	Complete   bool      `json:"complete"` // every input was read and sent to its end
}

// summary prints what became of the objects; err is what ended the run early.
func (p *publisher) summary(err error) error {
	if err != nil && p.total == 0 && !p.json {
		return nil // the error says it all
	}
	elapsed := time.Since(p.began).Seconds()
	rate := float64(p.total) / max(elapsed, 1e-9)
	if p.json {
		j := publishJSON{
			Collection: p.to.name(), Total: p.total, Success: p.stored, New: p.stored - p.known, Known: p.known, Red: p.red,
			Failure: len(p.refused), Failures: p.refused, Violating: p.violating, Unserved: p.unserved, Seconds: elapsed, PerSecond: rate, Complete: err == nil,
		}
		if j.Failures == nil {
			j.Failures = []refusal{}
		}
		if err := printJSON(p.out, j); err != nil {
			return err
		}
	} else {
		for _, r := range p.refused {
			id := r.ID
			if id == "" {
				id = "(no id)"
			}
			fmt.Fprintf(p.out, "refused  %s: %s\n", printable(id), printable(r.Message))
		}
		for _, r := range p.violating {
			fmt.Fprintf(p.out, "lenient  %s: %s\n", printable(r.ID), printable(r.Message))
		}
		for _, r := range p.unserved {
			fmt.Fprintf(p.out, "hidden   %s: %s\n", printable(r.ID), printable(r.Message))
		}
		fmt.Fprintf(p.out, "%s: %s, %d published (%d of them already there), %d refused, in %.1f s (%.0f objects/s)\n",
			printable(p.to.name()), counted(p.total, "object"), p.stored, p.known, len(p.refused), elapsed, rate)
		if p.red > 0 {
			fmt.Fprintf(p.out, "%d of them are TLP:RED: stored, and served to nobody.\n", p.red)
		}
		if err != nil && p.total > 0 {
			fmt.Fprintln(p.out, "The run is not complete. When the cause is mended, run it again: what is already there is not repeated.")
		}
	}
	if err == nil && len(p.refused) > 0 {
		return errSilent
	}
	return nil
}
