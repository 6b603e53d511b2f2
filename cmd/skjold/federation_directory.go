package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/federation"
)

func (a *app) directoryCommand() *cobra.Command {
	var pin string
	cmd := &cobra.Command{
		Use: "directory", Short: "Tell who belongs to the federation, since when and by which decision", Args: cobra.NoArgs,
		Long: `Tell who belongs to the federation: founders, anchors, members and classes with their hubs and declarations, since when,
who is suspended or expelled, and by which decision. All of it follows from signed records that this node has checked; --json
has every vote.`,
		Example: "  skjold federation directory\n  skjold federation directory --json",
		RunE: func(*cobra.Command, []string) error {
			ledger, _, err := a.charterOf(pin)
			if err != nil {
				return err
			}
			d, err := ledger.Directory(time.Now())
			if err != nil {
				return err
			}
			if a.json {
				return printJSON(a.out, d)
			}
			return a.printDirectory(d)
		},
	}
	a.charterFlag(cmd, &pin)
	return cmd
}

func (a *app) printDirectory(d *federation.Directory) error {
	fmt.Fprintf(a.out, "%s, charter version %d since %s\n\n", printable(d.Name), d.Version, stamp(d.Since))
	founders := table{head: []string{"FOUNDER", "ENTITY"}}
	for _, f := range d.Founders {
		founders.row(f.Name, string(f.Entity))
	}
	for _, x := range d.Anchors {
		founders.row("(anchor)", string(x))
	}
	if err := founders.print(a.out); err != nil {
		return err
	}
	if len(d.Members) > 0 {
		fmt.Fprintln(a.out)
		t := table{head: []string{"MEMBER", "ENTITY", "CLASS", "STANDING", "SINCE", "HUB", "DECLARATION"}}
		for _, m := range d.Members {
			declaration := ""
			if m.Declaration != nil {
				declaration = m.Declaration.URL
			}
			class := m.Class
			if m.Issues {
				class += ", issues statements"
			}
			standing := string(m.Standing)
			if m.Until != nil {
				standing += " until " + stamp(*m.Until)
			}
			t.row(m.Name, string(m.Entity), class, standing, stamp(m.Since), string(m.Hub), declaration)
		}
		if err := t.print(a.out); err != nil {
			return err
		}
	}
	if len(d.Classes) > 0 {
		fmt.Fprintln(a.out)
		t := table{head: []string{"CLASS", "MEMBERS", "SINCE", "HUB", "DECLARATION"}}
		for _, c := range d.Classes {
			members := fmt.Sprint(len(c.Members))
			if c.Members == nil {
				members = "the list is not here"
			}
			t.row(c.Name, members, stamp(c.Since), string(c.Hub), c.Declaration.URL)
		}
		if err := t.print(a.out); err != nil {
			return err
		}
	}
	if len(d.Contested) > 0 {
		fmt.Fprintf(a.out, "\nFounders have signed two charters of one version, and neither is followed: %s\n", strings.Join(hashes(d.Contested), ", "))
	}
	return nil
}
