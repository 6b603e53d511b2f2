package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/federation/jose"
)

// voteKeyFile is where a founder's vote key is looked for when it stays with the node.
const voteKeyFile = "vote.jwk"

// maxRecordFile bounds the files of records and proposals that commands read, in bytes.
const maxRecordFile = 1 << 20

// charterFlag lets a command work beside a node: in a directory that has records and no configuration.
func (a *app) charterFlag(cmd *cobra.Command, pin *string) {
	cmd.Flags().StringVar(pin, "charter", "", "hash of the founding charter (federation.charter of the node in --data unless given)")
}

// openLedger opens the records of the data directory under the founding charter that is pinned.
func (a *app) openLedger(pin string) (*federation.Ledger, error) {
	pin, err := a.pinnedCharter(pin)
	if err != nil {
		return nil, err
	}
	if _, err := federation.ParseHash(pin); err != nil {
		return nil, usagef("--charter: %w", err)
	}
	dir := dataDir(a.data).records()
	ledger, err := federation.OpenLedger(federation.Hash(pin), federation.RecordDir(dir))
	if err != nil {
		return nil, fmt.Errorf("%w\nRecords are files in %s, named by their hashes. Remove those that are named here, and import them again from another node: skjold federation records import", err, dir)
	}
	return ledger, nil
}

var errNotPinned = errors.New("no founding charter is pinned here: compare its hash with a founder, and keep it with 'skjold config set federation.charter=HASH', or name it with --charter HASH")

// pinnedCharter is the founding charter that the flag, the environment or the node's configuration names.
func (a *app) pinnedCharter(pin string) (string, error) {
	if pin == "" {
		pin = valueOf(a.environ(), "SKJOLD_FEDERATION_CHARTER")
	}
	if pin == "" {
		dir := dataDir(a.data)
		if node, err := dir.initialised(); err != nil {
			return "", err
		} else if node {
			cfg, err := a.loadConfig(dir, nil)
			if err != nil {
				return "", err
			}
			pin = cfg.Federation.Charter
		}
	}
	if pin == "" {
		return "", errNotPinned
	}
	return pin, nil
}

// valueOf is the value of a variable in an environment, "" for none.
func valueOf(env []string, name string) string {
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// charterOf opens the records and returns the charter in force.
func (a *app) charterOf(pin string) (*federation.Ledger, *federation.Charter, error) {
	ledger, err := a.openLedger(pin)
	if err != nil {
		return nil, nil, err
	}
	charter, err := ledger.Charter()
	if errors.Is(err, federation.ErrUnknownRecord) {
		return nil, nil, fmt.Errorf("%s holds no charter yet; get the founding one from a founder and run 'skjold federation charter import FILE'", a.data)
	}
	return ledger, charter, err
}

// loadVoteKey reads a founder's vote key: the file that is named, or the one beside the node's keys.
func (a *app) loadVoteKey(path string) (*jose.Key, error) {
	if path == "" {
		path = filepath.Join(dataDir(a.data).keys(), voteKeyFile)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, usagef("name the vote key with --key FILE (there is none in %s)", path)
		}
	}
	return federation.LoadKey(path)
}

// readRecordFile reads a bounded file, "-" for standard input, without line feeds at its end.
func (a *app) readRecordFile(path string) ([]byte, error) {
	in := a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	text, err := readLimited(in, maxRecordFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return []byte(strings.TrimRight(string(text), "\r\n")), nil
}

// delivery is what a command that signs or makes a record hands over.
type delivery struct {
	out    string // a file, "" for standard output
	record []byte
	facts  map[string]any // for --json
	text   string         // for people
}

// deliver writes the record to its file, or to standard output with the words for people beside it.
func (a *app) deliver(d delivery) error {
	words := a.out
	if d.out != "" {
		if err := writeFileDurably(d.out, append(d.record, '\n'), 0o644); err != nil {
			return err
		}
		d.facts["file"] = d.out
		d.text += "\nWritten to " + d.out
	} else {
		d.facts["record"] = string(d.record)
		words = a.err
	}
	if a.json {
		return printJSON(a.out, d.facts)
	}
	if d.out == "" {
		if _, err := fmt.Fprintf(a.out, "%s\n", d.record); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(words, printableWords(d.text))
	return err
}

// printableWords is printable line by line.
func printableWords(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n")
}

// stamp is a time for people.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// readToken reads a file that holds one compact token.
func (a *app) readToken(path, what string) (string, error) {
	text, err := a.readRecordFile(path)
	if err != nil {
		return "", err
	}
	if strings.Count(string(text), ".") != 2 || strings.ContainsAny(string(text), " \n{") {
		return "", fmt.Errorf("%s is no %s: a file with one signed text is wanted", path, what)
	}
	return string(text), nil
}
