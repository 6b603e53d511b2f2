package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/skjold-exchange/skjold/taxii"
)

// request is one request of a script.
type request struct {
	method, target string
	header         [][2]string // an empty value leaves the default header out
	body           []byte      // nil for none
}

// answer is one response, read whole.
type answer struct {
	method, target string
	status         int
	header         http.Header
	body           string
}

// taxiiTransport sends what the scripts say and nothing of its own but the framing.
var taxiiTransport = &http.Transport{DisableCompression: true}

// send sends a request with the caller's credentials and TAXII's media types, unless the request has other ones.
func (c *conversation) send(ts *testscript.TestScript, q request) answer {
	target, query, _ := strings.Cut(q.target, "?")
	r := &http.Request{
		Method: q.method, Host: c.address, Header: http.Header{"User-Agent": {"script"}, "Accept": {taxii.MediaType}},
		URL: &url.URL{Scheme: "http", Host: c.address, Opaque: target, RawQuery: query}, // Opaque: the path goes out as written
	}
	if c.caller.name != "" {
		r.SetBasicAuth(c.caller.name, c.caller.key)
	}
	if q.body != nil {
		r.Header.Set("Content-Type", taxii.MediaType)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(q.body)), int64(len(q.body))
	}
	fresh := map[string]bool{}
	for _, h := range q.header {
		if !fresh[h[0]] {
			r.Header.Del(h[0])
			fresh[h[0]] = true
		}
		if h[1] != "" {
			r.Header.Add(h[0], h[1])
		}
	}
	if q.method == http.MethodConnect {
		ts.Fatalf("CONNECT is for raw")
	}
	res, err := taxiiTransport.RoundTrip(r)
	ts.Check(err)
	got, err := readAnswer(res, q.method, q.target)
	ts.Check(err)
	ts.Check(c.wellFormed(got))
	return got
}

func readAnswer(res *http.Response, method, target string) (answer, error) {
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{method: method, target: target, status: res.StatusCode, header: res.Header, body: string(body)}, err
}

// cmdHTTP sends one request.
func cmdHTTP(ts *testscript.TestScript, _ bool, args []string) {
	q, want := readRequest(ts, args)
	c := conversationOf(ts)
	c.answer = c.send(ts, q)
	if want != 0 && c.answer.status != want {
		ts.Fatalf("%s %s: %d, want %d\n%s", q.method, q.target, c.answer.status, want, c.answer.body)
	}
}

