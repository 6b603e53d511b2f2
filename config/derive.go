package config

import (
	"net"
	"strconv"
)

// derived is the origin of values that follow from others.
const derived = "derived"

// derive fills in what follows from other settings where nobody set it.
func (c *Config) derive() {
	if c.origin == nil {
		c.origin = origins{}
	}
	if (c.Entity == "" || c.origin["entity"] == derived) && c.port() != "0" && c.port() != "" {
		c.Entity, c.origin["entity"] = "http://127.0.0.1:"+c.port(), derived
	}
	if (c.PublicURL == "" || c.origin["public_url"] == derived) && c.Entity != "" {
		c.PublicURL, c.origin["public_url"] = c.Entity, derived
	}
}

// port is the port of Listen as text, "" if Listen is no address.
func (c *Config) port() string {
	_, port, _ := net.SplitHostPort(c.Listen)
	return port
}

// SetPort puts the port that the system chose into Listen, where that had port 0, and derives Entity and PublicURL where
// nobody set them. Until then both are empty. It does nothing where Listen has another port.
func (c *Config) SetPort(port int) {
	if host, _, err := net.SplitHostPort(c.Listen); err == nil && c.port() == "0" {
		c.Listen = net.JoinHostPort(host, strconv.Itoa(port))
		c.derive()
	}
}
