package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/taxii"
)

// finding is the outcome of one check of doctor.
type finding struct {
	Check   string `json:"check"`
	Result  string `json:"result"` // ok, warning, fault or skipped
	Section string `json:"section,omitempty"`
	Text    string `json:"text"`
}

// The results of a check. A warning is a habit that some clients stumble over; a fault breaks the standard.
const (
	resultOK      = "ok"
	resultWarning = "warning"
	resultFault   = "fault"
	resultSkipped = "skipped"
)

func (a *app) doctorCommand() *cobra.Command {
	var remote remoteFlags
	var collection string
	var write bool
	cmd := &cobra.Command{
		Use:   "doctor URL",
		Short: "Examine any TAXII 2.1 server and say in plain words what works",
		Long: `Examine a TAXII 2.1 server, of ours or of anybody: can it be reached, do discovery, API root and collections answer,
do pages add up, do filters filter, are the headers there that clients live by. It tells whose fault a failing feed is.

It only reads, unless --write is given: then one indicator for an address reserved for documentation is added together with a
broken one that is to be refused, read back, added again, and deleted.

A fault breaks TAXII 2.1 or loses data; a warning is a habit that some client, which it names, stumbles over. Exit code 1 if
a fault was found.`,
		Example: `  skjold doctor https://node.example.org/taxii2/ --user soc --password-file key.txt
  skjold doctor https://node.example.org/taxii2/main/collections/indicators/ --user analyst --write --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			password, err := remote.secret()
			if err != nil {
				return err
			}
			client, err := remote.client(args[0])
			if err != nil {
				return usageError{err}
			}
			d := &doctor{
				app: a, ctx: cmd.Context(), client: client, collection: collection, user: remote.user, password: password, token: remote.token,
				http: &http.Client{
					Timeout:       time.Minute,
					CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
				},
			}
			if d.collection == "" {
				d.collection = client.CollectionInURL()
			}
			if d.base, err = url.Parse(args[0]); err != nil {
				return usageError{err}
			}
			d.examine(write)
			return d.finish()
		},
	}
	remote.registerAccount(cmd)
	cmd.Flags().StringVar(&collection, "collection", "", "collection to examine: id, alias or title (the first readable one unless given)")
	cmd.Flags().BoolVar(&write, "write", false, "also add an indicator, read it back and delete it")
	return cmd
}

// doctor examines one server.
type doctor struct {
	*app
	ctx                   context.Context
	client                *taxii.Client
	http                  *http.Client
	base                  *url.URL
	user, password, token string
	collection            string // what to examine, as the user named it
	findings              []finding

	habits  habits
	root    string // URL of the API root
	content string // URL of the collection, with a trailing slash
	// writable: the account may add to the collection.
	writable bool
}

// reply is an answer with its body read.
type reply struct {
	*http.Response
	body []byte
}

// get asks for a URL with the account's credentials and the standard's Accept, unless headers say otherwise.
func (d *doctor) get(target string, headers ...string) (reply, error) {
	return d.do(http.MethodGet, target, nil, headers...)
}

func (d *doctor) do(method, target string, body []byte, headers ...string) (reply, error) {
	req, err := http.NewRequestWithContext(d.ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Accept", taxii.MediaType)
	req.Header.Set("User-Agent", "skjold-doctor/"+versionText())
	if d.token != "" {
		req.Header.Set("Authorization", "Bearer "+d.token)
	} else if d.user != "" {
		req.SetBasicAuth(d.user, d.password)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
		} else {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	began := time.Now()
	res, err := d.http.Do(req)
	if err != nil {
		return reply{}, taxii.ConnectionError(req.URL, err)
	}
	defer res.Body.Close()
	text, err := readLimited(res.Body, 64<<20)
	r := reply{res, text}
	if err == nil {
		d.habits.notice(r, target, time.Since(began))
	}
	return r, err
}

// decode reads a JSON body.
func (r reply) decode(v any) error {
	if err := json.Unmarshal(r.body, v); err != nil {
		return fmt.Errorf("the body is no such resource: %w", err)
	}
	return nil
}

func (d *doctor) note(result, check, section, format string, args ...any) {
	d.findings = append(d.findings, finding{Check: check, Result: result, Section: section, Text: fmt.Sprintf(format, args...)})
}

// finish prints the findings.
func (d *doctor) finish() error {
	faults, warnings := 0, 0
	for _, f := range d.findings {
		switch f.Result {
		case resultFault:
			faults++
		case resultWarning:
			warnings++
		}
	}
	if d.json {
		if err := printJSON(d.out, map[string]any{"url": bareURL(d.base), "faults": faults, "warnings": warnings, "findings": d.findings}); err != nil {
			return err
		}
	} else {
		for _, f := range d.findings {
			section := ""
			if f.Section != "" {
				section = " [TAXII §" + f.Section + "]"
			}
			fmt.Fprintf(d.out, "%-8s %s: %s%s\n", f.Result, f.Check, printable(f.Text), section)
		}
		fmt.Fprintf(d.out, "\n%s: %s, %s\n", counted(len(d.findings), "check"), counted(faults, "fault"), counted(warnings, "warning"))
	}
	if faults > 0 {
		return errSilent
	}
	return nil
}

func bareURL(u *url.URL) string {
	bare := *u
	bare.User, bare.RawQuery = nil, ""
	return bare.String()
}

// examine runs the checks in an order in which each may rely on the ones before.
func (d *doctor) examine(write bool) {
	if !d.reachable() {
		return
	}
	d.discovery()
	if !d.apiRoot() || !d.collections() {
		return
	}
	d.negotiation()
	d.addresses()
	d.errors()
	d.pages()
	d.unlimited()
	d.order()
	d.times()
	d.filters()
	d.single()
	if write {
		d.roundTrip()
	}
	d.answered()
}

// reachable is whether the server answers at all, and whether it knows the account.
func (d *doctor) reachable() bool {
	r, err := d.get(d.base.String())
	var dns interface{ Timeout() bool }
	switch {
	case err != nil && errors.As(err, &dns) && dns.Timeout():
		d.note(resultFault, "connection", "", "the server did not answer in time: %v", err)
	case err != nil:
		d.note(resultFault, "connection", "", "%v", err)
	case r.StatusCode == http.StatusUnauthorized:
		d.note(resultFault, "account", "1.6.9", "the server is there, but does not accept the user and password (401)")
		if r.Header.Get("WWW-Authenticate") == "" {
			d.note(resultFault, "account", "1.6.9", "the 401 has no WWW-Authenticate; clients that wait to be asked never send their password")
		}
	default:
		d.note(resultOK, "connection", "", "the server answers (%s, %s)", r.Proto, r.Status)
		if d.base.Scheme != "https" {
			d.note(resultWarning, "encryption", "8.2.2", "plain http: passwords and indicators can be read on the way; clients are to use https")
		}
		return true
	}
	return false
}

// discovery is /taxii2/ at the root of the server.
func (d *doctor) discovery() {
	r, err := d.get(d.base.ResolveReference(&url.URL{Path: "/taxii2/"}).String())
	var resource taxii.Discovery
	switch {
	case err != nil:
		d.note(resultFault, "discovery", "4.1", "%v", err)
		return
	case r.StatusCode != http.StatusOK:
		d.note(resultWarning, "discovery", "4.1", "/taxii2/ answers %s; clients that are given only the host find nothing", r.Status)
		return
	}
	if err := r.decode(&resource); err != nil || resource.Title == "" {
		d.note(resultFault, "discovery", "4.1.1", "no discovery resource with a title came (%v)", err)
		return
	}
	d.note(resultOK, "discovery", "4.1", "%q with %d API roots", resource.Title, len(resource.APIRoots))
	d.discoveryHabits(resource)
}

// apiRoot finds the API root and reads its resource.
func (d *doctor) apiRoot() bool {
	root, err := d.client.APIRoot(d.ctx)
	if err != nil {
		d.note(resultFault, "API root", "4.2", "%v", err)
		return false
	}
	supported := false
	for _, v := range root.Versions {
		supported = supported || strings.ReplaceAll(v, " ", "") == taxii.MediaType
	}
	if !supported {
		d.note(resultFault, "API root", "4.2.1", "versions %q does not list %s", root.Versions, taxii.MediaType)
	}
	if root.MaxContentLength <= 0 {
		d.note(resultFault, "API root", "4.2.1", "max_content_length is missing")
	}
	if d.root, err = d.client.APIRootURL(d.ctx); err != nil {
		d.note(resultFault, "API root", "4.2", "%v", err)
		return false
	}
	d.note(resultOK, "API root", "4.2", "%q at %s, bodies up to %d bytes", root.Title, d.root, root.MaxContentLength)
	return true
}

// collections lists them and picks the one to examine.
func (d *doctor) collections() bool {
	list, err := d.client.Collections(d.ctx)
	if err != nil {
		d.note(resultFault, "collections", "5.1", "%v", err)
		return false
	}
	var chosen *taxii.CollectionResource
	readable, writable := 0, 0
	for i, c := range list {
		if c.CanRead {
			readable++
		}
		if c.CanWrite {
			writable++
		}
		named := d.collection != "" && (c.ID == d.collection || c.Alias == d.collection || c.Title == d.collection)
		if named || (d.collection == "" && chosen == nil && c.CanRead) {
			chosen = &list[i]
		}
	}
	d.collectionHabits(list)
	d.note(resultOK, "collections", "5.1", "%d, of which this account reads %d and writes %d", len(list), readable, writable)
	switch {
	case chosen == nil && d.collection != "":
		d.note(resultFault, "collection", "5.1", "there is no collection %q for this account", d.collection)
	case chosen == nil:
		d.note(resultFault, "collection", "5.1", "this account may not read any collection: ask the server's operator for a right")
	case !chosen.CanRead:
		d.note(resultFault, "collection", "5.2", "this account may not read %q", chosen.Title)
	default:
		d.content = d.root + "collections/" + chosen.ID + "/"
		d.note(resultOK, "collection", "5.2", "examining %q (%s)", chosen.Title, chosen.ID)
		d.writable = chosen.CanWrite
		d.collectionResource(*chosen)
		return true
	}
	return false
}
