package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// nomad is the test binary of Nomad's scheduler benchmarks; an empty one is not there.
type nomad struct {
	binary string
	limit  time.Duration
}

// result is a line of a benchmark: its name, how often it ran, and nanoseconds for one.
var result = regexp.MustCompile(`(?m)^BenchmarkServiceScheduler/(\S+?)(?:-\d+)?\s+\d+\s+(\d+(?:\.\d+)?) ns/op`)

// rates runs the benchmark once for all shapes. The binary makes the fleets of all its shapes before it leaves those out
// that are not asked for, so a run for each would take a minute more each. What was measured until something failed is
// returned beside the error.
func (n nomad) rates(ctx context.Context, shapes []shape) (map[shape]float64, error) {
	if n.binary == "" {
		return nil, nil
	}
	binary, err := filepath.Abs(n.binary)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "stowage-nomad")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, n.limit)
	defer cancel()
	names := map[string]shape{}
	var either []string
	for _, s := range shapes {
		name := strings.ReplaceAll(s.String(), " ", "_")
		names[name] = s
		either = append(either, regexp.QuoteMeta(name))
	}
	var out, trouble bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, "-test.run=^$", "-test.benchtime=1x",
		"-test.timeout="+n.limit.String(), "-test.bench=^BenchmarkServiceScheduler$/^("+strings.Join(either, "|")+")$")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &trouble
	cmd.WaitDelay = time.Second
	if err = cmd.Run(); err != nil {
		err = fmt.Errorf("running %s: %w", n.binary, err)
	}
	rates := map[shape]float64{}
	for _, m := range result.FindAllStringSubmatch(out.String(), -1) {
		s, asked := names[m[1]]
		ns, bad := strconv.ParseFloat(m[2], 64)
		if asked && bad == nil && ns > 0 {
			rates[s] = float64(s.fits()) / (ns / 1e9)
		}
	}
	return rates, errors.Join(err, os.RemoveAll(dir))
}

// median sorts what was measured and returns the middle of it.
func median(xs []float64) float64 {
	slices.Sort(xs)
	return xs[len(xs)/2]
}
