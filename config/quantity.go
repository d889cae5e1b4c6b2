package config

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/stowage-run/stowage/fleet"
)

// parseDuration reads a time with units: "10s", "1m30s", "2h", "1d".
func parseDuration(s string) (time.Duration, error) {
	t := strings.TrimSpace(s)
	if _, err := strconv.ParseFloat(t, 64); err == nil && t != "0" {
		return 0, fmt.Errorf("%q needs a unit, as in \"%ss\"", s, t)
	}
	if days, ok := strings.CutSuffix(t, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("%q is not a time; write one as \"10s\", \"5m\" or \"1h30m\"", s)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(t)
	if err != nil {
		return 0, fmt.Errorf("%q is not a time; write one as \"10s\", \"5m\" or \"1h30m\"", s)
	}
	if d < 0 {
		return 0, fmt.Errorf("%q is negative", s)
	}
	return d, nil
}

// sizeUnits are the binary units. Docker reads m, M, Mi and MiB alike, and so does Stowage.
func sizeUnit(u string) (fleet.Bytes, bool) {
	switch strings.ToLower(u) {
	case "b":
		return 1, true
	case "k", "ki", "kib":
		return fleet.KiB, true
	case "m", "mi", "mib":
		return fleet.MiB, true
	case "g", "gi", "gib":
		return fleet.GiB, true
	case "t", "ti", "tib":
		return fleet.TiB, true
	}
	return 0, false
}

// sizePattern is a number and a unit.
var sizePattern = regexp.MustCompile(`^([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)$`)

// parseSize reads a size with a binary unit. remedy is what was probably meant, where that can be said.
func parseSize(s string) (n fleet.Bytes, remedy string, err error) {
	m := sizePattern.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, "", fmt.Errorf("%q is not a size; write one as \"512MiB\" or \"2GiB\"", s)
	}
	if m[2] == "" {
		return 0, m[1] + "MiB", fmt.Errorf("%q needs a unit; it could be bytes or MiB", s)
	}
	unit, ok := sizeUnit(m[2])
	if !ok {
		if len(m[2]) == 2 && strings.ContainsAny(m[2][:1], "kKmMgGtT") && strings.EqualFold(m[2][1:], "b") {
			binary := strings.ToUpper(m[2][:1]) + "iB"
			if binary[0] == 'K' {
				binary = "KiB"
			}
			return 0, m[1] + binary, fmt.Errorf("%q is a decimal unit, which tools take for different amounts; sizes are binary here", s)
		}
		return 0, "", fmt.Errorf("%q is not a unit of size; there are KiB, MiB, GiB and TiB", m[2])
	}
	f, _, perr := big.ParseFloat(m[1], 10, 128, big.ToNearestEven)
	if perr != nil {
		return 0, "", fmt.Errorf("%q is not a size", s)
	}
	f.Mul(f, new(big.Float).SetInt64(int64(unit)))
	i, _ := f.Int64()
	if f.Cmp(big.NewFloat(math.MaxInt64/2)) > 0 {
		return 0, "", fmt.Errorf("%q is more than any machine has", s)
	}
	return fleet.Bytes(i), "", nil
}

// parseCPU reads cores: "0.5", or "500m" for thousandths.
func parseCPU(s string) (fleet.CPU, error) {
	t := strings.TrimSpace(s)
	if milli, ok := strings.CutSuffix(t, "m"); ok {
		n, err := strconv.ParseUint(milli, 10, 31)
		if err != nil {
			return 0, fmt.Errorf("%q is not an amount of CPU; write cores, as 0.5, or thousandths, as \"500m\"", s)
		}
		return fleet.CPU(n), nil
	}
	f, err := strconv.ParseFloat(t, 64)
	switch {
	case err != nil || math.IsNaN(f) || math.IsInf(f, 0):
		return 0, fmt.Errorf("%q is not an amount of CPU; write cores, as 0.5, or thousandths, as \"500m\"", s)
	case f < 0:
		return 0, errors.New("an amount of CPU cannot be negative")
	case f > 100_000:
		return 0, fmt.Errorf("%s cores are more than any machine has; CPU is counted in cores", t)
	}
	n := math.Round(f * 1000)
	if n == 0 && f > 0 {
		return 0, fmt.Errorf("%s cores are less than a thousandth of one", t)
	}
	return fleet.CPU(n), nil
}

// parsePercent reads "30%".
func parsePercent(s string) (int, error) {
	n, ok := strings.CutSuffix(strings.TrimSpace(s), "%")
	i, err := strconv.Atoi(strings.TrimSpace(n))
	switch {
	case !ok:
		return 0, fmt.Errorf("%q needs a percent sign, as in \"30%%\"", s)
	case err != nil || i < 0 || i > 100:
		return 0, fmt.Errorf("%q is not a percentage from 0%% to 100%%", s)
	}
	return i, nil
}
