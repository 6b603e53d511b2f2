package taxii

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/skjold-exchange/skjold/stix"
)

// manyElements is an envelope of n elements, each made from its index.
func manyElements(n int, element func(i int) string) string {
	var b strings.Builder
	b.WriteString(`{"objects":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(element(i))
	}
	b.WriteString(`]}`)
	return b.String()
}

func nameless(int) string { return `{"type":"indicator"}` }

func named(i int) string { return fmt.Sprintf(`{"type":"indicator","id":%q}`, indicatorID(i)) }

// TestManyElementsWithoutID holds that a small body of many elements that name nothing is refused whole, with reasons.
func TestManyElementsWithoutID(t *testing.T) {
	g := newRig(t)
	body := zipped(t, manyElements(DefaultMaxObjects, nameless))
	e := g.wantError(g.do(http.MethodPost, g.objects(""), body, header("Content-Encoding", "gzip")), http.StatusUnprocessableEntity)
	if !strings.Contains(e.Description, "None of the 50000 elements") || !strings.Contains(e.Description, "objects[2]: ") || len(e.Description) > 2*maxMessage {
		t.Errorf("description %q", e.Description)
	}
	if len(g.store.statuses) != 0 || g.server.buffered.used.Load() != 0 {
		t.Errorf("%d statuses were stored, %d octets are still counted", len(g.store.statuses), g.server.buffered.used.Load())
	}
	e = g.wantError(g.do(http.MethodPost, g.objects(""), manyElements(DefaultMaxObjects+1, nameless)), http.StatusUnprocessableEntity)
	if !strings.Contains(e.Description, "At most 50000 objects") {
		t.Errorf("description %q", e.Description)
	}
	one := g.do(http.MethodPost, g.objects(""), manyElements(3, func(i int) string { return []string{nameless(i), named(i), "17"}[i] }))
	g.want(one, http.StatusAccepted)
}

func TestMaxObjects(t *testing.T) {
	g := newRig(t, func(o *Options) { o.MaxObjects = 2 })
	g.add(indicator(1, v1, ""), indicator(2, v1, ""))
	e := g.wantError(g.do(http.MethodPost, g.objects(""), manyElements(3, named)), http.StatusUnprocessableEntity)
	if !strings.Contains(e.Description, "At most 2 objects") {
		t.Errorf("description %q", e.Description)
	}
}

// TestStatusTextIsBounded holds that a status has the reasons of the first failures only, and a line for every one.
func TestStatusTextIsBounded(t *testing.T) {
	const n = 5000
	g := newRig(t, func(o *Options) {
		o.CheckObject = func(raw []byte) (*stix.Object, stix.Report) {
			object, _ := stix.Check(raw, stix.Options{})
			return object, stix.Report{Errors: []stix.Violation{{Message: strings.Repeat("x", 3000)}}}
		}
	})
	got := g.do(http.MethodPost, g.objects(""), manyElements(n, named))
	g.want(got, http.StatusAccepted)
	st := decode[Status](g, got)
	if st.TotalCount != n || st.FailureCount != n || len(st.Failures) != n {
		t.Fatalf("%d failures, counted %d of %d", len(st.Failures), st.FailureCount, st.TotalCount)
	}
	for i, f := range st.Failures {
		if f.ID != indicatorID(i) || len(f.Message) > maxMessage || (f.Message == Unlisted) != (i >= maxReasons) {
			t.Fatalf("failure %d is %+v", i, f)
		}
	}
}

// TestViolationsOfASubmissionAreBounded is the same for what a lenient collection stores.
func TestViolationsOfASubmissionAreBounded(t *testing.T) {
	in := newTestIntake(func(o *IntakeOptions) {
		o.CheckObject = func(raw []byte) (*stix.Object, stix.Report) {
			object, _ := stix.Check(raw, stix.Options{})
			return object, stix.Report{Errors: []stix.Violation{{Path: "name", Message: strings.Repeat("x", 900)}}}
		}
	})
	s, err := in.Read(strings.NewReader(manyElements(3000, named)), Collection{Lenient: true, DefaultTLP: stix.TLPAmber}, "soc")
	if err != nil {
		t.Fatal(err)
	}
	text, short := 0, 0
	for _, item := range s.Items {
		if item.Refused != "" || len(item.Violations) != 1 {
			t.Fatalf("item %+v", item)
		}
		if item.Violations[0].Rule == unlisted[0].Rule {
			short++
		} else {
			text += textOf(item.Violations)
		}
	}
	if text > maxViolationsText || short == 0 || short == len(s.Items) {
		t.Errorf("%d octets of violations, %d objects without", text, short)
	}
}

// TestItemsAreCounted holds that what the items of a submission are counted for is not less than what they take.
func TestItemsAreCounted(t *testing.T) {
	for name, input := range map[string]string{
		"without an id": manyElements(20_000, nameless),
		"with an id":    manyElements(20_000, named),
		"numbers":       manyElements(20_000, func(int) string { return "1" }),
		"indicators":    manyElements(2_000, func(i int) string { return indicator(i, v1, "") }),
	} {
		t.Run(name, func(t *testing.T) {
			in, memory := newTestIntake(), pool{most: 1 << 40}
			taken := share{pool: &memory}
			before := heap()
			s, err := in.read(strings.NewReader(input), Collection{DefaultTLP: stix.TLPAmber}, "soc", &taken)
			if err != nil {
				t.Fatal(err)
			}
			held, counted := heap()-before, memory.used.Load()+int64(len(input)) // the body counts apart
			if held > counted {
				t.Errorf("%d items take %d octets, counted are %d", len(s.Items), held, counted)
			}
			runtime.KeepAlive(s)
		})
	}
}

// heap is how much memory is in use after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestItemsOverTheBudget holds that a submission whose items do not fit is put off before anything of it is stored.
func TestItemsOverTheBudget(t *testing.T) {
	body := manyElements(100, named)
	g := newRig(t, func(o *Options) { o.MaxBuffered = int64(len(body)) + 50*itemOctets })
	got := g.do(http.MethodPost, g.objects(""), zipped(t, body), header("Content-Encoding", "gzip"))
	g.wantError(got, http.StatusServiceUnavailable)
	if got.Header.Get("Retry-After") == "" {
		t.Error("a 503 without Retry-After")
	}
	if len(g.store.statuses) != 0 || g.server.buffered.used.Load() != 0 {
		t.Errorf("%d statuses were stored, %d octets are still counted", len(g.store.statuses), g.server.buffered.used.Load())
	}
	g.want(g.do(http.MethodPost, g.objects(""), manyElements(2, named)), http.StatusAccepted)
}

// TestHeldObjectsAreNotTold holds that the answer to a copy of something held is the same as to something new, for a
// caller who may not see it.
func TestHeldObjectsAreNotTold(t *testing.T) {
	g := newRig(t)
	plain, red := indicator(1, v1, ""), indicator(2, v1, stix.MarkingOf(stix.TLPRed))
	g.add(plain, red)
	for user, want := range map[string][]string{"both": {AlreadyHeld, ""}, "writer": {"", ""}} {
		got := g.do(http.MethodPost, g.objects(""), envelopeOf(plain, red), as(user))
		g.want(got, http.StatusAccepted)
		st := decode[Status](g, got)
		if st.SuccessCount != 2 || st.Successes[0].Message != want[0] || st.Successes[1].Message != want[1] {
			t.Errorf("%s: %+v, want messages %q", user, st.Successes, want)
		}
	}
}
