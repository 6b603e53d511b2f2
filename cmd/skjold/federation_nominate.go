package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/federation"
)

// nominateFlags are what a nomination says.
type nominateFlags struct {
	pin, key, out               string
	orgID, name, class, hub     string
	keys                        []string
	members, list               string
	declarationURL, declaration string
	declarationHash             string
}

func (a *app) nominateCommand() *cobra.Command {
	var f nominateFlags
	cmd := &cobra.Command{
		Use:   "nominate ENTITY | --members FILE",
		Short: "Nominate a new member, or a class of members, with a founder's vote key",
		Long: `Nominate a new member with a founder's vote key: who it is, the thumbprint of its federation key ('skjold federation show'
at the applicant), the hub that issues statements about it (the anchor for a hub), and its public declaration. A nomination
holds for 60 days.

With --members a class is nominated at once, such as all municipalities: a file with the org_id of each, one a line. Its hub
then issues statements about those who are in the list, and the founders vote once.`,
		Example: `  skjold federation nominate https://skjold.koege.example --org-id cvr:29189374 --name "Køge Kommune" --class municipality --hub https://hub.example --thumbprint T --declaration-url https://koege.example/declaration --declaration declaration.pdf --out koege.nomination
  skjold federation nominate --members municipalities.txt --name "The municipalities" --class municipality --hub https://hub.example --declaration-url https://kl.example/declaration --declaration declaration.pdf --list members.json --out class.nomination`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if (len(args) == 1) == (f.members != "") {
				return usagef("nominate one ENTITY, or a class with --members FILE")
			}
			n := federation.Nomination{OrgID: f.orgID, Name: f.name, Class: f.class, Hub: federation.EntityID(f.hub), Keys: f.keys}
			if len(args) == 1 {
				n.Subject = federation.EntityID(args[0])
			}
			return a.nominate(n, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.key, "key", "", "the founder's vote key (keys/vote.jwk of --data unless given)")
	flags.StringVar(&f.orgID, "org-id", "", "legal identity, as in cvr:12345678")
	flags.StringVar(&f.name, "name", "", "name of the party or the class")
	flags.StringVar(&f.class, "class", "", "what kind of party it is: municipality, region, company, hub …")
	flags.StringVar(&f.hub, "hub", "", "entity that issues the statements about it")
	flags.StringArrayVar(&f.keys, "thumbprint", nil, "thumbprint of its federation key; may be repeated")
	flags.StringVar(&f.members, "members", "", "file with the org_ids of a class, one a line or a JSON array")
	flags.StringVar(&f.list, "list", "", "file to write the list of the class to, for 'propose' and the records of all nodes")
	flags.StringVar(&f.declarationURL, "declaration-url", "", "public https address of its declaration")
	flags.StringVar(&f.declaration, "declaration", "", "file with the bytes of the declaration, whose SHA-256 is signed")
	flags.StringVar(&f.declarationHash, "declaration-sha256", "", "that SHA-256 in base64url, in the place of the file")
	flags.StringVar(&f.out, "out", "", "file to write the nomination to (standard output unless given)")
	a.charterFlag(cmd, &f.pin)
	return cmd
}

func (a *app) nominate(n federation.Nomination, f nominateFlags) error {
	if (f.declaration == "") == (f.declarationHash == "") {
		return usagef("a nomination needs the applicant's declaration: --declaration FILE, or --declaration-sha256")
	}
	n.Declaration = federation.Declaration{URL: f.declarationURL, SHA256: federation.Hash(f.declarationHash)}
	if f.declaration != "" {
		text, err := a.readWhole(f.declaration)
		if err != nil {
			return err
		}
		n.Declaration.SHA256 = federation.HashOf(text)
	}
	_, charter, err := a.charterOf(f.pin)
	if err != nil {
		return err
	}
	key, err := a.loadVoteKey(f.key)
	if err != nil {
		return err
	}
	founder := charter.Owner(key.ID())
	if founder == nil {
		return fmt.Errorf("the key %s is no founder's of charter version %d: only founders nominate", key.ID(), charter.Version)
	}
	n.Founder = founder.Entity
	what := fmt.Sprintf("%s (%s, %s), %s below %s", n.Name, n.Subject, n.OrgID, n.Class, n.Hub)
	next := "It holds for 60 days. Next the applicant proves its key: skjold federation prove, over the secretariat's nonce (challenge)"
	if f.members != "" {
		list, err := a.readMembers(f.members)
		if err != nil {
			return err
		}
		if n.Members, err = list.Hash(); err != nil {
			return err
		}
		if err := writeList(f.list, list); err != nil {
			return err
		}
		what = fmt.Sprintf("the class %q of %d members (%s) below %s", n.Name, len(list), n.Class, n.Hub)
		next = "It holds for 60 days. Next the secretariat: skjold federation propose admission --nomination FILE --list LIST --out PROPOSAL"
	}
	compact, err := n.Sign(key, time.Now())
	if err != nil {
		return err
	}
	return a.deliver(delivery{
		out: f.out, record: []byte(compact), facts: map[string]any{"founder": n.Founder, "sub": n.Subject, "members": n.Members},
		text: fmt.Sprintf("%s nominates %s\n%s", founder.Name, what, next),
	})
}

// readWhole reads a bounded file as it is.
func (a *app) readWhole(path string) ([]byte, error) {
	s, err := openSource(path, a.in)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	text, err := readLimited(s.file, 64<<20)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return text, nil
}

// readMembers reads the list of a class: its record, or one org_id a line.
func (a *app) readMembers(path string) (federation.ClassList, error) {
	text, err := a.readRecordFile(path)
	if err != nil {
		return nil, err
	}
	var ids []string
	if bytes.HasPrefix(text, []byte("[")) {
		if err := json.Unmarshal(text, &ids); err != nil {
			return nil, fmt.Errorf("%s is no JSON array of org_ids", path)
		}
	} else {
		for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
			if id := strings.TrimSpace(s.Text()); id != "" && !strings.HasPrefix(id, "#") {
				ids = append(ids, id)
			}
		}
	}
	record, err := federation.ClassList(ids).Record()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return federation.ReadClassList(record)
}

