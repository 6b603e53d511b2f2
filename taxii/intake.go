package taxii

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/skjold-exchange/skjold/stix"
)

// IntakeOptions are the rules of an Intake. Zero values have the defaults that the comments say.
type IntakeOptions struct {
	// Limits bound each object and their number; stix.DefaultLimits.
	Limits stix.Limits
	// MaxObjects also bounds the number where AnyInput is not set, since such an input and its status are held in memory;
	// DefaultMaxObjects.
	MaxObjects int
	// CheckObject validates one object; strict stix.Check within Limits.
	CheckObject func(raw []byte) (*stix.Object, stix.Report)
	// MaxFutureSkew is how far in the future created and modified may be; 24 h.
	MaxFutureSkew time.Duration
	// AnyInput also takes single STIX objects and JSON lines, as files have them; without it the input is one TAXII
	// envelope or one STIX bundle, as an HTTP body has to be.
	AnyInput bool
	Now      func() time.Time // time.Now
}

// DefaultMaxObjects is the most objects of one envelope or bundle where nothing else is said. 32 MiB, the largest body by
// default, have place for as many objects of 670 octets, which is about an indicator; senders of very many small
// observables need a second request.
const DefaultMaxObjects = 50_000

// Intake decides which objects of an input are to be stored and says of the others why not. What a strict collection
// refuses for any violation of STIX 2.1, a lenient one takes unless it is structural. Everything that enters a
// node passes it: requests, files, and pages pulled from peers. It may be used concurrently.
type Intake struct {
	opt IntakeOptions
}

// NewIntake returns an Intake with the rules.
func NewIntake(o IntakeOptions) *Intake {
	orDefault(&o.Limits.Objects, stix.DefaultLimits().Objects)
	if !o.AnyInput {
		orDefault(&o.MaxObjects, DefaultMaxObjects)
		o.Limits.Objects = min(o.Limits.Objects, o.MaxObjects)
	}
	orDefault(&o.MaxFutureSkew, 24*time.Hour)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.CheckObject == nil {
		limits, now := o.Limits, o.Now
		o.CheckObject = func(raw []byte) (*stix.Object, stix.Report) {
			return stix.Check(raw, stix.Options{Limits: limits, Now: now})
		}
	}
	return &Intake{opt: o}
}

// Read turns an input into a submission to a collection by an account. An error means that nothing of the input is to be
// stored: it is not JSON, no envelope or bundle, or has no objects. Objects that break a rule are items with a reason;
// where more than 1,000 do, the later ones are not told why (Unlisted).
func (in *Intake) Read(r io.Reader, c Collection, account string) (Submission, error) {
	unbounded := pool{most: math.MaxInt64}
	return in.read(r, c, account, &share{pool: &unbounded})
}

// read is Read with the items' memory counted as they come.
func (in *Intake) read(r io.Reader, c Collection, account string, memory *share) (Submission, error) {
	s := Submission{Collection: c.ID, Account: account, Received: in.opt.Now().UTC()}
	var told reasons
	for item, err := range in.Items(r, c) {
		if err != nil {
			return Submission{}, err
		}
		told.bound(&item)
		if err := memory.take(item.memory()); err != nil {
			return Submission{}, err
		}
		s.Items = append(s.Items, item)
	}
	return s, nil
}

// Items reads an input object by object, in its order, with the memory of one object at a time. An error is the last
// pair, and its item is empty; what was given before it is as the input had it.
func (in *Intake) Items(r io.Reader, c Collection) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		reader := stix.NewReader(r, in.opt.Limits)
		if !in.opt.AnyInput {
			reader = reader.Single()
		}
		count := 0
		for {
			raw, err := reader.Next()
			var element *stix.ElementError
			switch {
			case err == nil:
				if !yield(in.item(raw, c, count), nil) {
					return
				}
			case errors.As(err, &element):
				if !yield(in.unreadable(string(element.ID), element.Index, capital(element.Reason)), nil) {
					return
				}
			default:
				if err = in.inputError(reader, err, count); err != nil {
					yield(Item{}, err)
				}
				return
			}
			count++
		}
	}
}

