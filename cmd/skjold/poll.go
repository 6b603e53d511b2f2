package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/taxii"
)

// cursorFile is what poll remembers between runs.
type cursorFile struct {
	URL      string         `json:"url"`
	Query    string         `json:"query,omitempty"` // what is asked for; a position counts for one query only
	Position taxii.Position `json:"position"`
}

func (a *app) pollCommand() *cobra.Command {
	var remote remoteFlags
	var addedAfter, cursor string
	var q taxii.PageRequest
	var matches []string
	cmd := &cobra.Command{
		Use:   "poll COLLECTION-URL",
		Short: "Read a collection of any TAXII 2.1 server as JSON lines",
		Long: `Read a collection of any TAXII 2.1 server and print its objects, one a line, as they were received. With --cursor the
position is kept in a file, and the next run goes on from there: every object comes once. The position is written after
the objects before it were, so an interrupted run repeats at most a page and misses nothing.`,
		Example: `  skjold poll https://node.example.org/taxii2/main/collections/indicators/ --user soc --password-file key.txt
  skjold poll https://node.example.org/taxii2/main/collections/indicators/ --user soc --cursor soc.cursor >>feed.jsonl
  skjold poll https://node.example.org/taxii2/main/collections/indicators/ --user soc --match-type indicator,malware --added-after 2026-01-01T00:00:00Z
  skjold poll https://node.example.org/taxii2/main/collections/indicators/ --user soc --match value=203.0.113.7,evil.example
  skjold poll https://node.example.org/taxii2/main/collections/indicators/ --user soc --match confidence-gte=70 --match labels=phishing`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if addedAfter != "" && cursor != "" {
				return usagef("--added-after and --cursor both say where to begin; give one of them")
			}
			if addedAfter != "" {
				if _, err := taxii.ParseDateAdded(addedAfter); err != nil {
					return usagef("--added-after: %w", err)
				}
			}
			if q.Limit < 0 {
				return usagef("--limit %d is negative", q.Limit)
			}
			if err := addMatches(&q, matches); err != nil {
				return err
			}
			client, err := remote.client(args[0])
			if err != nil {
				return usageError{err}
			}
			if client.CollectionInURL() == "" {
				return usagef("the URL names no collection; it must be of the form https://HOST/taxii2/ROOT/collections/ID/")
			}
			return a.poll(cmd.Context(), client, args[0], taxii.Position{AddedAfter: addedAfter}, cursor, q)
		},
	}
	remote.registerAccount(cmd)
	cmd.Flags().StringVar(&addedAfter, "added-after", "", "begin after this time (RFC 3339) of addition to the collection")
	cmd.Flags().StringVar(&cursor, "cursor", "", "file that keeps the position between runs; made if it is missing")
	cmd.Flags().IntVar(&q.Limit, "limit", 0, "objects to ask for at a time (the server's default unless given)")
	cmd.Flags().StringSliceVar(&q.Types, "match-type", nil, "only objects of these types")
	cmd.Flags().StringSliceVar(&q.IDs, "match-id", nil, "only objects with these ids")
	cmd.Flags().StringSliceVar(&q.Versions, "match-version", nil, "which versions: last (the default), first, all, or timestamps")
	cmd.Flags().StringArrayVar(&matches, "match", nil, "FIELD=VALUE, a match field and what it is to be, or a list with commas of which one is enough;\nmay be given for several fields, which must all match. A node of skjold takes value, confidence-gte,\nmodified-gte, labels, tlp and others; %2C is a comma inside a value")
	return cmd
}

// addMatches adds the values of --match to a query.
func addMatches(q *taxii.PageRequest, matches []string) error {
	q.Fields = make(map[string][]string)
	for _, match := range matches {
		field, value, ok := strings.Cut(match, "=")
		if !ok || field == "" || value == "" {
			return usagef("--match %s is not of the form FIELD=VALUE, such as value=203.0.113.7", printable(match))
		}
		values := strings.Split(value, ",")
		standard := map[string]*[]string{"id": &q.IDs, "type": &q.Types, "version": &q.Versions, "spec_version": &q.SpecVersions}
		list, isStandard := standard[field]
		if q.Fields[field] != nil || isStandard && len(*list) > 0 {
			return usagef("the match field %s is given twice; write its values as one list with commas", printable(field))
		}
		if isStandard {
			*list = values
		} else {
			q.Fields[field] = values
		}
	}
	return nil
}

