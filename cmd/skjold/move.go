package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/store"
)

// moveJSON is what move tells.
type moveJSON struct {
	Database string `json:"database"` // without the password
	Objects  int64  `json:"objects"`
	Rows     int64  `json:"rows"`
	// Already: an earlier move had copied all of it, and was interrupted before it could say so in skjold.yaml.
	Already       bool `json:"already"`
	ConfigWritten bool `json:"config_written"`
}

func (a *app) moveCommand() *cobra.Command {
	var to, toFile string
	var keepConfig bool
	cmd := &cobra.Command{
		Use:   "move --to postgres://…",
		Short: "Move the node from SQLite to PostgreSQL",
		Long: `Copy everything that the node's SQLite database holds into an empty PostgreSQL database, read it back and compare, and
then name that database in skjold.yaml. The node must be stopped. Dates, positions and page tokens stay valid: clients and
peers go on where they are.

The copy is one transaction. After an interruption the node is on SQLite as before; run it again. The SQLite database is
left as it was: remove skjold.db when you trust the new one.`,
		Args: cobra.NoArgs,
		Example: `  skjold move --to postgres://skjold:secret@db.example/skjold
  skjold move --to-file url.txt --keep-config      the address, with its password, from a file`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			address, err := moveTarget(to, toFile)
			if err != nil {
				return err
			}
			return a.move(cmd.Context(), address, keepConfig)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the PostgreSQL database, postgres://USER:PASSWORD@HOST/NAME; other users of this machine see it while the command runs")
	cmd.Flags().StringVar(&toFile, "to-file", "", "a file that holds the address")
	cmd.Flags().BoolVar(&keepConfig, "keep-config", false, "do not write the address into skjold.yaml: you set SKJOLD_DATABASE_URL instead")
	return cmd
}

func moveTarget(to, toFile string) (string, error) {
	if (to == "") == (toFile == "") {
		return "", usagef("say where to with --to or with --to-file")
	}
	if toFile != "" {
		text, err := os.ReadFile(toFile)
		if err != nil {
			return "", err
		}
		to = strings.TrimSpace(string(text))
	}
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Host == "" {
		return "", usagef("the address of a PostgreSQL database begins with postgres://HOST")
	}
	return to, nil
}

func (a *app) move(ctx context.Context, address string, keepConfig bool) error {
	dir := dataDir(a.data)
	cfg, err := a.loadConfig(dir, nil)
	if err != nil {
		return err
	}
	if cfg.Database.URL != "" {
		return errors.New("the node is on PostgreSQL already: database.url is set, in skjold.yaml or in SKJOLD_DATABASE_URL")
	}
	unlock, err := dir.takeLock(cfg)
	if err != nil {
		return err
	}
	defer unlock()
	changed, err := withDatabaseURL(dir, address)
	if err != nil && !keepConfig {
		return err // before the long part
	}
	st, err := openNodeStore(ctx, dir, cfg)
	if err != nil {
		return err
	}
	defer st.Close()
	rows, err := st.Rows(ctx)
	if err != nil {
		return err
	}
	bar := newProgress(a.err, 2*rows, false, "Moving")
	copied, err := st.CopyTo(ctx, address, store.CopyOptions{Progress: bar.add})
	bar.done()
	if errors.Is(err, store.ErrNotEmpty) {
		return fmt.Errorf("that database holds something already; name an empty one, or a schema of its own with ?search_path=NAME: %w", err)
	}
	if err != nil {
		return fmt.Errorf("the node is on SQLite as before: %w", err)
	}
	told := moveJSON{Database: redacted(address), Already: copied.Already, ConfigWritten: !keepConfig, Objects: copied.Tables["entry"].Rows}
	for _, t := range copied.Tables {
		told.Rows += t.Rows
	}
	if !keepConfig {
		if err := writeFileDurably(dir.config(), changed, 0o600); err != nil {
			return fmt.Errorf("everything was copied, but skjold.yaml could not be written; set database.url in it, or run this again: %w", err)
		}
	}
	if a.json {
		return printJSON(a.out, told)
	}
	fmt.Fprintf(a.out, "Moved %s (%s in all) to %s, and compared them.\n", counted(told.Objects, "object"), counted(told.Rows, "row"), told.Database)
	if keepConfig {
		fmt.Fprintln(a.out, "Now set database.url in skjold.yaml, or SKJOLD_DATABASE_URL, and start the node.")
	} else {
		fmt.Fprintln(a.out, "skjold.yaml names it now. skjold.db is as it was; remove it when you trust the new database.")
	}
	return nil
}

func redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "PostgreSQL"
	}
	u.RawQuery = "" // may hold a password too
	return u.Redacted()
}

var databaseURLLine = regexp.MustCompile(`(?m)^(database:[^\n]*\n(?:[ \t#][^\n]*\n|\n)*?[ \t]+)#?[ \t]*url:[^\n]*$`)

// withDatabaseURL is the node's skjold.yaml with another database.url and everything else as it is.
func withDatabaseURL(dir dataDir, address string) ([]byte, error) {
	text, err := os.ReadFile(dir.config())
	if err != nil {
		return nil, err
	}
	at := databaseURLLine.FindSubmatchIndex(text)
	if at == nil {
		return nil, errors.New("skjold.yaml has no line for database.url; say --keep-config, and set it yourself afterwards")
	}
	changed := append([]byte{}, text[:at[3]]...)
	changed = append(changed, "url: "+strconv.Quote(address)...)
	changed = append(changed, text[at[1]:]...)
	// It must be read as it is meant, and nothing else may have changed.
	tmp, err := os.CreateTemp(string(dir), unfinished+"*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(changed)
	if err := errors.Join(err, tmp.Close()); err != nil {
		return nil, err
	}
	cfg, err := config.Load(config.LoadOptions{File: tmp.Name(), Env: []string{}})
	if err != nil {
		return nil, fmt.Errorf("skjold.yaml can't be changed; say --keep-config, and set database.url yourself afterwards: %w", err)
	}
	if string(cfg.Database.URL) != address {
		return nil, errors.New("skjold.yaml can't be changed; say --keep-config, and set database.url yourself afterwards")
	}
	return changed, nil
}
