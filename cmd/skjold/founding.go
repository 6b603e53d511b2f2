package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	stdsync "sync"

	"golang.org/x/sync/errgroup"

	"github.com/skjold-exchange/skjold/federation"
)

// founding founds a federation with the commands that people use. Each party has a directory of its own below dir: a node's
// data directory, or that of a founder who has none. In papers lie the files that the parties send each other. It runs in
// this process, and what the environment sets does not count.
type founding struct {
	dir         string
	founders    []founder
	secretariat party
	charter     string // hash of the founding charter, once there is one

	mu    stdsync.Mutex
	typed io.Writer // gets the command lines, as they would be typed in dir; nil for nowhere
}

// founder is a founding party. Its vote key is in the keys directory of its folder.
type founder struct{ folder, entity, name string }

// party is an organisation with a node.
type party struct {
	folder, entity     string
	name, orgID, class string
	hub                string // entity of who issues the statements about it; "" for the secretariat and for founders' nodes
	listen             string // address of the node; "" for the default
}

// papers is the directory of what the parties send each other.
const papers = "papers"

// declarationFile is what every party declares, in papers.
const declarationFile = "declaration.txt"

func (f *founding) path(parts ...string) string {
	return filepath.Join(append([]string{f.dir}, parts...)...)
}

func (f *founding) paper(name string) string { return f.path(papers, name) }

// skjold runs a command and returns what it prints.
func (f *founding) skjold(ctx context.Context, args ...string) (string, error) {
	return f.command(ctx, args, "")
}

// save runs a command and keeps what it prints as a paper.
func (f *founding) save(ctx context.Context, name string, args ...string) error {
	out, err := f.command(ctx, args, " >"+papers+"/"+name)
	if err != nil {
		return err
	}
	return os.WriteFile(f.paper(name), []byte(out), 0o644)
}

func (f *founding) command(ctx context.Context, args []string, redirection string) (string, error) {
	f.note(args, redirection)
	var out, errOut bytes.Buffer
	if code := runIn(ctx, []string{}, args, stdio{in: strings.NewReader(""), out: &out, err: &errOut}); code != exitDone {
		return "", fmt.Errorf("skjold %s: %s%s", strings.Join(args, " "), out.String(), strings.TrimSpace(errOut.String()))
	}
	return out.String(), nil
}

// fields runs a command with --json and reads the object that it prints.
func (f *founding) fields(ctx context.Context, into any, args ...string) error {
	out, err := f.skjold(ctx, append(args, "--json")...)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(out), into)
}

// note writes a command line down.
func (f *founding) note(args []string, redirection string) {
	if f.typed == nil {
		return
	}
	line := "skjold"
	for _, arg := range args {
		line += " " + shellWord(strings.ReplaceAll(arg, f.dir+string(filepath.Separator), ""))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_, _ = io.WriteString(f.typed, line+redirection+"\n") // for readers; the founding does not depend on it
}

// shellWord is a word as it is typed in a POSIX shell.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,@+", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// each does something for every party, as many at once as there are processors.
func (f *founding) each(ctx context.Context, parties []party, do func(context.Context, party) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, p := range parties {
		group.Go(func() error { return do(ctx, p) })
	}
	return group.Wait()
}

// nodes makes a data directory for each party, and a paper with the public half of its federation key.
func (f *founding) nodes(ctx context.Context, parties []party) error {
	if err := os.MkdirAll(f.path(papers), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(f.paper(declarationFile), []byte("We take part, and share what we see.\n"), 0o644); err != nil {
		return err
	}
	return f.each(ctx, parties, func(ctx context.Context, p party) error {
		args := []string{"init", "--data", f.path(p.folder), "--entity", p.entity, "--default-tlp", "green"}
		if p.listen != "" {
			args = append(args, "--listen", p.listen)
		}
		if _, err := f.skjold(ctx, args...); err != nil {
			return err
		}
		return f.save(ctx, p.folder+".jwks", "federation", "keys", "public", f.path(p.folder, "keys", federation.FederationKeyFile))
	})
}

// found makes the vote keys, and the charter that all founders sign. The secretariat's node is there already.
func (f *founding) found(ctx context.Context, name string) error {
	draft := []string{"federation", "found", "--name", name, "--add-anchor", f.secretariat.entity + "," + f.paper(f.secretariat.folder+".jwks"), "--out", f.paper("draft.json")}
	for _, founder := range f.founders {
		key, public := f.voteKey(founder), founder.folder+".vote.jwks"
		if err := os.MkdirAll(filepath.Dir(key), 0o700); err != nil {
			return err
		}
		if _, err := f.skjold(ctx, "federation", "keys", "new", key); err != nil {
			return err
		}
		if err := f.save(ctx, public, "federation", "keys", "public", key); err != nil {
			return err
		}
		draft = append(draft, "--add-founder", founder.entity+","+f.paper(public)+","+founder.name)
	}
	var made struct{ Charter string }
	if err := f.fields(ctx, &made, draft...); err != nil {
		return err
	}
	f.charter = made.Charter
	combine := []string{"federation", "charter", "combine", "--out", f.paper("charter.json")}
	for _, founder := range f.founders {
		signature := f.paper(founder.folder + ".sig")
		if _, err := f.skjold(ctx, "federation", "charter", "sign", f.paper("draft.json"), "--key", f.voteKey(founder), "--out", signature); err != nil {
			return err
		}
		combine = append(combine, signature)
	}
	if _, err := f.skjold(ctx, combine...); err != nil {
		return err
	}
	for _, folder := range []string{f.secretariat.folder, f.founders[0].folder} {
		if _, err := f.skjold(ctx, f.at(folder, "federation", "charter", "import", f.paper("charter.json"))...); err != nil {
			return err
		}
	}
	return nil
}

func (f *founding) voteKey(who founder) string { return f.path(who.folder, "keys", voteKeyFile) }

// at makes the command one of a party, which has pinned the charter.
func (f *founding) at(folder string, args ...string) []string {
	return append(args, "--data", f.path(folder), "--charter", f.charter)
}