// poll prints everything after a position. Objects that cannot be taken are told on standard error and counted.
func (a *app) poll(ctx context.Context, client *taxii.Client, url string, from taxii.Position, file string, q taxii.PageRequest) error {
	if file != "" {
		var err error
		if from, err = readCursor(file, url, queryText(q)); err != nil {
			return err
		}
		// Written at once, so that a file that can't be written is noticed before an object was printed.
		if err := writeCursor(file, cursorFile{URL: canonicalURL(url), Query: queryText(q), Position: from}); err != nil {
			return fmt.Errorf("--cursor: %w", err)
		}
	}
	p := client.Poll(client.CollectionInURL(), from, q)
	defer p.Close()
	out := bufio.NewWriterSize(a.out, 64<<10)
	saved, bad := from, 0
	// save makes what was printed durable as far as it is ours to do, then the position behind it.
	save := func() error {
		if err := out.Flush(); err != nil {
			return err
		}
		if f, ok := a.out.(*os.File); ok && file != "" {
			_ = f.Sync() // a file is on the disk before the position behind it; pipes and terminals have nothing to sync
		}
		at := p.Position()
		if at == saved {
			return nil
		}
		saved = at
		if file == "" {
			return nil
		}
		return writeCursor(file, cursorFile{URL: canonicalURL(url), Query: queryText(q), Position: at})
	}
	for {
		raw, err := p.Next(ctx)
		var element *stix.ElementError
		switch {
		case err == io.EOF:
			if err := save(); err != nil {
				return err
			}
			if bad > 0 {
				return fmt.Errorf("%s could not be taken", counted(bad, "object"))
			}
			return nil
		case errors.As(err, &element):
			bad++
			fmt.Fprintf(a.err, "skjold: an object was left out: %s\n", printable(element.Error()))
			continue
		case err != nil:
			return errors.Join(err, out.Flush())
		}
		if p.Position() != saved {
			if err := save(); err != nil {
				return err
			}
		}
		if _, err := out.Write(append(raw, '\n')); err != nil {
			return err
		}
	}
}

// queryText is what a poll asks for, beside where it begins and how much it takes at a time.
func queryText(q taxii.PageRequest) string {
	var parts []string
	type field struct {
		name   string
		values []string
	}
	fields := []field{{"id", q.IDs}, {"type", q.Types}, {"version", q.Versions}, {"spec_version", q.SpecVersions}}
	for _, name := range slices.Sorted(maps.Keys(q.Fields)) {
		fields = append(fields, field{name, q.Fields[name]})
	}
	for _, f := range fields {
		if len(f.values) > 0 {
			values := slices.Clone(f.values)
			slices.Sort(values)
			parts = append(parts, "match["+f.name+"]="+strings.Join(values, ","))
		}
	}
	return strings.Join(parts, "&")
}

// canonicalURL makes the spellings of one collection's URL equal.
func canonicalURL(url string) string {
	return strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(url, "/"), "/objects"), "/") + "/"
}

func readCursor(file, url, query string) (taxii.Position, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return taxii.Position{}, nil
	} else if err != nil {
		return taxii.Position{}, err
	}
	var c cursorFile
	if err := json.Unmarshal(text, &c); err != nil || c.URL == "" {
		return taxii.Position{}, fmt.Errorf("%s is no cursor file of skjold poll; name another, or remove it to begin from the start", file)
	}
	if c.URL != canonicalURL(url) {
		return taxii.Position{}, fmt.Errorf("%s is the cursor of %s; use a cursor file for each collection", file, printable(c.URL))
	}
	if c.Query != query {
		return taxii.Position{}, fmt.Errorf("%s is the cursor of a poll with other --match flags (%q); use a cursor file for each query, or objects would be passed over", file, printable(c.Query))
	}
	return c.Position, nil
}

func writeCursor(file string, c cursorFile) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return writeFileDurably(file, append(text, '\n'), 0o600)
}
