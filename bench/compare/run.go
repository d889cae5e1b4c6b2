package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// sample is one finished command.
type sample struct {
	wall, cpu time.Duration
	peak      int64 // bytes resident at most
}

// run runs a command to its end. Its output is kept for the error only.
func (l *lab) run(dir string, env []string, argv ...string) (sample, error) {
	cmd := exec.CommandContext(l.ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	err := cmd.Run()
	s := sample{wall: time.Since(began)}
	if err != nil {
		return s, fmt.Errorf("%s: %w\n%s", argv[0], err, out.Bytes()[max(0, out.Len()-2000):])
	}
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		s.peak = u.Maxrss << 10
	}
	return s, nil
}

// series are the samples of one command.
type series struct {
	name    string
	samples []sample
}

// print writes a line: the median and the spread.
func (s series) print() {
	if len(s.samples) == 0 {
		return
	}
	walls, cpus, peaks := s.walls(), []time.Duration{}, []int64{}
	for _, x := range s.samples {
		cpus, peaks = append(cpus, x.cpu), append(peaks, x.peak)
	}
	slices.Sort(cpus)
	slices.Sort(peaks)
	fmt.Printf("   %-28s wall %v (%v..%v)  cpu %v  peak %d MB  n=%d\n", s.name, middle(walls).Round(time.Millisecond),
		walls[0].Round(time.Millisecond), walls[len(walls)-1].Round(time.Millisecond), middle(cpus).Round(time.Millisecond), middle(peaks)>>20, len(walls))
}

func (s series) walls() []time.Duration {
	var out []time.Duration
	for _, x := range s.samples {
		out = append(out, x.wall)
	}
	slices.Sort(out)
	return out
}

func middle[T any](sorted []T) T { return sorted[len(sorted)/2] }

// turn runs a command and adds its sample.
func (s *series) turn(run func() (sample, error)) error {
	x, err := run()
	if err == nil {
		s.samples = append(s.samples, x)
	}
	return err
}

// ratio prints how many times longer b takes than a, pair by pair.
func ratio(a, b series) {
	n := min(len(a.samples), len(b.samples))
	if n == 0 {
		return
	}
	var out []float64
	for i := range n {
		out = append(out, b.samples[i].wall.Seconds()/a.samples[i].wall.Seconds())
	}
	slices.Sort(out)
	fmt.Printf("   %s / %s: %.2f (%.2f..%.2f)\n", b.name, a.name, middle(out), out[0], out[n-1])
}
