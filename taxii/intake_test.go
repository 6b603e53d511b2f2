package taxii

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/skjold-exchange/skjold/stix"
)

var intakeNow = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func newTestIntake(f ...func(*IntakeOptions)) *Intake {
	o := IntakeOptions{Now: func() time.Time { return intakeNow }}
	for _, edit := range f {
		edit(&o)
	}
	return NewIntake(o)
}

func TestIntakeRules(t *testing.T) {
	open, marked := Collection{ID: "c", DefaultTLP: stix.TLPAmberStrict}, Collection{ID: "c", DefaultTLP: stix.TLPUnmarked}
	amber := stix.MarkingOf(stix.TLPAmber)
	granular := strings.Replace(indicator(1, v1, ""), `"name"`, `"granular_markings":[{"marking_ref":"`+string(amber)+`","selectors":["name"]}],"name"`, 1)
	definition := `{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",` +
		`"created":"2017-01-20T00:00:00.000Z","definition_type":"tlp","name":"TLP:WHITE","definition":{"tlp":"white"}}`
	tests := []struct {
		name, object string
		c            Collection
		says         string // "" for an object to store
	}{
		{"valid", indicator(1, v1, ""), open, ""},
		{"unmarked where marks are needed", indicator(1, v1, ""), marked, "add the id of a TLP marking to object_marking_refs"},
		{"marked where marks are needed", indicator(1, v1, amber), marked, ""},
		{"TLP 1 mark", indicator(1, v1, "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"), marked, ""},
		{"granular mark", granular, marked, ""},
		{"another mark only", indicator(1, v1, "marking-definition--740d36e5-7714-4c30-961a-3ae632ceee0e"), marked, "has no TLP marking"},
		{"a TLP definition itself", definition, marked, ""},
		{"at the allowed skew", indicator(1, "2026-06-02T12:00:00.000Z", ""), open, ""},
		{"beyond it", indicator(1, "2026-06-02T12:00:00.001Z", ""), open, "modified is 2026-06-02T12:00:00.001Z, more than 24 hours in the future"},
		{"no pattern", strings.Replace(indicator(1, v1, ""), `"pattern":`, `"x_pattern":`, 1), open, "pattern"},
		{"STIX 2.0", strings.Replace(indicator(1, v1, ""), `"spec_version":"2.1",`, "", 1), open, "2.0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			item := newTestIntake().Item([]byte(tt.object), tt.c)
			if item.Object == nil || string(item.Object.Raw) != tt.object {
				t.Fatalf("the object is gone: %+v", item)
			}
			if tt.says == "" && item.Refused != "" || !strings.Contains(item.Refused, tt.says) {
				t.Errorf("refused %q, want %q", item.Refused, tt.says)
			}
		})
	}
}

func TestFalseTLPDefinitionsAreRefused(t *testing.T) {
	const red = `{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed","created":"2017-01-20T00:00:00.000Z","definition_type":"tlp","name":"TLP:RED","definition":{"tlp":"red"}}`
	if item := newTestIntake().Item([]byte(red), Collection{DefaultTLP: stix.TLPGreen}); item.Refused != "" {
		t.Errorf("the standard's own definition was refused: %s", item.Refused)
	}
	item := newTestIntake().Item([]byte(strings.Replace(red, `"tlp":"red"`, `"tlp":"white"`, 1)), Collection{DefaultTLP: stix.TLPGreen})
	if item.Refused == "" {
		t.Error("a definition of TLP:RED that says white was taken")
	}
}

func TestIntakeMessagesAreBounded(t *testing.T) {
	in := newTestIntake(func(o *IntakeOptions) {
		o.CheckObject = func(raw []byte) (*stix.Object, stix.Report) {
			var r stix.Report
			for i := range 1000 {
				r.Errors = append(r.Errors, stix.Violation{Path: fmt.Sprintf("a[%d]", i), Section: "3.1", Message: strings.Repeat("æ", 50)})
			}
			return nil, r
		}
	})
	item := in.Item([]byte(`{}`), Collection{})
	if len(item.Refused) > maxMessage || !strings.HasPrefix(item.Refused, "a[0]: æ") || !strings.HasSuffix(item.Refused, " …") {
		t.Errorf("message of %d octets: %.60s", len(item.Refused), item.Refused)
	}
	if strings.ToValidUTF8(item.Refused, "") != item.Refused {
		t.Error("a character was cut in half")
	}
	if item.ID != "objects[0]" || item.Version != "2026-06-01T12:00:00.000000Z" {
		t.Errorf("named %s, %s", item.ID, item.Version)
	}
}

