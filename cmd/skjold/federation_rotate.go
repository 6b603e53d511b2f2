package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/federation"
)

// ringKeyJSON is a key of the node.
type ringKeyJSON struct {
	Use        federation.KeyUse   `json:"use"`
	Thumbprint string              `json:"thumbprint"`
	Stage      federation.KeyStage `json:"stage"`
	From       string              `json:"from"`
	File       string              `json:"file"`
}

func (a *app) keysShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Show this node's keys: which sign now, which come next", Args: cobra.NoArgs,
		Example: "  skjold federation keys show --json",
		RunE: func(*cobra.Command, []string) error {
			dir := dataDir(a.data)
			if err := dir.require(); err != nil {
				return err
			}
			ring, err := federation.OpenKeyRing(dir.keys())
			if err != nil {
				return err
			}
			now := time.Now()
			list := []ringKeyJSON{}
			t := table{head: []string{"USE", "THUMBPRINT", "STAGE", "SIGNS FROM", "FILE"}}
			for _, use := range []federation.KeyUse{federation.FederationKey, federation.RequestKey} {
				for _, k := range ring.All(use) {
					list = append(list, ringKeyJSON{use, k.ID(), ring.Stage(k, now), jsonTime(k.From), k.File})
					t.row(string(use), k.ID(), string(ring.Stage(k, now)), stamp(k.From), k.File)
				}
			}
			if a.json {
				return printJSON(a.out, list)
			}
			return t.print(a.out)
		},
	}
}

func (a *app) keysRotateCommand() *cobra.Command {
	var request, retire bool
	var pin, out string
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Make this node's next federation key or request key",
		Long: `Make this node's next federation key, or with --request its next request key. It is published at once and signs 48 hours
later, without a restart; so everybody knows it by then.

For a federation key of a member that was admitted by name the record of the rotation is made too, signed by the present
key: give it to the other nodes, and your new key set to your hub. When the new key has signed for two days, --retire makes
the record that the old one is none of yours any more.

A request key: whoever has pinned your key set ('peer add --jwks') pins the new one within the 48 hours.`,
		Example: `  skjold federation keys rotate --out rotation
  skjold federation keys rotate --retire --out retirement
  skjold federation keys rotate --request`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if request && retire {
				return usagef("--retire is of federation keys: request keys need no record")
			}
			cfg, ring, err := a.identity()
			if err != nil {
				return err
			}
			now := time.Now()
			if request {
				return a.rotateRequest(ring, now)
			}
			return a.rotateFederation(ring, federation.EntityID(cfg.Entity), pin, out, retire, now)
		},
	}
	cmd.Flags().BoolVar(&request, "request", false, "the request key in the place of the federation key")
	cmd.Flags().BoolVar(&retire, "retire", false, "make no key, but the record that only the present federation key is this node's")
	cmd.Flags().StringVar(&out, "out", "", "file to write the record of the rotation to (standard output unless given)")
	a.charterFlag(cmd, &pin)
	return cmd
}

func (a *app) rotateRequest(ring *federation.KeyRing, now time.Time) error {
	k, err := ring.Rotate(federation.RequestKey, now.Add(federation.KeyNotice), now)
	if err != nil {
		return err
	}
	if a.json {
		return printJSON(a.out, ringKeyJSON{federation.RequestKey, k.ID(), federation.NextKey, jsonTime(k.From), k.File})
	}
	_, err = fmt.Fprintf(a.out, "The request key %s signs from %s on. Peers that have pinned this node's key set pin the new one before: skjold federation show --jwks\n", k.ID(), stamp(k.From))
	return err
}

func (a *app) rotateFederation(ring *federation.KeyRing, entity federation.EntityID, pin, out string, retire bool, now time.Time) error {
	current := ring.Keys(now).Federation
	ledger, named, err := a.namedKeys(entity, pin, now)
	if err != nil {
		return err
	}
	if retire && ledger == nil {
		return errors.New("nothing is to be retired: the founders have not admitted this node by its keys")
	}
	if ledger != nil && !slices.Contains(named, current.ID()) {
		return fmt.Errorf("the records name other keys of this node than %s: the founders have to vote on it ('skjold federation recover')", current.ID())
	}
	keys, text := []string{current.ID()}, "Only the key "+current.ID()+" is this node's."
	facts := map[string]any{"thumbprint": current.ID(), "stage": federation.CurrentKey}
	if retire {
		err = checkRetirement(ring, named, current.ID(), now)
	} else {
		var next federation.RingKey
		if next, err = nextFederationKey(ring, named, now); err == nil {
			keys = append(keys, next.ID())
			text = fmt.Sprintf("The federation key %s signs from %s on.", next.ID(), stamp(next.From))
			facts = map[string]any{"thumbprint": next.ID(), "stage": federation.NextKey, "from": jsonTime(next.From)}
		}
	}
	if err != nil {
		return err
	}
	if ledger == nil {
		if a.json {
			return printJSON(a.out, facts)
		}
		_, err := fmt.Fprintln(a.out, text+" Send your hub the new key set: skjold federation show --federation-jwks")
		return err
	}
	record, err := federation.SignKeyRotation(entity, keys, current, now)
	if err != nil {
		return err
	}
	if facts["rotation"], err = ledger.Add([]byte(record)); err != nil {
		return err
	}
	return a.deliver(delivery{
		out: out, record: []byte(record), facts: facts,
		text: text + "\nThe record of it is in the records here. Every other node: skjold federation records import FILE",
	})
}

// nextFederationKey makes the next key. One that is there already without a record, after an interruption, is taken.
func nextFederationKey(ring *federation.KeyRing, named []string, now time.Time) (federation.RingKey, error) {
	for _, k := range ring.All(federation.FederationKey) {
		if ring.Stage(k, now) == federation.NextKey && named != nil && !slices.Contains(named, k.ID()) {
			return k, nil
		}
	}
	return ring.Rotate(federation.FederationKey, now.Add(federation.KeyNotice), now)
}

func checkRetirement(ring *federation.KeyRing, named []string, current string, now time.Time) error {
	if len(named) == 1 && named[0] == current {
		return errors.New("nothing is to be retired: the records name no other key of this node")
	}
	for _, k := range ring.All(federation.FederationKey) {
		if s := ring.Stage(k, now); s == federation.NextKey || s == federation.FormerKey {
			return fmt.Errorf("it is too early: the key %s is %s; see 'skjold federation keys show'", k.ID(), s)
		}
	}
	return nil
}

// namedKeys are this node's federation keys by the records; the ledger is nil where they name none: the node belongs to no
// federation with a charter, or to a class.
func (a *app) namedKeys(entity federation.EntityID, pin string, now time.Time) (*federation.Ledger, []string, error) {
	pin, err := a.pinnedCharter(pin)
	if errors.Is(err, errNotPinned) {
		return nil, nil, nil
	} else if err != nil {
		return nil, nil, err
	}
	ledger, err := a.openLedger(pin)
	if err != nil {
		return nil, nil, err
	}
	m := ledger.Member(entity, now)
	if len(m.Keys) == 0 {
		return nil, nil, nil
	}
	return ledger, m.Keys, nil
}
