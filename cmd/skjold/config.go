package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/config"
)

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Show and change the configuration, or print the documented example"}
	cmd.AddCommand(
		a.configSetCommand(),
		&cobra.Command{
			Use: "show", Short: "Print the effective configuration, with where each value comes from; secrets are masked", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				cfg, err := a.loadConfig(dataDir(a.data), nil)
				if err != nil {
					return err
				}
				if a.json {
					values := map[string]map[string]string{}
					for _, s := range cfg.Redacted() {
						values[s.Key] = map[string]string{"value": s.Value, "source": s.Source}
					}
					return printJSON(a.out, values)
				}
				t := table{head: []string{"KEY", "VALUE", "FROM"}}
				for _, s := range cfg.Redacted() {
					t.row(s.Key, s.Value, s.Source)
				}
				return t.print(a.out)
			},
		},
		&cobra.Command{
			Use: "example", Short: "Print the documented configuration file with every key at its default", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				_, err := fmt.Fprintf(a.out, "%s", config.Example())
				return err
			},
		},
	)
	return cmd
}
