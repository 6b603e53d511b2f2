package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/skjold-exchange/skjold/config"
	"github.com/skjold-exchange/skjold/federation"
)

// demoSite is one party of the demonstration: how the founders vote on it, and whom it exchanges its collection with.
type demoSite struct {
	name, folder, orgID, class string
	below                      string              // folder of who issues the statements about it
	votes                      []federation.Choice // nil for a municipality: the founders vote on the class
	peers                      []int               // indexes of sites; each pair pulls from each other
}

// demoFounders are the founding parties. They need no node: a vote key and files are enough.
var demoFounders = []founder{
	{"founder-municipalities", "https://municipalities.example", "Local Government"},
	{"founder-regions", "https://regions.example", "The regions"},
	{"founder-state", "https://state.example", "The state"},
	{"founder-industry", "https://industry.example", "The industries"},
	{"founder-utilities", "https://utilities.example", "The utilities"},
}

const (
	yes     = federation.For
	no      = federation.Against
	neither = federation.Abstain
	absent  = federation.Choice("")
)

// demoSites are a small federation: two municipalities, a region and a company around the joint municipal hub and the
// state. Nothing is drawn from a real network.
var demoSites = []demoSite{
	{"Municipality of Aarhus", "aarhus", "cvr:10000011", "municipality", "hub", nil, []int{2}},
	{"Municipality of Viborg", "viborg", "cvr:10000012", "municipality", "hub", nil, []int{2}},
	{"Joint municipal hub", "hub", "cvr:10000010", hubClass, secretariatFolder, []federation.Choice{yes, yes, yes, yes, yes}, []int{3}},
	{"State", "state", "cvr:10000020", "authority", secretariatFolder, []federation.Choice{yes, yes, yes, neither, yes}, nil},
	{"Central region", "region", "cvr:10000030", "region", secretariatFolder, []federation.Choice{yes, yes, yes, yes, neither}, []int{3}},
	{"Company (waterworks)", "company", "cvr:10000040", "company", secretariatFolder, []federation.Choice{yes, no, yes, neither, yes}, []int{3}},
}

// demoClass is how the founders vote on the municipalities, all at once.
var demoClass = []federation.Choice{yes, yes, yes, neither, absent}

const (
	// demoPublisher is the index of the site whose analyst publishes.
	demoPublisher = 0
	// demoState is that of the state, which the company pulls from.
	demoState = 3
	// demoHub is that of the hub which states the municipalities.
	demoHub = 2

	secretariatFolder = "secretariat"
	hubClass          = "hub"

	// commandsFile lists in papers how the federation was founded. It is written last: where it is, the founding is whole.
	commandsFile = "commands.txt"
)

