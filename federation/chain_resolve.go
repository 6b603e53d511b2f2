package federation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// maxHosts is how many hubs are asked for the configuration of an entity that does not answer itself.
const maxHosts = 3

// ResolveTrustChain finds the trust chain of an entity by its id (OpenID Federation 1.0 §10.1): its configuration from the
// entity itself or, where that does not answer, from one of hosts, the hubs that may host it; and from there upwards as
// FindTrustChain does. Whoever hands the configuration over need not be trusted: the chain proves it. Like FindTrustChain,
// it is for a node's own background work and for operators' commands, and costs at most a minute, 64 KB and 12 requests.
func ResolveTrustChain(ctx context.Context, client *http.Client, entity EntityID, hosts []EntityID, o ChainOptions) (*TrustChain, error) {
	ctx, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	s := &chainSearch{http: client, options: o}
	c, err := s.configurationOf(ctx, entity, hosts)
	if err != nil {
		return nil, fmt.Errorf("find the trust chain of %s: %w", entity, err)
	}
	s.fetches = 0 // those for the configuration are bounded by themselves
	chain, err := s.find(ctx, []string{c.Compact}, entity, c.AuthorityHints)
	if chain == nil {
		return nil, fmt.Errorf("find the trust chain of %s: %w", entity, errors.Join(append(s.failed, err)...))
	}
	return chain, nil
}

// configurationOf gets the configuration of an entity from the first who has one that holds.
func (s *chainSearch) configurationOf(ctx context.Context, entity EntityID, hosts []EntityID) (*EntityConfiguration, error) {
	hosts = slices.DeleteFunc(slices.Clone(hosts), func(h EntityID) bool { return h == entity || !h.sameWorld(entity) })
	addresses := []string{string(entity) + WellKnownPath}
	for _, h := range hosts[:min(len(hosts), maxHosts)] {
		addresses = append(addresses, string(h)+HostedPath+"?sub="+url.QueryEscape(string(entity)))
	}
	var failed []error
	for _, address := range addresses {
		text, err := s.fetch(ctx, address)
		if err == nil {
			var c *EntityConfiguration
			if c, err = VerifyEntityConfiguration(text, s.options.Now); err == nil {
				if c.Subject == entity {
					return c, nil
				}
				err = fmt.Errorf("%s answered with the configuration of %s", address, c.Subject)
			}
		}
		failed = append(failed, err)
	}
	return nil, errors.Join(failed...)
}
