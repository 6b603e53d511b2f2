package federation

import (
	"errors"
	"fmt"
	"net/netip"
)

// ErrForbiddenAddress: the address that a host name led to may not be dialled.
var ErrForbiddenAddress = errors.New("address not allowed")

// dialRule decides about the address that is dialled, after the name was resolved: a name that leads to another address
// each time it is asked changes nothing.
type dialRule struct {
	loopback     bool // the node is one on this machine: 127.0.0.1 and nothing else
	allowPrivate bool
}

// allow decides about one address, in the numeric form in which the dialler hands it to the system.
func (r dialRule) allow(address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q is not numeric", ErrForbiddenAddress, address)
	}
	addr := effective(ap.Addr())
	if r.loopback {
		if addr != netip.AddrFrom4([4]byte{127, 0, 0, 1}) {
			return fmt.Errorf("%w: a node on this machine speaks to 127.0.0.1 only, not to %s", ErrForbiddenAddress, addr)
		}
		return nil
	}
	switch {
	case isPrivate(addr):
		if !r.allowPrivate {
			return fmt.Errorf("%w: %s is private; allow private addresses in the configuration if the federation runs on a private network", ErrForbiddenAddress, addr)
		}
		return nil
	case isSpecial(addr):
		return fmt.Errorf("%w: %s is no address of another node (loopback, link-local, multicast or reserved)", ErrForbiddenAddress, addr)
	}
	return nil
}

// effective returns the IPv4 address inside an IPv6 form that leads to it: mapped and compatible (RFC 4291 §2.5.5), NAT64
// (RFC 6052) and 6to4 (RFC 3056). Others are returned as they are.
func effective(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a
	}
	b := a.As16()
	switch {
	case nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:16]))
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	case compatible.Contains(a) && a != netip.IPv6Unspecified() && a != netip.IPv6Loopback():
		return netip.AddrFrom4([4]byte(b[12:16]))
	}
	return a
}

var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour  = netip.MustParsePrefix("2002::/16")
	compatible = netip.MustParsePrefix("::/96")
)

// privatePrefixes are networks in which public bodies do run nodes.
var privatePrefixes = prefixes(
	"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", // RFC 1918
	"100.64.0.0/10", // shared address space, RFC 6598
	"fc00::/7",      // unique local, RFC 4193
)

// specialPrefixes are never another node: the special-purpose registries of RFC 6890, as far as they are not private.
var specialPrefixes = prefixes(
	"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16",
	"fe80::/10", "fec0::/10", "ff00::/8",
)

// metadataService is the one address of fc00::/7 that clouds give to their metadata service.
var metadataService = netip.MustParseAddr("fd00:ec2::254")

func isPrivate(a netip.Addr) bool { return contains(privatePrefixes, a) && a != metadataService }

func isSpecial(a netip.Addr) bool { return contains(specialPrefixes, a) || a == metadataService }

func contains(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		list[i] = netip.MustParsePrefix(t)
	}
	return list
}
