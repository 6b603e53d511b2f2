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

// printDirectory prints the directory as tables, with what needs a sentence below.
func (a *app) printDirectory(d *federation.Directory) error {
	fmt.Fprintf(a.out, "%s, charter version %d since %s\n", printable(d.Name), d.Version, stamp(d.Since))
	founders := table{head: []string{"FOUNDER", "ENTITY"}}
	for _, f := range d.Founders {
		founders.row(f.Name, string(f.Entity))
	}
	for _, x := range d.Anchors {
		founders.row("(trust anchor)", string(x))
	}
	for _, t := range []table{founders, memberTable(d), classTable(d)} {
		if len(t.rows) == 0 {
			continue
		}
		fmt.Fprintln(a.out)
		if err := t.print(a.out); err != nil {
			return err
		}
	}
	fmt.Fprintln(a.out)
	for _, m := range d.Members {
		if m.Standing == federation.Suspended || m.Standing == federation.Expelled {
			fmt.Fprintln(a.out, printable(standingWords(d, m)))
		}
	}
	if len(d.Contested) > 0 {
		fmt.Fprintf(a.out, "Founders have signed two charters of one version, and neither is followed: %s\n", strings.Join(hashes(d.Contested), ", "))
	}
	_, err := fmt.Fprintln(a.out, "Why somebody is a member, with each vote: skjold federation verify ENTITY")
	return err
}

func memberTable(d *federation.Directory) table {
	t := table{head: []string{"MEMBER", "ENTITY", "CLASS", "STANDING", "SINCE", "VOTES", "STATED BY", "DECLARATION"}}
	for _, m := range d.Members {
		declaration := ""
		if m.Declaration != nil {
			declaration = m.Declaration.URL
		}
		class := m.Class
		if m.Issues {
			class += ", issues statements"
		}
		t.row(m.Name, string(m.Entity), class, string(m.Standing), stamp(m.Since), votesFor(d, m.Admission), string(m.Hub), declaration)
	}
	return t
}

func classTable(d *federation.Directory) table {
	t := table{head: []string{"CLASS", "MEMBERS", "SINCE", "VOTES", "STATED BY", "DECLARATION"}}
	for _, c := range d.Classes {
		members := fmt.Sprint(len(c.Members))
		if c.Members == nil {
			members = "the list is not here"
		}
		t.row(c.Name, members, stamp(c.Since), votesFor(d, c.Admission), string(c.Hub), c.Declaration.URL)
	}
	return t
}

// votesFor says how many founders were for a decision; "" for none.
func votesFor(d *federation.Directory, hash federation.Hash) string {
	decision := d.Decision(hash)
	if decision == nil {
		return ""
	}
	return fmt.Sprintf("%d of %d", decision.For, decision.Founders)
}

// standingWords is why a member is suspended or expelled.
func standingWords(d *federation.Directory, m federation.ListedMember) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s is %s since %s", m.Entity, m.Standing, stamp(m.Since))
	if m.OrderedBy != "" {
		fmt.Fprintf(&s, " by the word of %s alone", d.NameOf(m.OrderedBy))
	} else if votes := votesFor(d, m.By); votes != "" {
		fmt.Fprintf(&s, " by %s founders", votes)
	}
	if m.Until != nil {
		fmt.Fprintf(&s, ", until %s unless the founders decide otherwise", stamp(*m.Until))
	}
	if m.Reason != "" {
		fmt.Fprintf(&s, ": %s", m.Reason)
	}
	return s.String()
}
