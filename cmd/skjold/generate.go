package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/skjold-exchange/skjold/stix"
)

func (a *app) generateCommand() *cobra.Command {
	var count int
	var seed uint64
	var tlp string
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Print made-up indicators as JSON lines, to try things out and to measure",
		Long: `Print made-up indicators as JSON lines. Addresses and names are from the ranges reserved for documentation (RFC 5737,
RFC 2606), so that none of them blocks anybody. The same seed gives the same objects.`,
		Example: "  skjold generate --count 1000 | skjold publish --collection indicators -",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			level, err := stix.ParseTLP(tlp)
			if err != nil {
				return usagef("--tlp: %w", err)
			}
			if count < 0 {
				return usagef("--count %d is negative", count)
			}
			f := newFeed(seed, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
			out := bufio.NewWriterSize(a.out, 64<<10)
			for i := range count {
				if i%1000 == 0 && cmd.Context().Err() != nil {
					return cmd.Context().Err()
				}
				raw, err := f.indicator(level)
				if err != nil {
					return err
				}
				if _, err := out.Write(append(raw, '\n')); err != nil {
					return err
				}
			}
			return out.Flush()
		},
	}
	cmd.Flags().IntVar(&count, "count", 100, "how many")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "what the randomness begins from")
	cmd.Flags().StringVar(&tlp, "tlp", "green", "TLP marking of each: clear, green, amber, amber+strict, red")
	return cmd
}

// feed makes up indicators from a seed.
type feed struct {
	rng     *rand.Rand
	now     time.Time
	creator string
}

// newFeed begins a feed whose objects are created from start on, a second apart.
func newFeed(seed uint64, start time.Time) *feed {
	f := &feed{rng: rand.New(rand.NewPCG(seed, 0x534b4a4f4c44)), now: start}
	f.creator = "identity--" + f.uuid()
	return f
}

// uuid is a UUIDv4 from the feed's own randomness.
func (f *feed) uuid() string {
	var u uuid.UUID
	binary.BigEndian.PutUint64(u[:8], f.rng.Uint64())
	binary.BigEndian.PutUint64(u[8:], f.rng.Uint64())
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u.String()
}

// indicatorJSON is an indicator as the feed writes it (STIX 2.1 §4.7).
type indicatorJSON struct {
	Type           string   `json:"type"`
	SpecVersion    string   `json:"spec_version"`
	ID             string   `json:"id"`
	CreatedByRef   string   `json:"created_by_ref,omitempty"`
	Created        string   `json:"created"`
	Modified       string   `json:"modified"`
	Name           string   `json:"name"`
	Description    string   `json:"description"`
	IndicatorTypes []string `json:"indicator_types"`
	Pattern        string   `json:"pattern"`
	PatternType    string   `json:"pattern_type"`
	ValidFrom      string   `json:"valid_from"`
	ValidUntil     string   `json:"valid_until"`
	Confidence     int      `json:"confidence"`
	MarkingRefs    []string `json:"object_marking_refs,omitempty"`
}

var lures = []string{"nemid-fornyelse", "digital-post-login", "faktura", "pakke-afhentning", "mitid-support", "sundhed-portal", "vpn-update", "intranet-sso"}

// indicator makes up one indicator with a TLP marking.
func (f *feed) indicator(level stix.TLP) ([]byte, error) {
	f.now = f.now.Add(time.Second)
	stamp := f.now.UTC().Format("2006-01-02T15:04:05.000Z")
	lure := lures[f.rng.IntN(len(lures))]
	var pattern, name, description string
	kind := "malicious-activity"
	switch f.rng.IntN(4) {
	case 0:
		ip := []string{"192.0.2", "198.51.100", "203.0.113"}[f.rng.IntN(3)] + fmt.Sprintf(".%d", f.rng.IntN(256))
		pattern, name = fmt.Sprintf("[ipv4-addr:value = '%s']", ip), "Command and control at "+ip
		description = "Beacons of a remote access trojan go to this address over TLS on port 443."
	case 1:
		host := fmt.Sprintf("%s-%04x.example", lure, f.rng.IntN(1<<16))
		pattern, name = fmt.Sprintf("[domain-name:value = '%s']", host), "Phishing domain "+host
		description = "Imitates a sign-in page and passes credentials on in real time."
	case 2:
		url := fmt.Sprintf("https://%s-%04x.example/%s/login", lure, f.rng.IntN(1<<16), f.uuid()[:8])
		pattern, name = fmt.Sprintf("[url:value = '%s']", url), "Phishing page on "+lure
		description = "Linked from mails that claim an unpaid invoice."
	default:
		sum := sha256.Sum256([]byte(f.uuid()))
		pattern, name = fmt.Sprintf("[file:hashes.'SHA-256' = '%s']", hex.EncodeToString(sum[:])), "Loader, attachment "+lure+".iso"
		description = "First stage of a loader, sent as an attachment."
	}
	o := indicatorJSON{
		Type: "indicator", SpecVersion: "2.1", ID: "indicator--" + f.uuid(), CreatedByRef: f.creator, Created: stamp, Modified: stamp,
		Name: name, Description: description, IndicatorTypes: []string{kind}, Pattern: pattern, PatternType: "stix", ValidFrom: stamp,
		ValidUntil: f.now.UTC().AddDate(0, 3, 0).Format("2006-01-02T15:04:05.000Z"), Confidence: 50 + f.rng.IntN(51),
	}
	if m := stix.MarkingOf(level); m != "" {
		o.MarkingRefs = []string{string(m)}
	}
	return json.Marshal(o)
}
