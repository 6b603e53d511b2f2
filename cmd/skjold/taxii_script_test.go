package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/stix"
)

// TestTAXIIScripts holds real nodes, store included, against TAXII 2.1: each file of testdata/taxii is one section of the
// standard, or one client with the requests that it sends. The words that they are written in, beside testscript's own:
//
//	node [SETTING=VALUE]...        start a node; sets HOST, ROOT, ID and C (its first collection)
//	impatient VAR TIMEOUT          serve the node at another address too, with a shorter time-out for requests
//	collection NAME [FLAG]...      add a collection; sets NAME to its id
//	account NAME [FLAG]...         add an account; sets NAME_KEY and NAME_BASIC
//	secret NAME SECRET             what an account logs in with that was made otherwise; sets NAME_KEY and NAME_BASIC
//	manage ARG...                  run skjold with these arguments on the node's data directory
//	as NAME                        who sends the following requests; "as nobody" sends no credentials
//	have [--in COLLECTION] OBJECT...            add sample objects as the administrator
//	envelope FILE OBJECT...                     write sample objects as an envelope
//	bundle FILE OBJECT...                       write sample objects as a STIX bundle
//	http METHOD PATH [NAME:VALUE]... [@FILE] [-> STATUS]    send a request, with "NAME:" without that header
//	soon METHOD PATH ... -> STATUS      repeat a request until it has the status
//	raw [--as-is] FILE [-> STATUS...]    send the file over TCP, lines ending in CRLF; read answers until the server closes
//	settled ID                     ask for a status until it is complete; what it tells on the way is consistent
//	header NAME [VALUE|~REGEXP]    the answer has the header
//	body REGEXP                    the body matches
//	json PATH [VALUE|~REGEXP]      the body has the value at the path (objects.0.id; objects.len)
//	objects [OBJECT...]            the answer has these objects, in this order; none: the list is left out
//	set VAR header NAME|json PATH|body          keep something of the answer
//	same VAR                       the body equals what was kept
//	text VAR N TEXT                a text N times over
//	fill FILE N TEXT               write a text with spaces in front, N octets in all
//	gzip FROM TO [N]               compress a file; its first N octets only
//	milliseconds VAR TIME          a TAXII timestamp as JavaScript's toISOString() cuts it
//
// A sample OBJECT is TYPE.NUMBER, or TYPE.NUMBER.VERSION. Its id is in $TYPE1 to $TYPE9 (without hyphens), its versions are
// $v1 to $v9. What holds for every answer of the standard is checked of every answer: see wellFormed.
func TestTAXIIScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/taxii",
		RequireUniqueNames: true,
		ContinueOnError:    true, // so that one run tells all that does not hold
		Setup: func(env *testscript.Env) error {
			env.Values[conversationKey{}] = &conversation{t: t, accounts: map[string]account{}}
			for name, value := range sampleVariables() {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"node": cmdNode, "impatient": cmdImpatient, "collection": cmdCollection, "account": cmdAccount, "secret": cmdSecret,
			"manage": cmdManage, "as": cmdAs, "have": cmdHave, "envelope": cmdEnvelope, "bundle": cmdBundle,
			"http": cmdHTTP, "soon": cmdSoon, "settled": cmdSettled, "raw": cmdRaw, "header": cmdHeader, "body": cmdBody, "json": cmdJSON, "objects": cmdObjects,
			"set": cmdSet, "same": cmdSame, "text": cmdText, "fill": cmdFill, "gzip": cmdGzip, "milliseconds": cmdMilliseconds,
		},
	})
}

// account is what a client of the node knows to log in.
type account struct {
	name, key string
	emptyList bool
}

// conversation is the state of one script.
type conversation struct {
	t        *testing.T
	node     *node
	address  string
	accounts map[string]account
	caller   account // the zero account sends no credentials
	answer   answer  // the last one
}

type conversationKey struct{}

func conversationOf(ts *testscript.TestScript) *conversation {
	return ts.Value(conversationKey{}).(*conversation)
}

// must ends the script if a command was written wrongly.
func must(ts *testscript.TestScript, ok bool, usage string) {
	if !ok {
		ts.Fatalf("usage: %s", usage)
	}
}

