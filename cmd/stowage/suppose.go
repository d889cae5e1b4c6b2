package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/config"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/reconcile"
)

// supposeFlags are the questions that a plan can answer: what would happen if.
type supposeFlags struct{ lose, loseLabel, drain, add []string }

func (f *supposeFlags) define(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringArrayVar(&f.lose, "lose", nil, "what if the host at `ADDR` were lost; may be given again")
	fs.StringArrayVar(&f.loseLabel, "lose-label", nil, "what if all hosts with the label `NAME=VALUE` were lost; may be given again")
	fs.StringArrayVar(&f.drain, "drain", nil, "what if the host at `ADDR` were drained; may be given again")
	fs.StringArrayVar(&f.add, "add-host", nil, "what if there were a host more: `OFFER` as in 'cpu=4,memory=8GiB,zone=eu-c'; may be given again")
}

// supposition reads the flags; nil: nothing is supposed.
func (f *supposeFlags) supposition(cmd *cobra.Command) (*reconcile.Supposition, error) {
	var s reconcile.Supposition
	for _, x := range []struct {
		flag string
		in   []string
		out  *[]fleet.HostName
	}{{"lose", f.lose, &s.Lose}, {"drain", f.drain, &s.Drain}} {
		for _, text := range x.in {
			n, err := hostArg(text)
			if err != nil {
				return nil, usageError(cmd, fmt.Sprintf("-%s: %v", x.flag, err))
			}
			*x.out = append(*x.out, n)
		}
	}
	for _, text := range f.loseLabel {
		k, v, ok := strings.Cut(text, "=")
		if !ok || k == "" {
			return nil, usageError(cmd, fmt.Sprintf("-lose-label: %q is not NAME=VALUE, as in zone=eu-a", text))
		}
		s.LoseLabels = append(s.LoseLabels, reconcile.Label{Key: k, Value: v})
	}
	for _, text := range f.add {
		h, arch, err := config.ParseOffer(text)
		if err != nil {
			return nil, usageError(cmd, fmt.Sprintf("-add-host: %v", err))
		}
		s.Add = append(s.Add, reconcile.Offer{Host: h, Arch: arch})
	}
	slices.Sort(s.Drain)
	if s.Empty() {
		return nil, nil
	}
	return &s, nil
}

// hostArg reads a host as it is addressed, host.web1, or by its name alone.
func hostArg(text string) (fleet.HostName, error) {
	if !strings.HasPrefix(text, "host.") {
		text = "host." + text
	}
	a, err := fleet.ParseAddr(text)
	if err != nil {
		return "", err
	}
	return fleet.HostName(a.Name()), nil
}