func TestIntakeRead(t *testing.T) {
	s, err := newTestIntake().Read(strings.NewReader(envelopeOf(indicator(1, v1, ""), `"x"`)), Collection{ID: "c", DefaultTLP: stix.TLPClear}, "soc")
	if err != nil {
		t.Fatal(err)
	}
	if s.Collection != "c" || s.Account != "soc" || !s.Received.Equal(intakeNow) || len(s.Items) != 2 || s.Items[0].Refused != "" || s.Items[1].Refused == "" {
		t.Errorf("submission %+v", s)
	}
}

func TestIntakeAnyInput(t *testing.T) {
	a, b := indicator(1, v1, ""), indicator(2, v1, "")
	in := newTestIntake(func(o *IntakeOptions) { o.AnyInput = true })
	for name, tt := range map[string]struct {
		input string
		want  []string
	}{
		"nothing":          {"", nil},
		"one object":       {a, []string{indicatorID(1)}},
		"lines":            {a + "\n" + b + "\n", []string{indicatorID(1), indicatorID(2)}},
		"bundles in lines": {envelopeOf(a) + "\n" + envelopeOf(b), []string{indicatorID(1), indicatorID(2)}},
		"empty envelope":   {`{}`, nil},
		"a bad line":       {a + "\n17\n" + b, []string{indicatorID(1), "", indicatorID(2)}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for item, err := range in.Items(strings.NewReader(tt.input), Collection{DefaultTLP: stix.TLPClear}) {
				if err != nil {
					t.Fatal(err)
				}
				id := ""
				if item.Object != nil {
					id = string(item.Object.ID)
				}
				got = append(got, id)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestIntakeStops holds that a consumer may stop early and that what came before an error was given.
func TestIntakeStops(t *testing.T) {
	in := newTestIntake()
	input := envelopeOf(indicator(1, v1, ""), indicator(2, v1, ""))
	for range in.Items(strings.NewReader(input), Collection{}) {
		break
	}
	given := 0
	var last error
	for _, err := range in.Items(strings.NewReader(input[:len(input)-2]+"!"), Collection{}) {
		if last = err; err == nil {
			given++
		}
	}
	var syntax *stix.SyntaxError
	if given != 2 || !errors.As(last, &syntax) {
		t.Errorf("%d objects, then %v", given, last)
	}
}

// TestSubmissionsAreBounded holds that no configuration lets a submission of tiny elements fill the memory.
func TestSubmissionsAreBounded(t *testing.T) {
	in := newTestIntake(func(o *IntakeOptions) { o.Limits.Objects = 5_000_000 })
	_, err := in.Read(strings.NewReader(`{"objects":[1`+strings.Repeat(",1", DefaultMaxObjects)+`]}`), Collection{}, "soc")
	if !errors.Is(err, stix.ErrTooManyObjects) || problemOf(err).status != 422 {
		t.Errorf("one element too many: %v", err)
	}
}

func FuzzIntake(f *testing.F) {
	for _, seed := range []string{envelopeOf(indicator(1, v1, "")), `{"type":"bundle","id":"` + bundleID + `","objects":[{}]}`, "{}", "[1]", `{"objects":[[[]]]}`} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, input []byte, lines bool) {
		in := newTestIntake(func(o *IntakeOptions) { o.AnyInput = lines })
		s, err := in.Read(strings.NewReader(string(input)), Collection{ID: "c"}, "soc")
		if err != nil {
			if status := problemOf(err).status; status != 400 && status != 422 {
				t.Errorf("status %d of %v", status, err)
			}
			return
		}
		for _, item := range s.Items {
			if len(item.Refused) > maxMessage || item.Object == nil && (item.ID == "" || item.Refused == "") {
				t.Errorf("item %+v", item)
			}
		}
	})
}
