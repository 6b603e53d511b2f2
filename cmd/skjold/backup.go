package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/store"
	"github.com/skjold-exchange/skjold/store/archive"
)

// backupJSON is what backup tells of what it has written.
type backupJSON struct {
	File     string `json:"file"`
	Bytes    int64  `json:"bytes"`
	SHA256   string `json:"sha256"` // of the file
	Node     string `json:"node"`   // the entity
	Objects  int64  `json:"objects"`
	Rows     int64  `json:"rows"`
	WithKeys bool   `json:"with_keys"`
}

func (a *app) backupCommand() *cobra.Command {
	var withKeys, force bool
	cmd := &cobra.Command{
		Use:   "backup FILE|DIRECTORY",
		Short: "Write everything the node's database holds to a file, while the node runs",
		Long: `Write everything that the node's database holds, as of one moment, to a file, while the node runs. In a directory
the file is called skjold-HOST-TIME.tar.gz. It has checksums of all of its parts, and restores into SQLite as into
PostgreSQL, whichever it came from. The file gets its name when it is whole: an interrupted backup leaves none.

The signed records of the federation, which are files in the data directory, are in it too.

Only you can read the file. It has every object, also those that leave the node for nobody. The node's private keys and
skjold.yaml are in it only with --with-keys: whoever has such a file can pose as the node. Without them keep the two apart,
since the database is of no use without the keys. The certificate that tls names is never in it.`,
		Args: cobra.ExactArgs(1),
		Example: `  skjold backup /var/backups/skjold/
  skjold backup monday.tar.gz --with-keys
  skjold restore monday.tar.gz --check       is it whole?`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.backup(cmd.Context(), args[0], withKeys, force)
		},
	}
	cmd.Flags().BoolVar(&withKeys, "with-keys", false, "put the node's private keys and skjold.yaml into the backup too")
	cmd.Flags().BoolVar(&force, "force", false, "replace FILE if there is one")
	return cmd
}

func (a *app) backup(ctx context.Context, target string, withKeys, force bool) error {
	dir := dataDir(a.data)
	cfg, err := a.loadConfig(dir, nil)
	if err != nil {
		return err
	}
	if target, err = backupPath(target, cfg.Entity, time.Now(), force); err != nil {
		return err
	}
	st, err := openNodeStore(ctx, dir, cfg)
	if err != nil {
		return err
	}
	defer st.Close()
	o := store.BackupOptions{Program: versionText()}
	if o.Node, err = st.Meta(ctx, nodeFact); err != nil && !isNotFound(err) {
		return err
	}
	if o.Files, err = dir.recordFiles(); err != nil {
		return err
	}
	if withKeys {
		secrets, err := dir.secrets()
		if err != nil {
			return err
		}
		maps.Copy(o.Files, secrets)
	}
	rows, err := st.Rows(ctx)
	if err != nil {
		return err
	}
	bar := newProgress(a.err, rows, false, "Backing up")
	o.Progress = bar.add
	made := backupJSON{File: target, Node: cfg.Entity, WithKeys: withKeys}
	sum := sha256.New()
	err = replaceFile(target, func(w io.Writer) error {
		manifest, err := st.Backup(ctx, io.MultiWriter(w, sum, (*counter)(&made.Bytes)), o)
		made.Objects, made.Rows = manifest.Tables["entry"].Rows, allRows(manifest)
		return err
	})
	bar.done()
	if err != nil {
		return fmt.Errorf("no backup was made: %w", err)
	}
	made.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if a.json {
		return printJSON(a.out, made)
	}
	fmt.Fprintf(a.out, "Backed up %s (%s in all) to %s\n  size         %d bytes\n  SHA-256      %s\n", counted(made.Objects, "object"), counted(made.Rows, "row"), target, made.Bytes, made.SHA256)
	if withKeys {
		fmt.Fprintln(a.out, "  private keys are in it: keep it as safe as the node itself")
	} else {
		fmt.Fprintf(a.out, "  without keys: keep %s and %s as well, apart from it, or say --with-keys\n", dir.keys(), dir.config())
	}
	return nil
}

// counter counts the bytes that pass.
type counter int64

// Write implements io.Writer.
func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

func allRows(m archive.Manifest) int64 {
	var sum int64
	for _, t := range m.Tables {
		sum += t.Rows
	}
	return sum
}

// backupPath is the file that a backup goes to: target itself, or one in the directory target that names the node and the
// time.
func backupPath(target, entity string, now time.Time, force bool) (string, error) {
	info, err := os.Stat(target)
	switch {
	case err == nil && info.IsDir():
		return filepath.Join(target, fmt.Sprintf("skjold-%s-%s.tar.gz", fileName(entity), now.UTC().Format("20060102T150405Z"))), nil
	case errors.Is(err, fs.ErrNotExist) && strings.HasSuffix(target, string(filepath.Separator)):
		return "", fmt.Errorf("the directory %s does not exist", target)
	case err == nil && !force:
		return "", fmt.Errorf("%s is there already; name another file or a directory, or say --force to replace it", target)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	return target, nil
}

// fileName is the host of an entity, without what does not belong into the name of a file.
func fileName(entity string) string {
	u, err := url.Parse(entity)
	if err != nil || u.Host == "" {
		return "node"
	}
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(u.Host))
}

// secrets are the files of a node that are not in its database, by their path in the data directory.
func (d dataDir) secrets() (map[string][]byte, error) {
	files := make(map[string][]byte)
	ring, err := federation.OpenKeyRing(d.keys())
	if err != nil {
		return nil, err
	}
	names := []string{"skjold.yaml"}
	for _, use := range []federation.KeyUse{federation.FederationKey, federation.RequestKey} {
		for _, k := range ring.All(use) {
			names = append(names, "keys/"+k.File)
		}
	}
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(string(d), filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		files[name] = content
	}
	return files, nil
}
