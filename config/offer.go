package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stowage-run/stowage/fleet"
)

// ParseOffer reads what a host offers as one writes it on a command line: "cpu=4,memory=8GiB,gpus=1,arch=arm64,zone=eu-c". What
// is none of cpu, memory, gpus and arch is a label. The host has no name yet. arch is empty where it is not said.
func ParseOffer(s string) (h fleet.Host, arch string, err error) {
	seen := map[string]bool{}
	for part := range strings.SplitSeq(s, ",") {
		k, v, ok := strings.Cut(strings.TrimSpace(part), "=")
		k, v = strings.TrimSpace(k), strings.TrimSpace(v)
		switch {
		case !ok || k == "" || v == "":
			return h, "", fmt.Errorf("%q is not name=value, as in \"cpu=4,memory=8GiB,zone=eu-c\"", part)
		case seen[k]:
			return h, "", fmt.Errorf("%s is given twice", k)
		}
		seen[k] = true
		switch k {
		case "cpu":
			h.Capacity.CPU, err = parseCPU(v)
		case "memory":
			h.Capacity.Memory, err = parseOfferedSize(v)
		case "gpus":
			if h.Capacity.GPUs, err = strconv.Atoi(v); err != nil || h.Capacity.GPUs < 0 {
				err = fmt.Errorf("%q is not a number of GPUs", v)
			}
		case "arch":
			arch = v
		default:
			if h.Labels == nil {
				h.Labels = map[string]string{}
			}
			h.Labels[k] = v
		}
		if err != nil {
			return h, "", fmt.Errorf("%s: %w", k, err)
		}
	}
	return h, arch, nil
}

func parseOfferedSize(s string) (fleet.Bytes, error) {
	n, remedy, err := parseSize(s)
	if err != nil && remedy != "" {
		return 0, fmt.Errorf("%w; write %s", err, remedy)
	}
	return n, err
}
