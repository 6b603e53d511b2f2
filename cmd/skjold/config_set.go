package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/config"
)

func (a *app) configSetCommand() *cobra.Command {
	return &cobra.Command{
		Use: "set KEY VALUE", Short: "Change one setting in skjold.yaml, and leave the rest of the file as it is",
		Long: `Change one setting in skjold.yaml of the data directory, and leave the rest of the file, comments included, as it is. A list
is written with commas. What would not be a valid configuration is refused, and nothing is written. A running node takes
the change up when it is started again.`,
		Example: `  skjold config set title "The SOC of Koege"
  skjold config set federation.charter bGV0IHVzIHByZXRlbmQgdGhpcyBpcyB0aGUgaGFzaA0
  skjold config set federation.superiors https://hub.example`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			err := a.setConfig(dataDir(a.data), args[0], args[1])
			var setting *config.KeyError
			switch {
			case errors.As(err, &setting):
				return usageError{err}
			case err != nil:
				return err
			case a.json:
				return printJSON(a.out, map[string]string{"key": args[0], "file": dataDir(a.data).config()})
			}
			_, err = fmt.Fprintf(a.out, "%s is set in %s; a running node takes it up when it is started again\n", args[0], dataDir(a.data).config())
			return err
		},
	}
}

// setConfig changes a setting of a node's configuration file, if the whole is valid then.
func (a *app) setConfig(dir dataDir, key, value string) error {
	if err := dir.require(); err != nil {
		return err
	}
	text, err := os.ReadFile(dir.config())
	if err != nil {
		return err
	}
	changed, err := config.Set(text, key, value)
	if err != nil {
		return err
	}
	if _, err := readConfigText(changed, a.environ()); err != nil {
		return err
	}
	return writeFileDurably(dir.config(), changed, 0o600)
}

// readConfigText reads a configuration that is in no file yet.
func readConfigText(text []byte, env []string) (*config.Config, error) {
	tmp, err := os.CreateTemp("", "skjold-*.yaml")
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(text)
	if err := errors.Join(err, tmp.Close()); err != nil {
		return nil, err
	}
	return config.Load(config.LoadOptions{File: tmp.Name(), Env: env})
}