// cmdSoon is for changes that a node sees within two seconds.
func cmdSoon(ts *testscript.TestScript, _ bool, args []string) {
	q, want := readRequest(ts, args)
	must(ts, want != 0, "soon METHOD PATH ... -> STATUS")
	ctx, cancel := context.WithTimeout(context.Background(), scriptTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	c := conversationOf(ts)
	for {
		if c.answer = c.send(ts, q); c.answer.status == want {
			return
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("%s %s: still %d, want %d\n%s", q.method, q.target, c.answer.status, want, c.answer.body)
		case <-tick.C:
		}
	}
}

// readRequest reads the arguments of http and soon. The status is 0 where none is asked for.
func readRequest(ts *testscript.TestScript, args []string) (request, int) {
	const usage = "http METHOD PATH [NAME:VALUE]... [@FILE] [-> STATUS]"
	args, want := cutStatuses(ts, args)
	must(ts, len(args) >= 2 && len(want) <= 1, usage)
	q := request{method: args[0], target: args[1]}
	for _, arg := range args[2:] {
		if file, ok := strings.CutPrefix(arg, "@"); ok {
			q.body = []byte(ts.ReadFile(file))
			continue
		}
		name, value, ok := strings.Cut(arg, ":")
		must(ts, ok, usage)
		q.header = append(q.header, [2]string{http.CanonicalHeaderKey(name), strings.TrimSpace(value)})
	}
	return q, append(want, 0)[0]
}

func cutStatuses(ts *testscript.TestScript, args []string) ([]string, []int) {
	i := slices.Index(args, "->")
	if i < 0 {
		return args, nil
	}
	want := []int{}
	for _, arg := range args[i+1:] {
		status, err := strconv.Atoi(arg)
		ts.Check(err)
		want = append(want, status)
	}
	return args[:i], want
}

// rawTimeout is how long the server may take to answer and close; a script that meets it has failed.
const rawTimeout = 20 * time.Second

// cmdRaw sends the text of a file as it is, its variables expanded, and reads until the server closes the connection. A
// file without an empty line is headers only, and is ended by one, unless it is sent as it is. $LENGTH is the length of what stands behind the first
// empty line.
func cmdRaw(ts *testscript.TestScript, _ bool, args []string) {
	args, want := cutStatuses(ts, args)
	asIs := len(args) > 1 && args[0] == "--as-is"
	if asIs {
		args = args[1:]
	}
	must(ts, len(args) == 1, "raw [--as-is] FILE [-> STATUS...]")
	text := ts.ReadFile(args[0])
	if !asIs && !strings.Contains(text, "\n\n") {
		text += "\n"
	}
	_, body, _ := strings.Cut(text, "\n\n")
	length := strconv.Itoa(len(crlf(ts, body)))
	wire := strings.ReplaceAll(crlf(ts, text), "$LENGTH", length)

	c := conversationOf(ts)
	address := c.address
	if other := ts.Getenv("RAW_HOST"); other != "" {
		address = other
	}
	answers, err := converse(address, wire)
	if err != nil {
		ts.Fatalf("%s: %v", args[0], err)
	}
	var got []int
	for _, a := range answers {
		got = append(got, a.status)
		ts.Check(c.wellFormed(a))
		c.answer = a
	}
	if want != nil && !slices.Equal(got, want) {
		ts.Fatalf("%s: answers %v, want %v\n%s", args[0], got, want, c.answer.body)
	}
}

// crlf expands a text's variables, except LENGTH, and ends its lines as HTTP does.
func crlf(ts *testscript.TestScript, text string) string {
	text = os.Expand(text, func(name string) string {
		if name == "LENGTH" {
			return "$LENGTH"
		}
		return ts.Getenv(name)
	})
	return strings.ReplaceAll(text, "\n", "\r\n")
}

// converse sends a text and reads every response to it, interim ones too.
func converse(address, wire string) ([]answer, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(rawTimeout)); err != nil {
		return nil, err
	}
	// A server that refuses early may close while this is still being sent: what counts is its answer.
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(conn, wire)
	}()
	defer func() { conn.Close(); <-sent }()
	method, rest, _ := strings.Cut(wire, " ")
	target, _, _ := strings.Cut(rest, " ")
	in := bufio.NewReader(conn)
	var answers []answer
	for {
		res, err := http.ReadResponse(in, &http.Request{Method: method})
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
			return answers, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, fmt.Errorf("after %d answers the server neither answers nor closes; is there a Connection: close?", len(answers))
		case err != nil:
			return nil, err
		}
		a, err := readAnswer(res, method, target)
		if err != nil {
			return nil, fmt.Errorf("a %d with a body that is cut off: %w", a.status, err)
		}
		answers = append(answers, a)
	}
}

// matches compares a text with what a script wants: the same, or matching what stands behind "~".
func matches(ts *testscript.TestScript, got, want string) bool {
	pattern, ok := strings.CutPrefix(want, "~")
	if !ok {
		return got == want
	}
	re, err := regexp.Compile(pattern)
	ts.Check(err)
	return re.MatchString(got)
}

func cmdHeader(ts *testscript.TestScript, neg bool, args []string) {
	must(ts, len(args) == 1 || len(args) == 2, "header NAME [VALUE|~REGEXP]")
	got := conversationOf(ts).answer.header.Values(args[0])
	ok := len(got) > 0
	if len(args) == 2 {
		ok = slices.ContainsFunc(got, func(v string) bool { return matches(ts, v, args[1]) })
	}
	if ok == neg {
		ts.Fatalf("header %s is %q", args[0], got)
	}
}

func cmdBody(ts *testscript.TestScript, neg bool, args []string) {
	must(ts, len(args) == 1, "body REGEXP")
	got := conversationOf(ts).answer.body
	if matches(ts, got, "~"+args[0]) == neg {
		ts.Fatalf("the body is:\n%s", got)
	}
}

// at finds the value at a path of member names and list indexes; "len" is a list's length.
func at(v any, path string) (any, bool) {
	for step := range strings.SplitSeq(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			var ok bool
			if v, ok = in[step]; !ok {
				return nil, false
			}
		case []any:
			n, err := strconv.Atoi(step)
			switch {
			case step == "len":
				v = json.Number(strconv.Itoa(len(in)))
			case err != nil || n < 0 || n >= len(in):
				return nil, false
			default:
				v = in[n]
			}
		default:
			return nil, false
		}
	}
	return v, true
}

