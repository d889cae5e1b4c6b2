package testfleet

import "time"

// KeyType is a kind of SSH host key.
type KeyType string

// The kinds of host key a host can have.
const (
	Ed25519 KeyType = "ed25519"
	ECDSA   KeyType = "ecdsa"
	RSA     KeyType = "rsa"
)

// Config says what fleet to start. The zero value is one host with an Ed25519 key.
type Config struct {
	Hosts    int       // how many hosts; 0 means 1, or none with Local
	Local    bool      // also a host that stands for this machine: Fleet.Local
	HostKeys []KeyType // what keys each sshd has; none means Ed25519
	Dir      string    // where fleets keep their files; "" means DefaultDir
	SSHD     []string  // further lines of each sshd_config, such as "MaxSessions 2"
}

// DefaultDir holds one directory for each running fleet. It is not below the
// directory for temporary files: that may be a tmpfs, and engines unpack images here.
const DefaultDir = "/var/lib/stowage-testfleet"

// Limits on waiting. A host starts in about two seconds on an idle machine; the
// limits leave room for one that is busy with other tests.
const (
	startTimeout   = 90 * time.Second
	stopTimeout    = 20 * time.Second
	commandTimeout = 30 * time.Second
	pollInterval   = 20 * time.Millisecond
)

func (c Config) withDefaults() Config {
	if c.Hosts == 0 && !c.Local {
		c.Hosts = 1
	}
	if len(c.HostKeys) == 0 {
		c.HostKeys = []KeyType{Ed25519}
	}
	if c.Dir == "" {
		c.Dir = DefaultDir
	}
	return c
}
