package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes of every command.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// stdio is what a command reads and writes: the process's own streams, or a test's.
type stdio struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// usageError is a mistake in how the command was called: exit code 2.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errSilent ends a command with exit code 1 after it has said everything itself.
var errSilent = errors.New("failed")

// app is what commands share: the streams and the flags of the root command.
type app struct {
	stdio
	data string   // the node's data directory
	json bool     // machine-readable output
	env  []string // in place of the process's environment; nil for that
}

// environ is the environment that settings are taken from.
func (a *app) environ() []string {
	if a.env != nil {
		return a.env
	}
	return os.Environ()
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, io stdio) int {
	return runIn(ctx, nil, args, io)
}

// runIn is run with an environment in place of the process's; nil for that.
func runIn(ctx context.Context, env, args []string, io stdio) int {
	a := &app{stdio: io, env: env}
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(io.in)
	root.SetOut(io.out)
	root.SetErr(io.err)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	var usage usageError
	switch {
	case errors.Is(err, errSilent):
		return exitFailed
	case errors.As(err, &usage):
		fmt.Fprintf(io.err, "skjold: %s\n", printableLines(err.Error()))
		fmt.Fprintf(io.err, "See '%s --help'.\n", cmd.CommandPath())
		return exitUsage
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(io.err, "skjold: interrupted")
		return exitFailed
	}
	fmt.Fprintf(io.err, "skjold: %s\n", printableLines(err.Error()))
	return exitFailed
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "skjold",
		Short: "A node of a federated threat-sharing exchange",
		Long: `Skjold shares threat indicators between organisations. A node serves its own SOC tools over TAXII 2.1, is where
its analysts publish STIX 2.1 objects, and exchanges collections with the nodes of its federation.`,
		Example: `  skjold demo                       a small federation on this machine, with live traffic
  skjold init                       make ./skjold-data a node; shows the administrator's key once
  skjold serve                      run it
  skjold publish --url http://127.0.0.1:8080/taxii2/main/ --user admin --collection indicators bundle.json
  skjold poll http://127.0.0.1:8080/taxii2/main/collections/indicators/ --user admin`,
		SuggestionsMinimumDistance: 2,
		SilenceErrors:              true,
		SilenceUsage:               true,
		CompletionOptions:          cobra.CompletionOptions{HiddenDefaultCmd: true},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
		Args: cobra.ArbitraryArgs,
	}
	root.PersistentFlags().StringVar(&a.data, "data", envOr("SKJOLD_DATA", "skjold-data"), "data directory of the node (SKJOLD_DATA)")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON for scripts")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		a.initCommand(), a.serveCommand(), a.demoCommand(),
		a.collectionCommand(), a.clientCommand(), a.publishCommand(), a.pollCommand(), a.checkCommand(), a.matchCommand(), a.generateCommand(), a.doctorCommand(),
		a.backupCommand(), a.restoreCommand(), a.verifyCommand(), a.compactCommand(), a.migrateCommand(), a.moveCommand(),
		a.federationCommand(), a.benchCommand(), a.statusCommand(), a.healthcheckCommand(), a.configCommand(), a.versionCommand(),
	)
	strictArgs(root)
	return root
}

// strictArgs turns wrong arguments and unknown subcommands into usage errors for a command and all below it.
func strictArgs(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		if check := sub.Args; check != nil {
			sub.Args = func(c *cobra.Command, args []string) error {
				if err := check(c, args); err != nil {
					return usageError{err}
				}
				return nil
			}
		} else if !sub.HasSubCommands() {
			sub.Args = func(c *cobra.Command, args []string) error {
				if len(args) > 0 {
					return usagef("%s takes no arguments, got %q", c.CommandPath(), args[0])
				}
				return nil
			}
		}
		sub.SuggestionsMinimumDistance = 2
		if sub.HasSubCommands() && sub.RunE == nil {
			sub.Args = cobra.ArbitraryArgs
			sub.RunE = func(c *cobra.Command, args []string) error {
				if len(args) > 0 {
					return unknownCommand(c, args[0])
				}
				return c.Help()
			}
		}
		strictArgs(sub)
	}
}

func unknownCommand(cmd *cobra.Command, name string) error {
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		return usagef("%s has no command %q; did you mean %s?", cmd.CommandPath(), name, strings.Join(near, " or "))
	}
	return usagef("%s has no command %q", cmd.CommandPath(), name)
}

func envOr(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}
