package fleet

import "time"

// Observation is what one host says is there now. A host that did not answer has no Observation:
// unknown is not empty.
type Observation struct {
	Engine     EngineInfo         `json:"engine"`
	Containers []Container        `json:"containers,omitempty"` // with a fleet label of ours; sorted by name
	Foreign    []ForeignContainer `json:"foreign,omitempty"`    // every other one; sorted by name
	Volumes    []ObservedVolume   `json:"volumes,omitempty"`    // all; sorted by name
	Networks   []ObservedNetwork  `json:"networks,omitempty"`   // all; sorted by name
	Images     []ObservedImage    `json:"images,omitempty"`     // those asked about that are there; sorted by ref
}

// EngineInfo is what an engine says of itself and its host.
type EngineInfo struct {
	ID       string    `json:"id"` // unique to one engine: two hosts with one ID are one machine
	Kind     string    `json:"kind"`
	Version  string    `json:"version"`
	API      string    `json:"api"`
	OS       string    `json:"os"`
	Arch     string    `json:"arch"` // as Go spells it: amd64, arm64
	Capacity Resources `json:"capacity"`
}

// Phase is where a container is in its life.
type Phase string

// The phases of a container, in Docker's words.
const (
	PhaseCreated    Phase = "created"
	PhaseRunning    Phase = "running"
	PhasePaused     Phase = "paused"
	PhaseRestarting Phase = "restarting" // ended, and the engine is about to start it again
	PhaseExited     Phase = "exited"
	PhaseRemoving   Phase = "removing"
	PhaseDead       Phase = "dead" // the engine gave up removing it
)

// Container is one container of ours as its engine describes it.
type Container struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"` // without a leading slash
	Identity Identity `json:"identity"`

	Phase     Phase     `json:"phase"`
	Health    string    `json:"health,omitempty"` // "", "starting", "healthy" or "unhealthy"
	ExitCode  int       `json:"exit_code,omitempty"`
	OOMKilled bool      `json:"oom_killed,omitempty"`
	Error     string    `json:"error,omitempty"`      // why it could not start; untrusted text
	PortTaken bool      `json:"port_taken,omitempty"` // its last start failed since somebody else had a host port of its
	Restarts  int       `json:"restarts,omitempty"`
	Created   time.Time `json:"created,omitzero"`
	Started   time.Time `json:"started,omitzero"`

	ImageID   string            `json:"image_id"`
	Networks  []string          `json:"networks,omitempty"` // engine's names, sorted
	HostPorts []PublishedPort   `json:"host_ports,omitempty"`
	Limits    Limits            `json:"limits,omitzero"`   // as they are now
	Restart   Restart           `json:"restart,omitempty"` // as it is now
	Labels    map[string]string `json:"labels,omitempty"`  // all of them
}

// PublishedPort is a port of the host that is bound.
type PublishedPort struct {
	Bind      string `json:"bind,omitempty"`
	Host      uint16 `json:"host"`
	Container uint16 `json:"container,omitempty"`
	Protocol  string `json:"protocol"`
}

// ForeignContainer is a container that is not this fleet's. It is only looked at, for the names and
// ports that it holds, and for whether it belongs to another life of a fleet of the same name.
type ForeignContainer struct {
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Phase     Phase           `json:"phase"`
	HostPorts []PublishedPort `json:"host_ports,omitempty"`
	Identity  Identity        `json:"identity,omitzero"` // of another fleet of Stowage's; zero: of nobody we know
}

// ObservedVolume is a volume on a host.
type ObservedVolume struct {
	Name   string `json:"name"`
	Driver string `json:"driver"`
	Fleet  ID     `json:"fleet,omitempty"`  // empty: not made by Stowage
	Object Addr   `json:"object,omitempty"` // of the declared volume
}

// ObservedNetwork is a network on a host.
type ObservedNetwork struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Driver string `json:"driver"`
	Fleet  ID     `json:"fleet,omitempty"`
	Object Addr   `json:"object,omitempty"`
}

// ObservedImage is what a host has under an image reference.
type ObservedImage struct {
	Ref     string    `json:"ref"` // as asked
	ID      string    `json:"id"`
	Digests []string  `json:"digests,omitempty"` // "sha256:..." by which a registry knows it under this ref's repository
	Created time.Time `json:"created,omitzero"`
	Arch    string    `json:"arch,omitempty"`
}

// Matches reports whether the observed image is the pinned one.
func (o ObservedImage) Matches(i Image) bool {
	if i.ID != "" && o.ID == i.ID {
		return true
	}
	for _, d := range o.Digests {
		if i.Digest != "" && d == i.Digest {
			return true
		}
	}
	return false
}

// View is what is known of every host of a fleet at one moment.
type View struct {
	Time  time.Time             `json:"time"`
	Hosts map[HostName]Sighting `json:"hosts"`
}

// Sighting is one host's entry in a View: an observation, or why there is none.
type Sighting struct {
	Observation *Observation `json:"observation,omitempty"` // nil: unknown
	Why         string       `json:"why,omitempty"`         // with nil: the error, for people
}

// Known returns the observation of a host, and whether there is one.
func (v View) Known(h HostName) (*Observation, bool) {
	s := v.Hosts[h]
	return s.Observation, s.Observation != nil
}