// cmdNode starts a node with settings such as limits.page_default=3.
func cmdNode(ts *testscript.TestScript, _ bool, args []string) {
	var environ []string
	for _, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		must(ts, ok, "node [SETTING=VALUE]...")
		environ = append(environ, "SKJOLD_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))+"="+value)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	c := conversationOf(ts)
	c.address = ln.Addr().String()
	dir := dataDir(filepath.Join(ts.MkAbs("."), "node"))
	made, err := initialise(context.Background(), dir, initOptions{entity: "http://" + c.address, listen: c.address, defaultTLP: stix.TLPGreen})
	ts.Check(err)
	if environ == nil {
		environ = []string{} // nil would be that of this process
	}
	cfg, err := config.Load(config.LoadOptions{File: dir.config(), Env: environ})
	ts.Check(err)
	c.node, err = openNode(context.Background(), dir, cfg, slog.New(slog.NewTextHandler(io.Discard, nil)), nil)
	ts.Check(err)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- c.node.serve(ctx, ln) }()
	ts.Defer(func() {
		stop()
		if err := <-served; err != nil {
			c.t.Errorf("%s: serve: %v", ts.Name(), err)
		}
		if err := c.node.close(); err != nil {
			c.t.Errorf("%s: close: %v", ts.Name(), err)
		}
	})
	ts.Setenv("HOST", c.address)
	ts.Setenv("ROOT", "/taxii2/main")
	ts.Setenv("ID", made.Collection)
	ts.Setenv("C", "/taxii2/main/collections/"+made.Collection)
	c.know(ts, account{name: made.User, key: made.Password})
	c.caller = c.accounts[made.User]
}

// cmdImpatient is how slow requests are tested without waiting as long as a server on the internet does.
func cmdImpatient(ts *testscript.TestScript, _ bool, args []string) {
	must(ts, len(args) == 2, "impatient VAR TIMEOUT")
	timeout, err := time.ParseDuration(args[1])
	ts.Check(err)
	n := conversationOf(ts).node
	server := n.server(n.handler())
	for _, t := range []*time.Duration{&server.ReadHeaderTimeout, &server.ReadTimeout} {
		if *t <= 0 || *t > time.Minute {
			ts.Fatalf("a time-out of the server is %s", *t)
		}
		*t = timeout
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	done := make(chan error, 1)
	go func() { done <- server.Serve(ln) }()
	ts.Defer(func() { server.Close(); <-done })
	ts.Setenv(args[0], ln.Addr().String())
}

func (c *conversation) know(ts *testscript.TestScript, a account) {
	c.accounts[a.name] = a
	ts.Setenv(a.name+"_KEY", a.key)
	ts.Setenv(a.name+"_BASIC", base64.StdEncoding.EncodeToString([]byte(a.name+":"+a.key)))
}

// command runs the program on the node's data directory.
func (c *conversation) command(args ...string) (code int, out, errOut string) {
	return runCLI(context.Background(), append(args, "--data", string(c.node.dir))...)
}

// create runs a command that makes something and reads what it tells in JSON.
func (c *conversation) create(ts *testscript.TestScript, made any, args ...string) {
	code, out, errOut := c.command(append(args, "--json")...)
	if code != exitDone {
		ts.Fatalf("skjold %s: exit code %d: %s", strings.Join(args, " "), code, errOut)
	}
	ts.Check(json.Unmarshal([]byte(out), made))
}

func cmdCollection(ts *testscript.TestScript, _ bool, args []string) {
	must(ts, len(args) > 0, "collection NAME [FLAG]...")
	var made struct{ ID string }
	conversationOf(ts).create(ts, &made, append([]string{"collection", "add", "--title", args[0], "--alias", args[0]}, args[1:]...)...)
	ts.Setenv(args[0], made.ID)
}

func cmdAccount(ts *testscript.TestScript, _ bool, args []string) {
	must(ts, len(args) > 0, "account NAME [FLAG]...")
	var made struct{ User, Password string }
	c := conversationOf(ts)
	c.create(ts, &made, append([]string{"client", "add"}, args...)...)
	_, _ = io.WriteString(ts.Stdout(), `"password":"`+made.Password+`"`)
	c.know(ts, account{name: made.User, key: made.Password, emptyList: slices.Contains(args, compatEmptyList)})
}

func cmdSecret(ts *testscript.TestScript, _ bool, args []string) {
	must(ts, len(args) == 2, "secret NAME SECRET")
	conversationOf(ts).know(ts, account{name: args[0], key: args[1]})
}

func cmdManage(ts *testscript.TestScript, neg bool, args []string) {
	code, out, errOut := conversationOf(ts).command(args...)
	_, _ = io.WriteString(ts.Stdout(), out)
	_, _ = io.WriteString(ts.Stderr(), errOut)
	if (code == exitDone) == neg {
		ts.Fatalf("exit code %d", code)
	}
}

func cmdAs(ts *testscript.TestScript, _ bool, args []string) {
	must(ts, len(args) == 1, "as NAME")
	c := conversationOf(ts)
	a, ok := c.accounts[args[0]]
	if !ok && args[0] != "nobody" {
		ts.Fatalf("there is no account %q in this script", args[0])
	}
	c.caller = a
}
