package config

import (
	"fmt"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/stowage-run/stowage/fleet"
)

// duration reads "10s". A bare number is refused.
func (d *decoder) duration(name string, def time.Duration) time.Duration {
	v, a, ok := d.plain(name)
	if !ok {
		return def
	}
	if v.Type() == cty.Number {
		n := v.AsBigFloat().Text('g', 12)
		d.bad(a, fmt.Sprintf("%s is a time and needs a unit; a bare %s could be seconds or milliseconds.", name, n), fmt.Sprintf("%s = %q", name, n+"s"))
		return def
	}
	s, ok := d.to(v, cty.String, a, "a time such as \"10s\"")
	if !ok {
		return def
	}
	t, err := parseDuration(s.AsString())
	if err != nil {
		d.bad(a, sentence(err.Error()), "")
		return def
	}
	return t
}

// size reads "512MiB".
func (d *decoder) size(name string) fleet.Bytes {
	v, a, ok := d.plain(name)
	if !ok {
		return 0
	}
	return d.toSize(v, a)
}

func (d *decoder) toSize(v cty.Value, a *attr) fleet.Bytes {
	if v.Type() == cty.Number {
		n := v.AsBigFloat().Text('f', -1)
		d.bad(a, fmt.Sprintf("%s is a size and needs a unit; a bare %s could be bytes or MiB.", a.name, n), fmt.Sprintf("%s = %q", a.name, n+"MiB"))
		return 0
	}
	s, ok := d.to(v, cty.String, a, "a size such as \"512MiB\"")
	if !ok {
		return 0
	}
	b, remedy, err := parseSize(s.AsString())
	if err != nil {
		if remedy != "" {
			remedy = fmt.Sprintf("%s = %q", a.name, remedy)
		}
		d.bad(a, sentence(err.Error()), remedy)
		return 0
	}
	return b
}

// cores reads 0.5 or "500m".
func (d *decoder) cores(name string) fleet.CPU {
	v, a, ok := d.plain(name)
	if !ok {
		return 0
	}
	s, ok := d.to(v, cty.String, a, "a number of cores such as 0.5")
	if !ok {
		return 0
	}
	c, err := parseCPU(s.AsString())
	if err != nil {
		d.bad(a, sentence(err.Error()), "")
		return 0
	}
	return c
}