// inputError is the answer to the end of an input: nil if it ended well.
func (in *Intake) inputError(reader *stix.Reader, err error, count int) error {
	const envelope = "Send a TAXII envelope, {\"objects\": [ … ]}, or a STIX bundle."
	var syntax *stix.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return refuse(http.StatusBadRequest, "Malformed JSON", "%s. Nothing was stored.", capital(syntax.Error())).because(err)
	case errors.Is(err, stix.ErrNotContainer):
		return refuse(http.StatusUnprocessableEntity, "Not an envelope", "%s. %s", capital(err.Error()), envelope).because(err)
	case errors.Is(err, stix.ErrTooManyObjects):
		return refuse(http.StatusUnprocessableEntity, "Too many objects",
			"At most %d objects can be added at once; send them in several requests. Nothing was stored.", in.opt.Limits.Objects).because(err)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("reading objects: %w", err)
	case in.opt.AnyInput:
		return nil
	case reader.Container() == stix.ContainerNone:
		return refuse(http.StatusBadRequest, "Malformed JSON", "The body is empty. %s", envelope)
	case reader.Container() == stix.ContainerObject:
		return refuse(http.StatusUnprocessableEntity, "Not an envelope", "The body is one STIX object by itself. %s", envelope)
	case count == 0:
		return refuse(http.StatusUnprocessableEntity, "No objects", "The %s has no objects; there is nothing to add.", reader.Container())
	}
	return nil
}

// Item judges one object for a collection: its Refused is "" if it may be stored, with its Violations where the collection
// is lenient. raw has no insignificant whitespace, as
// stix.Reader gives it, and belongs to the item afterwards.
func (in *Intake) Item(raw []byte, c Collection) Item { return in.item(raw, c, 0) }

func (in *Intake) item(raw []byte, c Collection, index int) Item {
	object, report := in.opt.CheckObject(raw)
	named := object != nil && object.ID != ""
	tolerated := c.Lenient && named && object.Type != "" && report.Acceptable()
	switch {
	case len(report.Errors) > 0 && named && !tolerated:
		return Item{Object: object, Refused: joinViolations(report.Errors)}
	case len(report.Errors) > 0 && !tolerated:
		id, _ := stix.Identity(raw)
		return in.unreadable(id, index, joinViolations(report.Errors))
	case !named:
		return in.unreadable("", index, "It is not a STIX object with a type and an id.")
	}
	if reason := in.refusal(object, c); reason != "" {
		return Item{Object: object, Refused: reason}
	}
	return Item{Object: object, Violations: Recordable(report.Errors)}
}

// unreadable is an item of which there is no object: it is named by its id or its place, and by when it came.
func (in *Intake) unreadable(id string, index int, reason string) Item {
	if id == "" {
		id = placeOf(index)
	}
	return Item{ID: id, Version: stix.TimestampOf(in.opt.Now()).String(), Refused: cut(reason, maxMessage)}
}

// refusal is why an object that passed the check may not enter a collection, "" if it may.
func (in *Intake) refusal(o *stix.Object, c Collection) string {
	if o.FalseTLP() {
		return "The id is that of a TLP marking, and the definition is not that marking's; use the standard's own object, or another id. (STIX §7.2.1)"
	}
	latest := stix.TimestampOf(in.opt.Now().Add(in.opt.MaxFutureSkew))
	for _, t := range []struct {
		name string
		time stix.Timestamp
	}{{"modified", o.Modified}, {"created", o.Created}} {
		if !t.time.IsZero() && t.time.Compare(latest) > 0 {
			return fmt.Sprintf("%s is %s, more than %s in the future, which would stall clients that poll by it; "+
				"check the clock and the time zone of the program that made the object.", t.name, cut(t.time.String(), maxVersionText), spell(in.opt.MaxFutureSkew))
		}
	}
	if c.DefaultTLP == stix.TLPUnmarked && o.Markings().TLP == stix.TLPUnmarked && !definesTLP(o.ID) {
		return fmt.Sprintf("The object has no TLP marking and this collection takes marked objects only; add the id of a TLP "+
			"marking to object_marking_refs, such as %s for TLP:AMBER.", stix.MarkingOf(stix.TLPAmber))
	}
	return ""
}

// definesTLP tells the TLP marking definitions themselves, which bundles carry along without a marking of their own.
func definesTLP(id stix.Identifier) bool {
	return stix.NewMarkingSet([]stix.Identifier{id}, "").TLP != stix.TLPUnmarked
}

// capital makes a sentence of an error text.
func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// spell says whole hours as such.
func spell(d time.Duration) string {
	if d >= time.Hour && d%time.Hour == 0 {
		return fmt.Sprintf("%d hours", d/time.Hour)
	}
	return d.String()
}
