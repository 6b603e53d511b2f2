package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/store/archive"
)

// restoreJSON is what restore tells of a backup, and of what became of it.
type restoreJSON struct {
	File     string `json:"file"`
	Node     string `json:"node"` // the entity and the thumbprint of its key
	Created  string `json:"created"`
	Program  string `json:"program"`
	Schema   int    `json:"schema"`
	Objects  int64  `json:"objects"`
	Rows     int64  `json:"rows"`
	WithKeys bool   `json:"with_keys"`
	// Data is the data directory that was restored, "" with --check.
	Data string `json:"data,omitempty"`
	// Replaced is the file that the database from before is in now.
	Replaced string `json:"replaced,omitempty"`
}

func (a *app) restoreCommand() *cobra.Command {
	var check, force bool
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a data directory what a backup holds",
		Long: `Check the whole backup against its checksums, and then make the data directory what it holds. The directory is empty,
or has no more than the node's skjold.yaml and keys: those of the backup are used if it was made with --with-keys and they
are missing. Where skjold.yaml names a PostgreSQL database, that is what is restored.

What is stored is read back and compared before it takes its place. An interrupted restore leaves the directory as it was;
run it again. A database that is there already is replaced only with --force; an SQLite one is kept beside the new one.

Page tokens from before the restore are refused, since what they counted may be gone: clients begin again where their own
record says (added_after), or at the beginning.`,
		Args: cobra.ExactArgs(1),
		Example: `  skjold restore monday.tar.gz --check
  skjold restore monday.tar.gz --data /var/lib/skjold
  skjold restore monday.tar.gz --data /var/lib/skjold --force`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.restore(cmd.Context(), args[0], check, force)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "only check that the backup is whole; nothing is written")
	cmd.Flags().BoolVar(&force, "force", false, "replace the database that is there; stop the node first")
	return cmd
}

func (a *app) restore(ctx context.Context, file string, checkOnly, force bool) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	files := make(map[string][]byte)
	backup, err := a.checkBackup(ctx, f, func(name string, content []byte) error { files[name] = content; return nil })
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	told := restoreJSON{File: file, Node: backup.Head.Node, Created: backup.Head.Created, Program: backup.Head.Program, Schema: backup.Head.Schema,
		Objects: backup.Manifest.Tables["entry"].Rows, Rows: allRows(backup.Manifest), WithKeys: files["skjold.yaml"] != nil}
	if checkOnly {
		return a.showRestore(told)
	}
	r := restoration{dir: dataDir(a.data), files: files, owner: backup.Head.Node, force: force, unlock: func() {}}
	defer func() { r.unlock() }()
	if err := r.prepare(); err != nil {
		return errors.Join(err, r.clean())
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return errors.Join(err, r.clean())
	}
	bar := newProgress(a.err, 2*told.Rows, false, "Restoring")
	_, err = store.Restore(ctx, readerOf(ctx, f), store.RestoreOptions{Dir: r.databaseDir(), URL: string(r.cfg.Database.URL), Replace: force, Progress: bar.add})
	bar.done()
	if errors.Is(err, store.ErrNotEmpty) {
		err = errors.New("the PostgreSQL database that skjold.yaml names holds a node already; say --force to replace its content")
	}
	if err != nil {
		return errors.Join(fmt.Errorf("nothing was restored: %w", err), r.clean())
	}
	if told.Replaced, err = r.install(time.Now()); err != nil {
		return err
	}
	told.Data = string(r.dir)
	return a.showRestore(told)
}

// checkBackup reads all of a backup.
func (a *app) checkBackup(ctx context.Context, f *os.File, file func(string, []byte) error) (archive.Backup, error) {
	info, err := f.Stat()
	if err != nil {
		return archive.Backup{}, err
	}
	if info.IsDir() {
		return archive.Backup{}, errors.New("is a directory; name one of the backups in it")
	}
	bar := newProgress(a.err, info.Size(), true, "Checking")
	defer bar.done()
	return store.CheckBackup(io.TeeReader(readerOf(ctx, f), progressWriter{bar}), file)
}

// progressWriter tells a bar of the bytes that pass.
type progressWriter struct{ bar progress }

// Write implements io.Writer.
func (w progressWriter) Write(b []byte) (int, error) {
	w.bar.add(len(b))
	return len(b), nil
}

// readerOf reads until a context ends.
func readerOf(ctx context.Context, r io.Reader) io.Reader {
	return readFunc(func(b []byte) (int, error) {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		return r.Read(b)
	})
}

type readFunc func([]byte) (int, error)

// Read implements io.Reader.
func (f readFunc) Read(b []byte) (int, error) { return f(b) }

func (a *app) showRestore(told restoreJSON) error {
	if a.json {
		return printJSON(a.out, told)
	}
	keys := "not in it; the node needs its keys directory and skjold.yaml as well"
	if told.WithKeys {
		keys = "in it, with skjold.yaml"
	}
	if told.Data == "" {
		fmt.Fprintf(a.out, "%s is whole.\n", told.File)
	} else {
		fmt.Fprintf(a.out, "Restored %s from %s.\n", told.Data, told.File)
	}
	for _, line := range [][2]string{
		{"node", told.Node}, {"as of", told.Created}, {"objects", fmt.Sprint(told.Objects)}, {"rows", fmt.Sprint(told.Rows)},
		{"schema", fmt.Sprintf("version %d, of %s", told.Schema, told.Program)}, {"keys", keys}, {"before", told.Replaced},
	} {
		if line[1] != "" && (line[0] != "keys" || told.Data == "") {
			fmt.Fprintf(a.out, "  %-12s %s\n", line[0], printable(line[1]))
		}
	}
	if told.Data != "" {
		fmt.Fprintf(a.out, "Page tokens from before are refused from now on. Next: skjold verify --data %s\n", told.Data)
	}
	return nil
}
