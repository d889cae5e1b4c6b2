package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stowage-run/stowage/internal/testfleet"
	"github.com/stowage-run/stowage/internal/webimage"
)

// onePerHost is an update of three replicas, one after the other.
const onePerHost = "    max_parallel = 1\n    max_surge = 1\n    healthy_deadline = \"15s\"\n"

// diesLate has a release go out whose replicas die 20 s after they became healthy: while the last of them has still to prove itself.
func diesLate(t *testing.T, hosts []*testfleet.Host, local *testfleet.Host) {
	s := openShop(t, "rolllate", hosts, local)
	r := goods{replicas: 3, env: `MESSAGE = "good"`, update: onePerHost + "    min_healthy_time = \"200ms\"\n"}
	s.want(r)
	s.exits(0, "apply -auto-approve")
	was, before := s.rests(3, s.image("stowage-web:1")), s.ids()
	r.env, r.check, r.update = `DIE_AFTER = "20s"`, `interval = "1s"`, onePerHost+"    min_healthy_time = \"8s\"\n"
	s.want(r)
	span := during(func() {
		s.exits(4, "apply -auto-approve", "was healthy and is no longer: it ended and was started again", "web dies, as it was told to", "All of it was taken back to release 1")
	})
	s.takenBack(taken{replicas: 3, revision: was, span: span, most: 3, healthy: 2, before: before})
}

// tagged gives this machine an image of its own bytes.
func (s *shop) tagged(version string) string {
	s.t.Helper()
	tag := "stowage-" + s.name + ":" + version
	archive := filepath.Join(s.dir, version+".tar")
	s.check((webimage.Image{Tag: tag, Version: s.name + version}).WriteFile(s.t.Context(), archive))
	s.check(s.local.LoadImage(s.t.Context(), archive))
	return tag
}

// untag takes an image from hosts that may have it.
func (s *shop) untag(tag string, hosts ...*testfleet.Host) {
	s.t.Helper()
	for _, h := range hosts {
		ids, err := h.Docker(s.t.Context(), "images", "-q", "--no-trunc", tag)
		s.check(err)
		if ids == "" {
			continue
		}
		_, err = h.Docker(s.t.Context(), "rmi", "-f", tag)
		s.check(err)
	}
}

// imagesThatVanish has releases go out whose image nobody has, nobody has any more, and whose predecessor's image nobody has any more.
func imagesThatVanish(t *testing.T, hosts []*testfleet.Host, local *testfleet.Host) {
	s := openShop(t, "rollgone", hosts, local)
	first, second := s.tagged("1"), s.tagged("2")
	firstID, secondID := s.image(first), s.image(second)
	r := goods{image: first, replicas: 3, env: `MESSAGE = "good"`, update: onePerHost + "    min_healthy_time = \"200ms\"\n"}
	s.want(r)
	s.exits(0, "apply -auto-approve")
	was := s.rests(3, firstID)

	// That nobody has: refused by plan.
	r.image = "stowage-nowhere:1"
	s.want(r)
	s.exits(1, "plan", "stowage-nowhere:1")
	s.exits(1, "apply -auto-approve", "stowage-nowhere:1")

	// Gone between plan and apply.
	r.image = second
	s.want(r)
	s.exits(0, "plan -out=saved")
	s.untag(second, local)
	span := during(func() {
		s.exits(4, "apply saved", "this machine's engine: export "+secondID+": image not found", "All of it was taken back to release 1")
	})
	s.within(span, 3, 3)
	if got := s.rests(3, firstID); got != was {
		t.Errorf("got revision %s at rest, want %s", got, was)
	}
	s.exits(0, "status", "Quarantined: workload.web was taken back to release 1")
	s.exits(1, "plan", "stowage-rollgone:2 is wanted by workload.web. No host has it")

	// What is to be gone back to is gone: the first batch goes well, and of what it has replaced nobody has the image any more.
	r.image = s.tagged("2")
	r.env, r.check, r.update = `DIE_AFTER = "6s"`, `interval = "500ms"`, onePerHost+"    min_healthy_time = \"4s\"\n"
	s.want(r)
	got := s.until("workload.web[1] on h2: Waiting until healthy...", func() { s.untag(first, append([]*testfleet.Host{local}, hosts...)...) })
	s.says(got, 1, "was healthy and is no longer", "The rollout of workload.web failed", "There is nothing good that it could be taken back to. It is left as it is.",
		"Image cannot be brought to a host", "workload.web is to run on h1, which does not have stowage-rollgone:1")
	s.exits(0, "status", "Quarantined: workload.web is halted", "and there is no way back to release 1: image cannot be brought to a host")
	s.exits(0, "plan", "Held: workload.web")
	s.exits(1, "apply -auto-approve", "The change of workload.web has failed before")

	// With another change it goes on.
	r.env = `MESSAGE = "mended"`
	s.want(r)
	s.exits(0, "apply -auto-approve", "3 replaced")
	s.rests(3, secondID)
	s.untag(second, append([]*testfleet.Host{local}, hosts...)...)
}

