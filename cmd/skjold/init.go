package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/federation"
	"github.com/skjold-exchange/skjold/stix"
	"github.com/skjold-exchange/skjold/store"
)

// The names that init gives, and that the README's first steps use.
const (
	adminName  = "admin"
	firstTitle = "Indicators"
	firstAlias = "indicators"
)

// initOptions are what a new node is made from. Empty values are the configuration's defaults.
type initOptions struct {
	entity, listen string
	defaultTLP     stix.TLP
	env            []string // in place of the process's; nil for that
}

// initJSON is what init tells, once.
type initJSON struct {
	User       string `json:"user"`
	Password   string `json:"password"`
	Entity     string `json:"entity"`
	APIRoot    string `json:"api_root"`
	Collection string `json:"collection"`
	Alias      string `json:"alias"`
	Data       string `json:"data"`
	Thumbprint string `json:"thumbprint"`
}

func (a *app) initCommand() *cobra.Command {
	var o initOptions
	var defaultTLP string
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make a data directory a node",
		Long: `Make an empty or new directory a node: a documented skjold.yaml, the node's keys (readable by you alone), the
database, a first collection, and an administrator's account whose key is shown once.

--entity is the node's name in the federation, a URL that other nodes reach it at. Choose it once: peers pin it. Left out,
the node is a trial on this machine only.`,
		Example: `  skjold init
  skjold init --data /var/lib/skjold --entity https://skjold.example.dk --listen 127.0.0.1:8080
  skjold init --data node1 --entity http://127.0.0.1:9001 --listen 127.0.0.1:9001 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.defaultTLP, err = parseDefaultTLP(defaultTLP); err != nil {
				return err
			}
			dir := dataDir(a.data)
			o.env = a.environ()
			ok, err := dir.initialised()
			if err != nil {
				return err
			}
			if ok {
				return fmt.Errorf("%s is a node already; 'skjold serve --data %s' runs it, 'skjold client rotate %s' makes a new key", dir, dir, adminName)
			}
			made, err := initialise(cmd.Context(), dir, o)
			var setting *config.KeyError
			if errors.As(err, &setting) {
				return usageError{err}
			} else if err != nil {
				return err
			}
			if a.json {
				return printJSON(a.out, made)
			}
			return a.showNode(made)
		},
	}
	cmd.Flags().StringVar(&o.entity, "entity", "", "the node's entity identifier, such as https://skjold.example.dk")
	cmd.Flags().StringVar(&o.listen, "listen", "", "address to serve on, HOST:PORT (127.0.0.1:8080 unless given)")
	cmd.Flags().StringVar(&defaultTLP, "default-tlp", "amber+strict", "how the first collection handles objects without a TLP marking")
	return cmd
}

// initialise makes a node. Every step can be repeated, and the configuration file comes last: after an interruption,
// running it again finishes the work.
func initialise(ctx context.Context, dir dataDir, o initOptions) (initJSON, error) {
	values := map[string]any{}
	if o.listen != "" {
		values["listen"] = o.listen
	}
	if o.entity != "" {
		values["entity"] = o.entity
	}
	// The settings are checked before anything is written, by the same code that will read them.
	env := o.env
	if env == nil {
		env = os.Environ()
	}
	_, cfg, err := renderConfig(values, env)
	if err != nil {
		return initJSON{}, err
	}
	// What was derived is written down: the entity must not change with a later change of listen.
	values["entity"], values["listen"] = cfg.Entity, cfg.Listen
	rendered, cfg, err := renderConfig(values, env)
	if err != nil {
		return initJSON{}, err
	}
	entity, err := federation.ParseEntityID(cfg.Entity)
	if err != nil {
		return initJSON{}, usagef("--entity: %w", err)
	}
	if err := os.MkdirAll(dir.keys(), 0o700); err != nil {
		return initJSON{}, err
	}
	if err := os.Chmod(string(dir), 0o700); err != nil {
		return initJSON{}, err
	}
	unlock, err := dir.takeLock(cfg) // against a second init or serve on the same empty directory
	if err != nil {
		return initJSON{}, err
	}
	defer unlock()
	if ok, err := dir.initialised(); ok || err != nil {
		return initJSON{}, errors.Join(err, fmt.Errorf("%s has just been made a node by another process", dir))
	}
	keys, err := createKeys(dir)
	if err != nil {
		return initJSON{}, err
	}
	made := initJSON{
		User: adminName, Entity: string(entity), APIRoot: apiRootURL(cfg), Alias: firstAlias, Data: string(dir), Thumbprint: keys.Federation.ID(),
	}
	st, err := openStore(ctx, dir, cfg)
	if err != nil {
		return initJSON{}, err
	}
	made.Collection, made.Password, err = firstContents(ctx, st, entity, keys, o.defaultTLP)
	if err := errors.Join(err, st.Close()); err != nil {
		return initJSON{}, err
	}
	return made, writeFileDurably(dir.config(), rendered, 0o600)
}

// renderConfig fills the documented configuration file and reads it back.
func renderConfig(values map[string]any, env []string) ([]byte, *config.Config, error) {
	rendered, err := config.Render(values)
	if err != nil {
		return nil, nil, err
	}
	cfg, err := readConfigText(rendered, env)
	return rendered, cfg, err
}

// createKeys makes the keys that are missing; whole ones that an interrupted init left are kept.
func createKeys(dir dataDir) (federation.Keys, error) {
	for _, name := range []string{federation.FederationKeyFile, federation.RequestKeyFile} {
		if _, err := federation.CreateKey(filepath.Join(dir.keys(), name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return federation.Keys{}, err
		}
	}
	return federation.LoadKeys(dir.keys())
}

// nodeFact is where a database notes whose it is: the entity and the thumbprint of its federation key.
const nodeFact = "node"

// checkOwner refuses the database of another node; one without an owner is nobody's yet.
func checkOwner(ctx context.Context, st *store.Store, me string) error {
	owner, err := st.Meta(ctx, nodeFact)
	switch {
	case isNotFound(err) || owner == me:
		return nil
	case err != nil:
		return err
	}
	name, _, _ := strings.Cut(owner, " ")
	return fmt.Errorf("the database belongs to the node %s; put that node's skjold.yaml and keys directory here, or name another database", name)
}

// nodeName is what a node writes into its database.
func nodeName(entity string, keys federation.Keys) string { return entity + " " + keys.First }

// firstContents makes the first collection and the administrator, whose key it returns. After an interrupted init of the
// same node both may be there already: the key was never shown then, so it is made anew. The database of another node is
// left alone: a server's database outlives data directories.
func firstContents(ctx context.Context, st *store.Store, entity federation.EntityID, keys federation.Keys, defaultTLP stix.TLP) (collection, key string, err error) {
	me := nodeName(string(entity), keys)
	if err := checkOwner(ctx, st, me); err != nil {
		return "", "", err
	}
	if err := st.SetMeta(ctx, nodeFact, me); err != nil {
		return "", "", err
	}
	c, err := st.FindCollection(ctx, firstAlias)
	if isNotFound(err) {
		c, err = st.AddCollection(ctx, store.NewCollection{
			Title: firstTitle, Alias: firstAlias, DefaultTLP: defaultTLP, Description: "Indicators published at this node",
		})
	}
	if err != nil {
		return "", "", err
	}
	key, err = st.AddClient(ctx, store.Client{Name: adminName, Admin: true})
	if errors.Is(err, store.ErrExists) {
		key, err = st.RotateClient(ctx, adminName, 0)
	}
	return c.ID, key, err
}

// writeFileDurably writes a file so that after a crash it is there whole or not at all.
func writeFileDurably(path string, text []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), unfinished+"*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// showNode tells a person what was made and what to do next.
func (a *app) showNode(n initJSON) error {
	fmt.Fprintf(a.out, `%s is a node now.

  entity      %s
  API root    %s
  collection  %s (alias %s)
  user        %s
  password    %s

The password is shown this once; the node keeps only a hash of it.
Next: skjold serve --data %s
`, n.Data, n.Entity, n.APIRoot, n.Collection, n.Alias, n.User, n.Password, n.Data)
	return nil
}

// initialiseForServe makes an empty data directory a node on the way to serving it.
func (a *app) initialiseForServe(ctx context.Context, dir dataDir, cmd *cobra.Command) error {
	ok, err := dir.initialised()
	if err != nil || ok {
		return err
	}
	listenAddress := os.Getenv("SKJOLD_LISTEN")
	if f := cmd.Flags().Lookup("listen"); f.Changed {
		listenAddress = f.Value.String()
	}
	entity := os.Getenv("SKJOLD_ENTITY")
	if host, port, err := net.SplitHostPort(listenAddress); entity == "" && err == nil && port == "0" {
		return usagef("--listen %s:0 takes a new port at every start; a new node needs a fixed one", host)
	}
	// A port that is taken is noticed before the node is made and its key shown.
	if ln, err := listen(cmp.Or(listenAddress, config.Default().Listen), "--listen"); err != nil {
		return err
	} else if err := ln.Close(); err != nil {
		return err
	}
	made, err := initialise(ctx, dir, initOptions{entity: entity, listen: listenAddress, defaultTLP: stix.TLPAmberStrict})
	if err != nil {
		return err
	}
	return a.showNode(made)
}

// loadConfig reads the configuration of an initialised directory; flags, where given, win.
func (a *app) loadConfig(dir dataDir, flags *pflag.FlagSet) (*config.Config, error) {
	if err := dir.require(); err != nil {
		return nil, err
	}
	return config.Load(config.LoadOptions{File: dir.config(), Flags: flags, Env: a.environ()})
}
