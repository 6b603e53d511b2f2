package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/federation"
)

func (a *app) decideCommand() *cobra.Command {
	var pin, proposal, out string
	cmd := &cobra.Command{
		Use:     "decide --proposal FILE VOTE...",
		Aliases: []string{"admit"},
		Short:   "Make the decision of a proposal and the founders' votes",
		Long: `Make the decision of a proposal and the founders' votes, and take it into the records of this node. It fails unless as
many of all founders are for it as the charter asks for. Whoever gets the decision checks every vote in it again.`,
		Example: "  skjold federation decide --proposal koege.proposal kl.vote regions.vote state.vote --out koege.decision",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if proposal == "" {
				return usagef("name the proposal with --proposal FILE")
			}
			ledger, charter, err := a.charterOf(pin)
			if err != nil {
				return err
			}
			b, err := a.readBallot(proposal)
			if err != nil {
				return err
			}
			var votes []string
			for _, path := range args {
				vote, err := a.readToken(path, "vote")
				if err != nil {
					return err
				}
				if _, err := federation.VerifyVote(vote, b.Proposal, charter); err != nil {
					return fmt.Errorf("%s: %w", path, err)
				}
				votes = append(votes, vote)
			}
			record, decision, err := federation.NewDecision(b.Proposal, votes, charter)
			if err != nil {
				return err
			}
			if b.Members != nil {
				list, err := b.Members.Record()
				if err != nil {
					return err
				}
				if _, err := ledger.Add(list); err != nil {
					return err
				}
			}
			if _, err := ledger.Add(record); err != nil {
				return err
			}
			listed := decision.List()
			return a.deliver(delivery{
				out: out, record: record, facts: map[string]any{"decision": decision.Hash, "for": listed.For, "founders": listed.Founders},
				text: decisionWords(listed) + "\nIt is in the records here. Every other node: skjold federation records import FILE",
			})
		},
	}
	cmd.Flags().StringVar(&proposal, "proposal", "", "file with the proposal")
	cmd.Flags().StringVar(&out, "out", "", "file to write the decision to (standard output unless given)")
	a.charterFlag(cmd, &pin)
	return cmd
}

// decisionWords is a decision with each vote in plain words.
func decisionWords(d federation.ListedDecision) string {
	var s strings.Builder
	who := string(d.Subject)
	if d.Name != "" {
		who = strings.TrimPrefix(d.Name+" ("+who+")", " ")
		if d.Subject == "" {
			who = fmt.Sprintf("the class %q", d.Name)
		}
	}
	fmt.Fprintf(&s, "Decision %s of %s: %s of %s\n", d.Hash, stamp(d.At), d.Kind, who)
	fmt.Fprintf(&s, "  %d of %d founders are for it; %s were needed under charter version %d\n", d.For, d.Founders, d.Rule, d.Charter)
	if d.Nominator != "" {
		fmt.Fprintf(&s, "  nominated by %s\n", d.Nominator)
	}
	if d.Reason != "" {
		fmt.Fprintf(&s, "  reason: %s\n", d.Reason)
	}
	for _, v := range d.Votes {
		words := map[federation.Choice]string{federation.For: "voted for it", federation.Against: "voted against it", federation.Abstain: "abstained"}[v.Choice]
		fmt.Fprintf(&s, "  %s (%s) %s on %s\n", v.Name, v.Founder, words, stamp(v.At))
	}
	if len(d.Silent) > 0 {
		fmt.Fprintf(&s, "  %s did not vote\n", strings.Join(d.Silent, ", "))
	}
	return strings.TrimSuffix(s.String(), "\n")
}

func (a *app) suspendCommand() *cobra.Command {
	var pin, keyFile, reason, out string
	cmd := &cobra.Command{
		Use:   "suspend ENTITY --reason TEXT",
		Short: "Suspend a member at once, for 72 hours",
		Long: `Suspend a member at once, by the word of one founder (its vote key) or of the anchor (its federation key), for 72 hours.
The same party can't order it again for 30 days; a majority of the founders confirms it with 'skjold federation propose
suspension'.`,
		Example: `  skjold federation suspend https://skjold.koege.example --reason "its feed was taken over" --key vote.jwk --out suspend.order`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if reason == "" {
				return usagef("say why with --reason; it is public")
			}
			subject, err := federation.ParseEntityID(args[0])
			if err != nil {
				return usageError{err}
			}
			ledger, charter, err := a.charterOf(pin)
			if err != nil {
				return err
			}
			key, err := a.loadVoteKey(keyFile)
			if err != nil {
				return err
			}
			issuer, err := charter.Authority(key.ID())
			if err != nil {
				return err
			}
			now := time.Now()
			order, err := federation.SuspensionOrder{Issuer: issuer, Subject: subject, Reason: reason}.Sign(key, now)
			if err != nil {
				return err
			}
			hash, err := ledger.Add([]byte(order))
			if err != nil {
				return err
			}
			m := ledger.Member(subject, now)
			text := fmt.Sprintf("%s suspends %s until %s, unless the founders decide otherwise.\nIt is in the records here. Every other node: skjold federation records import FILE",
				issuer, subject, stamp(m.Until))
			if ledger.IssuesStatements(subject) {
				text += fmt.Sprintf("\n%s issues statements: whoever is a member by them is not served meanwhile either.", subject)
			}
			if m.By != hash {
				text = fmt.Sprintf("The order is in the records, and changes nothing: %s is %s since %s.", subject, m.Standing, stamp(m.Since))
			}
			return a.deliver(delivery{out: out, record: []byte(order), facts: map[string]any{"issuer": issuer, "sub": subject, "order": hash, "standing": m.Standing}, text: text})
		},
	}
	cmd.Flags().StringVar(&keyFile, "key", "", "vote key of a founder, or federation key of the anchor (keys/vote.jwk of --data unless given)")
	cmd.Flags().StringVar(&reason, "reason", "", "why; it is public")
	cmd.Flags().StringVar(&out, "out", "", "file to write the order to (standard output unless given)")
	a.charterFlag(cmd, &pin)
	return cmd
}