// value is the text of the value at a path of the last answer; strings are without quotation marks.
func (c *conversation) value(ts *testscript.TestScript, path string) (string, bool) {
	d := json.NewDecoder(strings.NewReader(c.answer.body))
	d.UseNumber()
	var doc any
	if err := d.Decode(&doc); err != nil {
		ts.Fatalf("the body is no JSON (%v): %q", err, c.answer.body)
	}
	v, ok := at(doc, path)
	if !ok {
		return "", false
	}
	if s, ok := v.(string); ok {
		return s, true
	}
	text, err := json.Marshal(v)
	ts.Check(err)
	return string(text), true
}

func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	must(ts, len(args) == 1 || len(args) == 2, "json PATH [VALUE|~REGEXP]")
	c := conversationOf(ts)
	got, ok := c.value(ts, args[0])
	if len(args) == 2 {
		ok = ok && matches(ts, got, args[1])
	}
	if ok == neg {
		ts.Fatalf("%s is %q in %s", args[0], got, c.answer.body)
	}
}

// cmdObjects compares the objects of an envelope, or the records of a manifest, with sample objects.
func cmdObjects(ts *testscript.TestScript, _ bool, args []string) {
	c := conversationOf(ts)
	var body struct {
		Objects []struct{ ID, Type, Created, Modified, Version string }
	}
	ts.Check(json.Unmarshal([]byte(c.answer.body), &body))
	var got, want []string
	for _, o := range body.Objects {
		version := o.Modified + o.Version
		if strings.HasPrefix(o.ID, "ipv4-addr--") {
			version = "" // the server's own, where there is one
		}
		got = append(got, o.ID+" "+version)
	}
	for _, s := range samples(ts, args) {
		want = append(want, s.id+" "+s.version)
	}
	if !slices.Equal(got, want) {
		ts.Fatalf("%s\ngives %s\nwant  %s", c.answer.target, strings.Join(got, "\n      "), strings.Join(want, "\n      "))
	}
	if _, listed := c.value(ts, "objects"); len(want) == 0 && listed && !c.caller.emptyList {
		ts.Fatalf("an empty list is in the answer: %s", c.answer.body)
	}
}

func cmdSet(ts *testscript.TestScript, _ bool, args []string) {
	const usage = "set VAR header NAME|json PATH|body"
	must(ts, len(args) >= 2, usage)
	c := conversationOf(ts)
	switch {
	case args[1] == "body" && len(args) == 2:
		ts.Setenv(args[0], c.answer.body)
	case args[1] == "header" && len(args) == 3:
		v := c.answer.header.Get(args[2])
		if v == "" {
			ts.Fatalf("there is no header %s", args[2])
		}
		ts.Setenv(args[0], v)
	case args[1] == "json" && len(args) == 3:
		v, ok := c.value(ts, args[2])
		if !ok {
			ts.Fatalf("there is no %s in %s", args[2], c.answer.body)
		}
		ts.Setenv(args[0], v)
	default:
		must(ts, false, usage)
	}
}

// withoutID is a body without the one member that differs between two equal errors.
var withoutID = regexp.MustCompile(`"error_id":"[0-9a-f]*",?`)

func cmdSame(ts *testscript.TestScript, neg bool, args []string) {
	must(ts, len(args) == 1, "same VAR")
	got, want := conversationOf(ts).answer.body, ts.Getenv(args[0])
	if (withoutID.ReplaceAllString(got, "") == withoutID.ReplaceAllString(want, "")) == neg {
		ts.Fatalf("the body is\n%s\nwant\n%s", got, want)
	}
}

func cmdText(ts *testscript.TestScript, _ bool, args []string) {
	must(ts, len(args) == 3, "text VAR N TEXT")
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Setenv(args[0], strings.Repeat(strings.ReplaceAll(args[2], `\n`, "\n"), n))
}

func cmdMilliseconds(ts *testscript.TestScript, _ bool, args []string) {
	must(ts, len(args) == 2, "milliseconds VAR TIME")
	t, err := time.Parse(time.RFC3339Nano, args[1])
	ts.Check(err)
	ts.Setenv(args[0], t.UTC().Truncate(time.Millisecond).Format("2006-01-02T15:04:05.000Z"))
}
