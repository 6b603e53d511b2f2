package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/federation"
)

// proposeFlags are what a proposal says.
type proposeFlags struct {
	pin, out                 string
	nomination, proof, nonce string
	list, reason             string
	keys                     []string
}

func (f *proposeFlags) register(a *app, cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.out, "out", "", "file to write the proposal to (standard output unless given)")
	a.charterFlag(cmd, &f.pin)
}

func (f *proposeFlags) registerReason(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.reason, "reason", "", "why; it is public")
}

func (a *app) proposeCommand() *cobra.Command {
	var f proposeFlags
	cmd := &cobra.Command{
		Use:   "propose admission | suspension ENTITY",
		Short: "Make the proposal that founders vote on",
		Long: `Make the proposal that founders vote on, a file that has all that a founder needs to read, check and sign it on a machine
without a network. 'propose admission' takes the nomination and the applicant's key proof, or the list of a class; 'propose
suspension' confirms or begins one without an end. See also expel, reinstate and recover.`,
		Example: `  skjold federation propose admission --nomination koege.nomination --proof koege.proof --nonce N --out koege.proposal
  skjold federation propose admission --nomination class.nomination --list members.json --out class.proposal
  skjold federation propose suspension https://skjold.koege.example --reason "its feed was taken over" --out suspend.proposal`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			kind, subject := federation.ProposalKind(args[0]), ""
			if len(args) > 1 {
				subject = args[1]
			}
			if (kind == federation.Admission) == (subject != "") {
				return usagef("an admission is of whom its --nomination names; every other kind names an ENTITY")
			}
			return a.propose(kind, subject, f)
		},
	}
	f.register(a, cmd)
	f.registerReason(cmd)
	cmd.Flags().StringVar(&f.nomination, "nomination", "", "file with the nomination, of an admission")
	cmd.Flags().StringVar(&f.proof, "proof", "", "file with the applicant's key proof, of an admission")
	cmd.Flags().StringVar(&f.nonce, "nonce", "", "the nonce that you gave to the applicant")
	cmd.Flags().StringVar(&f.list, "list", "", "file with the list of a class, from 'skjold federation nominate --list'")
	return cmd
}

// kindCommand is a command that proposes one kind about one member.
func (a *app) kindCommand(kind federation.ProposalKind, use, short, long, example string) *cobra.Command {
	var f proposeFlags
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, Example: example, Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.propose(kind, args[0], f) },
	}
	f.register(a, cmd)
	f.registerReason(cmd)
	if kind == federation.Recovery {
		cmd.Flags().StringArrayVar(&f.keys, "thumbprint", nil, "thumbprint of the member's new federation key, read out by a way that you trust; may be repeated")
	}
	return cmd
}

func (a *app) expelCommand() *cobra.Command {
	return a.kindCommand(federation.Expulsion, "expel ENTITY", "Propose that a member is expelled",
		"Propose that a member is expelled. Founders vote on it with 'skjold federation vote', and 'skjold federation decide' makes the decision.",
		`  skjold federation expel https://skjold.firma.example --reason "it sold what it read" --out expel.proposal`)
}

func (a *app) reinstateCommand() *cobra.Command {
	return a.kindCommand(federation.Reinstatement, "reinstate ENTITY", "Propose that a suspension ends",
		"Propose that a suspension ends. Founders vote on it with 'skjold federation vote', and 'skjold federation decide' makes the decision.",
		`  skjold federation reinstate https://skjold.koege.example --reason "the node was built anew" --out reinstate.proposal`)
}

func (a *app) recoverCommand() *cobra.Command {
	return a.kindCommand(federation.Recovery, "recover ENTITY --thumbprint T", "Propose other keys for a member whose key is lost or stolen",
		`Propose other federation keys for a member whose key is lost or stolen. The old keys count for nothing from the decision
on. Compare the new thumbprint with people of the member, not by mail from its node.`,
		`  skjold federation recover https://skjold.koege.example --thumbprint T --reason "the key was stolen" --out recover.proposal`)
}

func (a *app) propose(kind federation.ProposalKind, subject string, f proposeFlags) error {
	ledger, charter, err := a.charterOf(f.pin)
	if err != nil {
		return err
	}
	now := time.Now()
	p := &federation.Proposal{Kind: kind, Charter: charter.Hash(), IssuedAt: max(now.Unix(), charter.IssuedAt), Subject: federation.EntityID(subject), Reason: f.reason, Keys: f.keys}
	var list federation.ClassList
	if kind == federation.Admission {
		if list, err = a.admissionOf(p, charter, f); err != nil {
			return err
		}
	} else {
		if f.reason == "" {
			return usagef("say why with --reason; it is public")
		}
		if m := ledger.Member(p.Subject, now); m.Standing == federation.Stranger && len(ledger.Classes()) == 0 {
			return fmt.Errorf("%s is no member", subject)
		}
	}
	b, err := federation.NewBallot(charter, p, list)
	if err != nil {
		return err
	}
	text, err := b.Text()
	if err != nil {
		return err
	}
	hash, err := p.Hash()
	if err != nil {
		return err
	}
	return a.deliver(delivery{
		out: f.out, record: text, facts: map[string]any{"proposal": hash, "kind": kind},
		text: ballotWords(b) + "\nEach founder: skjold federation vote for --proposal FILE --key VOTE-KEY --out VOTE",
	})
}

