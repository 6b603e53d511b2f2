package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/config"
)

func (a *app) configSetCommand() *cobra.Command {
	return &cobra.Command{
		Use: "set KEY=VALUE...", Short: "Change settings in skjold.yaml, and leave the rest of the file as it is",
		Long: `Change settings in skjold.yaml of the data directory, and leave the rest of the file, comments included, as it is. A list is
written with commas. What would not be a valid configuration is refused, and nothing is written. A running node takes the
change up when it is started again.`,
		Example: `  skjold config set title="The SOC of Koege"
  skjold config set federation.charter=bGV0IHVzIHByZXRlbmQgdGhpcyBpcyB0aGUgaGFzaA0 federation.superiors=https://hub.example`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			keys, err := a.setConfig(dataDir(a.data), args)
			var setting *config.KeyError
			switch {
			case errors.As(err, &setting):
				return usageError{err}
			case err != nil:
				return err
			case a.json:
				return printJSON(a.out, map[string]any{"keys": keys, "file": dataDir(a.data).config()})
			}
			_, err = fmt.Fprintf(a.out, "Set in %s: %s. A running node takes it up when it is started again.\n", dataDir(a.data).config(), strings.Join(keys, ", "))
			return err
		},
	}
}

// setConfig changes settings of a node's configuration file, if the whole is valid then, and returns their keys.
func (a *app) setConfig(dir dataDir, settings []string) ([]string, error) {
	if err := dir.require(); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(dir.config())
	if err != nil {
		return nil, err
	}
	var keys []string
	for _, setting := range settings {
		key, value, ok := strings.Cut(setting, "=")
		if !ok {
			return nil, usagef("%q is not KEY=VALUE", setting)
		}
		if text, err = config.Set(text, key, value); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if _, err := readConfigText(text, a.environ()); err != nil {
		return nil, err
	}
	return keys, writeFileDurably(dir.config(), text, 0o600)
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
