package fleet

import "strconv"

// Bytes is an amount of memory or disk in bytes.
type Bytes int64

// The binary units that sizes are written in.
const (
	KiB Bytes = 1 << 10
	MiB Bytes = 1 << 20
	GiB Bytes = 1 << 30
	TiB Bytes = 1 << 40
)

// String writes the size as configuration does, in the largest unit that keeps it a whole number: "512MiB".
func (b Bytes) String() string {
	for _, u := range []struct {
		size Bytes
		name string
	}{{TiB, "TiB"}, {GiB, "GiB"}, {MiB, "MiB"}, {KiB, "KiB"}} {
		if b != 0 && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}

// CPU is an amount of processor in thousandths of a core.
type CPU int64

// Core is one whole core.
const Core CPU = 1000

// String writes the amount in cores, as configuration does: "0.25".
func (c CPU) String() string { return strconv.FormatFloat(float64(c)/1000, 'f', -1, 64) }

// Resources is what a replica reserves or a host offers. A zero field reserves nothing.
type Resources struct {
	CPU    CPU   `json:"cpu,omitempty"`
	Memory Bytes `json:"memory,omitempty"`
	GPUs   int   `json:"gpus,omitempty"`
}

// Add returns the sum of two amounts.
func (r Resources) Add(o Resources) Resources {
	return Resources{r.CPU + o.CPU, r.Memory + o.Memory, r.GPUs + o.GPUs}
}

// Sub returns r less o; fields may become negative.
func (r Resources) Sub(o Resources) Resources {
	return Resources{r.CPU - o.CPU, r.Memory - o.Memory, r.GPUs - o.GPUs}
}
