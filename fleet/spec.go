package fleet

// Spec is everything that a container of a workload is made from. It is the same for all replicas;
// what differs from one to the next (name, labels, host ports, the volumes of a replica) is in Instance.
//
// Zero means "not said": the image's or the engine's default applies and is never a difference.
// Lists whose order means nothing (CapAdd, Networks, Ports, ...) are sorted when they are made.
type Spec struct {
	Image       Image             `json:"image"`
	Entrypoint  []string          `json:"entrypoint,omitzero"` // nil: the image's; empty but not nil: none
	Command     []string          `json:"command,omitzero"`    // nil: the image's
	WorkingDir  string            `json:"working_dir,omitempty"`
	User        string            `json:"user,omitempty"`
	Hostname    string            `json:"hostname,omitempty"`
	Env         map[string]Text   `json:"env,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Networks    []NetworkName     `json:"networks,omitempty"`
	NetworkMode string            `json:"network_mode,omitempty"` // "", "bridge", "host" or "none"
	ExtraHosts  map[string]string `json:"extra_hosts,omitempty"`
	DNS         []string          `json:"dns,omitempty"` // in order
	Ports       []Port            `json:"ports,omitempty"`
	Mounts      []Mount           `json:"mounts,omitempty"`
	Files       []File            `json:"files,omitempty"`
	Limits      Limits            `json:"limits,omitzero"`
	GPUs        int               `json:"gpus,omitempty"`
	Restart     Restart           `json:"restart,omitempty"`
	StopSignal  string            `json:"stop_signal,omitempty"`

	ReadOnly    bool              `json:"read_only,omitempty"`
	Privileged  bool              `json:"privileged,omitempty"`
	Init        bool              `json:"init,omitempty"`
	CapAdd      []string          `json:"cap_add,omitempty"`
	CapDrop     []string          `json:"cap_drop,omitempty"`
	SecurityOpt []string          `json:"security_opt,omitempty"`
	Sysctls     map[string]string `json:"sysctls,omitempty"`
	Ulimits     []Ulimit          `json:"ulimits,omitempty"`
	ShmSize     Bytes             `json:"shm_size,omitempty"`
	Devices     []Device          `json:"devices,omitempty"`
	Logging     Logging           `json:"logging,omitzero"`
}

// Image is an image reference and what it is pinned to.
//
// Ref is what the configuration says, normalised ("nginx:1.27" stays as written; a missing tag is ":latest").
// The plan fills in the pin: Digest where a registry knows the image by one, else ID, the engine's own image id.
type Image struct {
	Ref    string `json:"ref"`
	Digest string `json:"digest,omitempty"` // "sha256:..." of the manifest or index
	ID     string `json:"id,omitempty"`     // "sha256:..." as an engine names it; may differ from engine to engine
}

// Pin is what identifies the pinned image: the digest where there is one, else the id; empty before pinning.
func (i Image) Pin() string {
	if i.Digest != "" {
		return i.Digest
	}
	return i.ID
}

// Text is a string that may be secret. Exactly one of its fields is set, or neither for the empty string.
type Text struct {
	Plain  string      `json:"plain,omitempty"`
	Sealed Fingerprint `json:"sealed,omitempty"`
}

// Secret reports whether the text is known only by its fingerprint.
func (t Text) Secret() bool { return t.Sealed != "" }

// Fingerprint stands for a secret value wherever a value may be written down: "hmac-sha256:<hex>",
// keyed with a key that only the state holds.
type Fingerprint string

// Vault holds, in memory only, the secret values behind fingerprints. It is never encoded.
type Vault map[Fingerprint]string

// Open returns the text's value. ok is false where the vault does not hold it.
func (v Vault) Open(t Text) (s string, ok bool) {
	if !t.Secret() {
		return t.Plain, true
	}
	s, ok = v[t.Sealed]
	return s, ok
}

// PortPolicy says whether and where a container port is published on its host.
type PortPolicy string

// The port policies.
const (
	PortInternal PortPolicy = ""      // not published
	PortFixed    PortPolicy = "fixed" // Port.Host, exactly
	PortAuto     PortPolicy = "auto"  // one from AutoPortFirst to AutoPortLast, recorded
)

// The range of automatic host ports: below Linux's ephemeral range (32768-60999), above the registered
// ports in common use, and ten thousand wide.
const (
	AutoPortFirst = 20000
	AutoPortLast  = 29999
)

// Port is a named port of a workload.
type Port struct {
	Name      string     `json:"name"`
	Container uint16     `json:"container"`
	Policy    PortPolicy `json:"policy,omitempty"`
	Host      uint16     `json:"host,omitempty"` // with PortFixed
	Bind      string     `json:"bind,omitempty"` // IP; empty: all of the host's addresses
	Protocol  string     `json:"protocol"`       // "tcp", "udp" or "sctp"
}

// MountKind is the kind of thing mounted.
type MountKind string

// The kinds of mounts.
const (
	MountBind   MountKind = "bind"
	MountVolume MountKind = "volume"
	MountTmpfs  MountKind = "tmpfs"
)

// Mount is one mount. Source is an absolute path on the host for a bind, and empty for tmpfs.
type Mount struct {
	Target   string     `json:"target"`
	Kind     MountKind  `json:"kind"`
	Source   string     `json:"source,omitempty"` // bind: the path
	Volume   VolumeName `json:"volume,omitempty"` // volume: the declared volume
	ReadOnly bool       `json:"read_only,omitempty"`
	Size     Bytes      `json:"size,omitempty"` // tmpfs; 0: no limit
}

// File is a file put into the container. Contents, not paths, are compared.
type File struct {
	Path     string `json:"path"`
	Content  Text   `json:"content"`
	Mode     uint32 `json:"mode"`      // permission bits
	OnChange string `json:"on_change"` // "restart", "signal:<NAME>" or "none"
}

// Limits are the bounds that an engine can change on a running container. Zero is "no limit".
type Limits struct {
	CPU       CPU   `json:"cpu,omitempty"`
	Memory    Bytes `json:"memory,omitempty"`
	PidsLimit int64 `json:"pids_limit,omitempty"`
}

// Restart is what the engine does by itself when a container ends.
type Restart string

// The restart policies.
const (
	RestartAlways    Restart = "always" // until it is stopped on purpose; sent to Docker as unless-stopped
	RestartOnFailure Restart = "on-failure"
	RestartNo        Restart = "no"
)

// Ulimit is one resource limit of the container's processes.
type Ulimit struct {
	Name string `json:"name"`
	Soft int64  `json:"soft"`
	Hard int64  `json:"hard"`
}

// Device is a host device made available in the container.
type Device struct {
	Host        string `json:"host"`
	Container   string `json:"container"`
	Permissions string `json:"permissions"` // of "rwm"
}

// Logging says where the engine writes a container's output. The zero value is the engine's default driver.
type Logging struct {
	Driver  string            `json:"driver,omitempty"`
	Options map[string]string `json:"options,omitempty"`
}

// Instance is one container to be: a Spec together with what is this replica's own.
// It is the whole argument of a create, and what a plan's step carries.
type Instance struct {
	Fleet      ID                `json:"fleet"`
	FleetName  Name              `json:"fleet_name"`
	Replica    ReplicaID         `json:"replica"`
	Generation Generation        `json:"generation"`
	Revision   Revision          `json:"revision"`
	Release    Release           `json:"release"`
	HostPorts  map[string]uint16 `json:"host_ports,omitempty"` // by port name, for every published port
	Volumes    map[string]string `json:"volumes,omitempty"`    // engine's volume name, by mount target
	Networks   map[string]string `json:"networks,omitempty"`   // engine's network name, by NetworkName
}

// ContainerName returns the name of the instance's container.
func (i Instance) ContainerName() string {
	return ContainerName(i.FleetName, i.Replica, i.Generation)
}