// fullDisk has a release go out while the disk of one host is full.
func fullDisk(t *testing.T, hosts []*testfleet.Host, local *testfleet.Host) {
	h := hosts[2]
	on := func(line string) {
		t.Helper()
		if out, err := h.Command(context.WithoutCancel(t.Context()), "sh", "-c", line).CombinedOutput(); err != nil {
			t.Fatalf("%s on %s: %v\n%s", line, h.Name, err, out)
		}
	}
	restart := func(line string) {
		t.Helper()
		if err := h.KillEngine(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		on(line)
		if err := h.StartEngine(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	restart("mount -t tmpfs -o size=96m tmpfs /var/lib/docker")
	t.Cleanup(func() { restart("umount -l /var/lib/docker") })
	s := openShop(t, "rollfull", hosts, local)
	r := goods{replicas: 3, env: `MESSAGE = "good"`, update: onePerHost + "    min_healthy_time = \"200ms\"\n"}
	s.want(r)
	s.exits(0, "apply -auto-approve")
	was, before := s.rests(3, s.image("stowage-web:1")), s.ids()

	on("dd if=/dev/zero of=/var/lib/docker/filler bs=4k 2>/dev/null; test \"$(df --output=avail /var/lib/docker | tail -1)\" -eq 0")
	r.env = `MESSAGE = "new"`
	s.want(r)
	span := during(func() {
		s.exits(4, "apply -auto-approve", "no space on the host", "no space left on device", "All of it was taken back to release 1")
	})
	s.takenBack(taken{replicas: 3, revision: was, span: span, most: 3, healthy: 3, before: before})
	on("rm /var/lib/docker/filler")
	s.exits(0, "apply -auto-approve -force", "3 replaced")
	s.rests(3, s.image("stowage-web:1"))
}

// lostHost has a release go out while a host falls silent.
func lostHost(t *testing.T, hosts []*testfleet.Host, local *testfleet.Host) {
	s := openShop(t, "rolllost", hosts, local)
	r := goods{replicas: 3, env: `MESSAGE = "good"`, update: onePerHost + "    min_healthy_time = \"200ms\"\n"}
	s.want(r)
	s.exits(0, "apply -auto-approve")
	was := s.rests(3, s.image("stowage-web:1"))
	r.env, r.update = `MESSAGE = "new"`, onePerHost+"    min_healthy_time = \"3s\"\n"
	r.update = strings.Replace(r.update, "15s", "8s", 1)
	s.want(r)
	cut := hosts[1]
	t.Cleanup(func() {
		if err := cut.RestoreLink(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	got := s.until("workload.web[1] on h2: Waiting until healthy...", func() { s.check(cut.CutLink(t.Context())) })
	s.says(got, 4, `host "h2" `, "All of it was taken back to release 1")
	if got.took > 45*time.Second {
		t.Errorf("got an end after %v: a gate of a silent host was kept open", got.took)
	}
	s.exits(0, "status", "Quarantined: workload.web was taken back to release 1", "h2 could not be asked")
	s.check(cut.RestoreLink(t.Context()))
	s.exits(0, "apply -auto-approve", "Held: workload.web was taken back to release 1", "left over from generation 2")
	if now := s.rests(3, s.image("stowage-web:1")); now != was {
		t.Errorf("got revision %s at rest, want %s", now, was)
	}
	s.exits(1, "apply -auto-approve", "The change of workload.web has failed before")
}

// until runs an apply and does something as soon as it has said a line.
func (s *shop) until(line string, do func()) said {
	s.t.Helper()
	cmd, start := s.command("apply", "-auto-approve"), time.Now()
	w := &watching{line: line, do: do}
	var errs strings.Builder
	cmd.Stdout, cmd.Stderr = w, &errs
	err := cmd.Run()
	if !w.done {
		s.t.Errorf("it did not say %q", line)
	}
	if cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	return said{"apply -auto-approve", cmd.ProcessState.ExitCode(), w.all.String(), errs.String(), time.Since(start)}
}

// watching is what a command writes, and what is done once it has written a line.
type watching struct {
	line string
	do   func()
	done bool
	all  strings.Builder
}

func (w *watching) Write(p []byte) (int, error) {
	n, err := w.all.Write(p)
	if !w.done && strings.Contains(w.all.String(), w.line) {
		w.done = true
		w.do()
	}
	return n, err
}
