package fleet

import "time"

// Host is a machine with a container engine, reached locally or over SSH.
type Host struct {
	Name    HostName          `json:"name"`
	Address string            `json:"address,omitempty"` // empty: this machine, without SSH
	Labels  map[string]string `json:"labels,omitempty"`
	SSH     SSH               `json:"ssh,omitzero"`
	Engine  EngineRef         `json:"engine,omitzero"`

	Reserve  Resources `json:"reserve,omitzero"`  // kept from workloads
	Capacity Resources `json:"capacity,omitzero"` // zero fields: what the engine reports
	Devices  []string  `json:"devices,omitempty"` // the devices that workloads may ask for, sorted; nil: not said, any
	Cordon   bool      `json:"cordon,omitempty"`  // no new replicas
	Drain    bool      `json:"drain,omitempty"`   // its replicas move away
}

// Local reports whether the host is this machine.
func (h Host) Local() bool { return h.Address == "" }

// CapacityWith returns what the whole machine has: what the configuration says and, where that says nothing, what its engine
// reports. A zero field is not known.
func (h Host) CapacityWith(reported Resources) Resources {
	if h.Capacity.CPU != 0 {
		reported.CPU = h.Capacity.CPU
	}
	if h.Capacity.Memory != 0 {
		reported.Memory = h.Capacity.Memory
	}
	if h.Capacity.GPUs != 0 {
		reported.GPUs = h.Capacity.GPUs
	}
	return reported
}

// HostKeyPolicy says what happens when a host's key is not yet known. A changed key is always refused.
type HostKeyPolicy string

// The host key policies. The empty policy is HostKeyStrict.
const (
	HostKeyStrict    HostKeyPolicy = "strict"
	HostKeyAcceptNew HostKeyPolicy = "accept-new"
)

// SSH says how a host is reached. Empty fields are taken from ~/.ssh/config, then from OpenSSH's defaults.
type SSH struct {
	User       string        `json:"user,omitempty"`
	Port       int           `json:"port,omitempty"`
	KeyFile    string        `json:"key_file,omitempty"`
	KnownHosts string        `json:"known_hosts,omitempty"`
	HostKey    HostKeyPolicy `json:"host_key,omitempty"`
	JumpHost   string        `json:"jump_host,omitempty"` // user@host:port
	Timeout    time.Duration `json:"timeout,omitempty"`   // of each stage of connecting; 0: 10 s
}

// EngineRef says which engine runs a host's containers and where it listens.
type EngineRef struct {
	Kind   string `json:"kind,omitempty"`   // empty: "docker"
	Socket string `json:"socket,omitempty"` // empty: the engine's usual one
}