// openDemo founds the federation below dir, or finds it there, opens its nodes and wires them.
func (a *app) openDemo(ctx context.Context, dir string) (f *demoFederation, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	f = &demoFederation{feed: newFeed(uint64(time.Now().UnixNano()), time.Now().Add(-time.Hour))}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	f.secretariat = newDemoNode(dir, demoSite{name: "Secretariat", folder: secretariatFolder})
	for _, site := range demoSites {
		f.sites = append(f.sites, newDemoNode(dir, site))
	}
	for _, s := range f.all() {
		if err := s.listen(); err != nil {
			return f, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if err := a.foundDemo(ctx, f, dir); err != nil {
		return f, err
	}
	for _, s := range f.all() {
		if err := s.open(ctx); err != nil {
			return f, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for i, site := range demoSites {
		for _, j := range site.peers {
			if err := errors.Join(f.sites[i].follow(ctx, f.sites[j]), f.sites[j].follow(ctx, f.sites[i])); err != nil {
				return f, err
			}
		}
	}
	return f, nil
}

func newDemoNode(dir string, site demoSite) *demoNode {
	return &demoNode{demoSite: site, dir: dataDir(filepath.Join(dir, site.folder)), arrivals: map[demoObject]time.Time{}}
}

// listen takes the address of the site: a free one, or that of an earlier run.
func (s *demoNode) listen() error {
	ok, err := s.dir.initialised()
	if err != nil {
		return err
	}
	if !ok {
		s.listener, err = net.Listen("tcp", "127.0.0.1:0")
		return err
	}
	cfg, err := config.Load(config.LoadOptions{File: s.dir.config(), Env: []string{}})
	if err != nil {
		return err
	}
	s.listener, err = listen(cfg.Listen, "--dir (another directory)")
	return err
}

// open opens the node of a directory that is one.
func (s *demoNode) open(ctx context.Context) error {
	cfg, err := config.Load(config.LoadOptions{File: s.dir.config(), Env: []string{}})
	if err != nil {
		return err
	}
	cfg.Federation.PollInterval = demoPoll
	s.entity, s.apiRoot = federation.EntityID(cfg.Entity), apiRootURL(cfg)
	if s.node, err = openNode(ctx, s.dir, cfg, slog.New(slog.NewTextHandler(io.Discard, nil)), s.applied); err != nil {
		return err
	}
	return errors.Join(s.accounts(ctx), s.remember(ctx), s.openToMembers(ctx))
}

// foundDemo founds the federation, unless an earlier run did, and tells in plain words what is done.
func (a *app) foundDemo(ctx context.Context, f *demoFederation, dir string) error {
	switch _, err := os.Stat(filepath.Join(dir, papers, commandsFile)); {
	case err == nil:
		_, err := fmt.Fprintf(a.out, "The federation in %s was founded before.\n\n", dir)
		return err
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	for _, s := range f.all() {
		if _, err := os.Stat(string(s.dir)); err == nil {
			return fmt.Errorf("%s holds no whole demonstration: its founding was interrupted, or an earlier version made it; remove it, or choose another directory with --dir", dir)
		}
	}
	var typed bytes.Buffer
	fmt.Fprintln(&typed, "# How this federation was founded. The commands are run in the directory above this one, each by the party whose folder it names.")
	founding := &founding{dir: dir, founders: demoFounders, secretariat: f.secretariat.party(""), typed: &typed}
	if err := a.foundStepByStep(ctx, f, founding); err != nil {
		return fmt.Errorf("found the federation: %w", err)
	}
	return writeFileDurably(founding.paper(commandsFile), typed.Bytes(), 0o644)
}

// party is the site as its founders see it.
func (s *demoNode) party(hub string) party {
	address := s.listener.Addr().String()
	return party{folder: s.folder, entity: "http://" + address, listen: address, name: s.name, orgID: s.orgID, class: s.class, hub: hub}
}

func (a *app) foundStepByStep(ctx context.Context, f *demoFederation, founding *founding) error {
	entities := map[string]string{secretariatFolder: founding.secretariat.entity}
	for _, s := range f.sites {
		entities[s.folder] = s.party("").entity
	}
	all := []party{founding.secretariat}
	for _, s := range f.sites {
		all = append(all, s.party(entities[s.below]))
	}
	fmt.Fprintf(a.out, "Founding a federation in %s\n\n1. %d parties make themselves nodes: keys, a database, a configuration.\n", founding.dir, len(all))
	if err := founding.nodes(ctx, all); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "2. %d founders make vote keys, draw up a charter, and each signs it. Its hash is what every node pins:\n", len(founding.founders))
	if err := founding.found(ctx, "A shared shield"); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "     %s\n3. The secretariat proposes members, founders vote; more than half of all founders must be for it.\n   The secretariat signs statements and decides nothing: a stolen key of its admits nobody.\n", spoken(founding.charter))
	class, t, err := foundDemoMembers(ctx, founding, all[1:])
	if err != nil {
		return err
	}
	if err := t.print(a.out); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "4. Each node pins the charter, takes the signed records, and checks every vote itself. No node has pinned another: they\n   know each other by trust chains, and serve each other what they have opened to members.\n")
	if err := founding.spread(ctx, all); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "5. The municipalities send the hub their keys; it states them, and could state nobody else.\n\n")
	for i, site := range demoSites {
		if site.votes == nil {
			if err := founding.state(ctx, site.below, all[1+i], class); err != nil {
				return err
			}
		}
	}
	return nil
}

// foundDemoMembers admits a hub before those that it states, and the municipalities in the end, by one vote.
func foundDemoMembers(ctx context.Context, founding *founding, parties []party) (class admitted, t table, err error) {
	t.head = []string{"   MEMBER", "FOR IT", "STATED BY"}
	var municipalities []string
	for _, hub := range []bool{true, false} {
		for i, site := range demoSites {
			switch {
			case (site.class == hubClass) != hub:
				continue
			case site.votes == nil:
				municipalities = append(municipalities, site.orgID)
				continue
			}
			d, err := founding.admit(ctx, parties[i], site.votes)
			if err != nil {
				return class, t, err
			}
			t.row("   "+site.name, fmt.Sprintf("%d of %d", d.For, d.Founders), site.below)
		}
	}
	hub := parties[demoHub]
	class, err = founding.admitClass(ctx, party{folder: "municipalities", name: "The municipalities", class: "municipality", hub: hub.entity}, municipalities, demoClass)
	t.row(fmt.Sprintf("   The municipalities (%d, by one vote)", len(municipalities)), fmt.Sprintf("%d of %d", class.For, class.Founders), hub.folder)
	return class, t, err
}