// admissionOf reads what an admission rests on.
func (a *app) admissionOf(p *federation.Proposal, charter *federation.Charter, f proposeFlags) (federation.ClassList, error) {
	if f.nomination == "" {
		return nil, usagef("an admission needs --nomination FILE")
	}
	var err error
	if p.Nomination, err = a.readToken(f.nomination, "nomination"); err != nil {
		return nil, err
	}
	n, err := federation.VerifyNomination(p.Nomination, charter)
	if err != nil {
		return nil, err
	}
	if n.Members != "" {
		if f.list == "" {
			return nil, usagef("this nomination is of a class: hand over its list with --list FILE")
		}
		return a.readMembers(f.list)
	}
	if f.proof == "" || f.nonce == "" {
		return nil, usagef("an admission needs the applicant's key proof: --proof FILE, and --nonce with what 'skjold federation challenge' gave")
	}
	if p.KeyProof, err = a.readToken(f.proof, "key proof"); err != nil {
		return nil, err
	}
	proof, err := federation.VerifyKeyProof(p.KeyProof, p.Nomination, n, time.Unix(p.IssuedAt, 0))
	if err != nil {
		return nil, err
	}
	if proof.Nonce != f.nonce {
		return nil, fmt.Errorf("the key proof is over another nonce: make a new one with 'skjold federation challenge', and let the applicant prove again")
	}
	return nil, nil
}

// ballotWords is a proposal for people: everything that a vote is about.
func ballotWords(b *federation.Ballot) string {
	var s strings.Builder
	p, c := b.Proposal, b.Charter
	switch n := b.Nomination; {
	case n == nil:
		fmt.Fprintf(&s, "Proposal: %s of %s\n", p.Kind, p.Subject)
	case n.Members != "":
		fmt.Fprintf(&s, "Proposal: admission of the class %q, %d members of the class %s\n", n.Name, len(b.Members), n.Class)
	default:
		fmt.Fprintf(&s, "Proposal: admission of %s\n  %s, %s, %s\n  keys %s, proved to hold\n", n.Name, n.Subject, n.OrgID, n.Class, strings.Join(n.Keys, ", "))
	}
	if n := b.Nomination; n != nil {
		fmt.Fprintf(&s, "  statements about it are issued by %s\n  nominated by %s\n  declaration %s\n", n.Hub, c.Founder(n.Founder).Name, n.Declaration.URL)
	}
	if len(p.Keys) > 0 {
		fmt.Fprintf(&s, "  new keys %s\n", strings.Join(p.Keys, ", "))
	}
	if p.Reason != "" {
		fmt.Fprintf(&s, "  reason: %s\n", p.Reason)
	}
	fmt.Fprintf(&s, "  made %s under charter version %d of %s, %s", stamp(time.Unix(p.IssuedAt, 0)), c.Version, c.Name, c.Hash())
	return s.String()
}

func (a *app) voteCommand() *cobra.Command {
	var proposal, keyFile, out string
	cmd := &cobra.Command{
		Use:   "vote for|against|abstain --proposal FILE",
		Short: "Sign a founder's vote; no network and no node are needed",
		Long: `Sign a founder's vote on a proposal. It needs the proposal and the vote key and nothing else: do it where the key is, and
carry the vote back. What is voted on is printed first, and checked: the nomination, the key proof, the list of a class.
Compare the hash of the charter with your own.`,
		Example: "  skjold federation vote for --proposal koege.proposal --key vote.jwk --out kl.vote",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			choice, err := federation.ParseChoice(args[0])
			if err != nil {
				return usageError{err}
			}
			if proposal == "" {
				return usagef("name the proposal with --proposal FILE")
			}
			b, err := a.readBallot(proposal)
			if err != nil {
				return err
			}
			key, err := a.loadVoteKey(keyFile)
			if err != nil {
				return err
			}
			vote, founder, err := b.Vote(choice, key, time.Now())
			if err != nil {
				return err
			}
			return a.deliver(delivery{
				out: out, record: []byte(vote), facts: map[string]any{"founder": founder.Entity, "vote": choice, "charter": b.Proposal.Charter},
				text: ballotWords(b) + fmt.Sprintf("\n%s votes: %s. It holds for 30 days; the secretariat counts it with skjold federation decide.", founder.Name, choice),
			})
		},
	}
	cmd.Flags().StringVar(&proposal, "proposal", "", "file with the proposal")
	cmd.Flags().StringVar(&keyFile, "key", "", "the founder's vote key (keys/vote.jwk of --data unless given)")
	cmd.Flags().StringVar(&out, "out", "", "file to write the vote to (standard output unless given)")
	return cmd
}

func (a *app) readBallot(path string) (*federation.Ballot, error) {
	text, err := a.readRecordFile(path)
	if err != nil {
		return nil, err
	}
	b, err := federation.ReadBallot(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}