func writeList(path string, list federation.ClassList) error {
	if path == "" {
		return usagef("say with --list where the list of the class goes: all nodes need it")
	}
	record, err := list.Record()
	if err != nil {
		return err
	}
	return writeFileDurably(path, append(record, '\n'), 0o644)
}

func (a *app) challengeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "challenge", Short: "Make a nonce over which an applicant proves its key", Args: cobra.NoArgs,
		Long: `Make a nonce, 16 random bytes, over which an applicant proves its key within ten minutes. The secretariat makes it, gives
it to the applicant, and hands it to 'skjold federation propose' with the proof.`,
		Example: "  skjold federation challenge",
		RunE: func(*cobra.Command, []string) error {
			nonce := make([]byte, 16)
			_, _ = rand.Read(nonce) // never fails
			text := base64.RawURLEncoding.EncodeToString(nonce)
			if a.json {
				return printJSON(a.out, map[string]string{"nonce": text})
			}
			_, err := fmt.Fprintln(a.out, text)
			return err
		},
	}
}

func (a *app) proveCommand() *cobra.Command {
	var nomination, anchor, nonce, out string
	cmd := &cobra.Command{
		Use: "prove --nomination FILE --anchor ENTITY --nonce N", Short: "Prove, as the applicant, that this node holds the key that was nominated", Args: cobra.NoArgs,
		Long: `Prove that this node holds the federation key of its nomination, over the nonce that the secretariat gave. The proof
holds for ten minutes.`,
		Example: "  skjold federation prove --nomination koege.nomination --anchor https://secretariat.example --nonce 4lWvQ0q2dZ8jvY1m7xk0Aw --out koege.proof",
		RunE: func(*cobra.Command, []string) error {
			if nomination == "" || anchor == "" || nonce == "" {
				return usagef("--nomination, --anchor and --nonce are needed")
			}
			cfg, ring, err := a.identity()
			if err != nil {
				return err
			}
			compact, err := a.readToken(nomination, "nomination")
			if err != nil {
				return err
			}
			n, err := federation.NominationOf(compact)
			if err != nil {
				return err
			}
			if string(n.Subject) != cfg.Entity {
				return fmt.Errorf("the nomination is of %s, and this node is %s", n.Subject, cfg.Entity)
			}
			id, err := federation.ParseEntityID(anchor)
			if err != nil {
				return usageError{err}
			}
			now := time.Now()
			proof, err := federation.SignKeyProof(n.Subject, id, nonce, compact, ring.Keys(now).Federation, now)
			if err == nil {
				_, err = federation.VerifyKeyProof(proof, compact, n, now)
			}
			if err != nil {
				return err
			}
			return a.deliver(delivery{
				out: out, record: []byte(proof), facts: map[string]any{"sub": n.Subject, "thumbprint": ring.Keys(now).Federation.ID()},
				text: fmt.Sprintf("%s proves the key %s to %s. The proof holds for ten minutes: send it to the secretariat, for skjold federation propose admission.", n.Name, ring.Keys(now).Federation.ID(), id),
			})
		},
	}
	cmd.Flags().StringVar(&nomination, "nomination", "", "file with the nomination")
	cmd.Flags().StringVar(&anchor, "anchor", "", "entity of the secretariat, the trust anchor")
	cmd.Flags().StringVar(&nonce, "nonce", "", "the secretariat's nonce, from its 'skjold federation challenge'")
	cmd.Flags().StringVar(&out, "out", "", "file to write the proof to (standard output unless given)")
	return cmd
}
