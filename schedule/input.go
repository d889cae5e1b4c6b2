package schedule

import "github.com/stowage-run/stowage/fleet"

// Input is all that a placement depends on. Place changes none of it.
type Input struct {
	Fleet   *fleet.Fleet
	Current map[fleet.ReplicaID]Current    // what stands now, by record and observation
	Hosts   map[fleet.HostName]HostFacts   // a host without an entry is unknown
	Volumes map[VolumeKey][]fleet.HostName // where volumes exist already; hosts outside the fleet included

	// Archs names the architectures that a workload's image is made for, as Go spells them. A workload
	// without an entry runs on any.
	Archs map[fleet.WorkloadName][]string

	// Frozen workloads are left exactly as Current has them, declared or not: a plan with targets
	// places only what it targets.
	Frozen map[fleet.WorkloadName]bool

	// Rebalance also moves replicas that could stay, as few as restore the spread.
	Rebalance bool
}

// Current is where a replica stands now.
type Current struct {
	Host      fleet.HostName
	HostPorts map[string]uint16 // as recorded, by port name

	// Reserve is what the replica was placed with. Where a host has become too small, those that have
	// grown give way first. The zero value means: as the workload declares now.
	Reserve fleet.Resources

	// Holds says that volumes on Host have this replica's data. It stays there or is refused, as long
	// as the workload mounts a volume at all.
	Holds bool

	// NewPorts says that the next container is to start while this one still runs: its automatic ports are given anew.
	NewPorts bool

	// Unhealthy says that it runs and does not do its work. It counts for nothing when the question is whether a
	// workload has a healthy replica left.
	Unhealthy bool
}

// HostFacts is what is known of a host beyond its configuration.
type HostFacts struct {
	// Known says that the host was observed. One that was not gets no new replicas, and keeps those it
	// has: unknown is not empty.
	Known bool

	// Lost says that the host is gone for good, whatever else is said of it: nothing stands there any more. Its
	// replicas are placed elsewhere, but those that hold data there or are exclusive: they are refused, and wait.
	Lost bool

	// Capacity is what the engine reports. A zero CPU or Memory is not known and taken as unlimited.
	// GPUs are none where they are zero, unless nothing at all is known: an engine that reports its
	// memory would start a container without the device, and fail.
	Capacity fleet.Resources

	Arch          string // empty: any image runs
	OS            string // these three are empty where they are not known
	Engine        string // "docker"
	EngineVersion string

	Taken []fleet.PublishedPort // ports that others than this fleet hold
}

// VolumeKey names one volume wherever it is: a declared one, or the one of a single replica where the
// declaration says per_replica.
type VolumeKey struct {
	Volume  fleet.VolumeName
	Replica fleet.ReplicaID // zero unless per_replica
}
