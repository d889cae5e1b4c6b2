package health_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/health"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Each line is a time since the start, the answer that came then (- for none), in which life of the container, and what holds
// after it: the status, since when it was healthy, for how long that is proven, when to ask next.
const tracked = `
-- nothing was asked yet --
interval=10s retries=3
0s     -               starting        next 0s
3s     -               starting        next 3s

-- healthy at once, and then at its interval --
interval=10s retries=3
1s     healthy         healthy since 1s for 0s   next 11s
6s     -               healthy since 1s for 0s   next 11s
11s    healthy         healthy since 1s for 10s  next 21s
21s    healthy         healthy since 1s for 20s  next 31s

-- a slow start is asked twice a second, and then once --
interval=10s retries=3 start_period=60s
0s     unhealthy       starting                    next 500ms
9.5s   unhealthy       starting                    next 10s
10s    unhealthy       starting                    next 11s
59s    unhealthy       starting                    next 1m0s
60s    unhealthy       starting                    next 1m1s
61s    unhealthy       starting                    next 1m2s
62s    unhealthy       unhealthy                   next 1m3s
63s    healthy         healthy since 1m3s for 0s   next 1m13s

-- a short interval is kept while it starts --
interval=200ms retries=3 start_period=60s
0s     unhealthy       starting                    next 200ms

-- retries in a row, without a start period --
interval=10s retries=3
0s     unhealthy       starting                    next 500ms
500ms  unhealthy       starting                    next 1s
1s     unhealthy       unhealthy                   next 1.5s

-- no retries given: the first failure counts --
interval=10s
0s     unhealthy       unhealthy                   next 500ms

-- within the start period a failure counts once it was healthy --
interval=10s retries=2 start_period=60s
1s     healthy         healthy since 1s for 0s     next 11s
11s    unhealthy       healthy since 11s for 0s    next 12s
12s    unhealthy       unhealthy                   next 22s

-- one failure is not unhealthy, and proof begins anew --
interval=5s retries=3
0s     healthy         healthy since 0s for 0s     next 5s
5s     healthy         healthy since 0s for 5s     next 10s
10s    unhealthy       healthy since 10s for 0s    next 11s
11s    healthy         healthy since 11s for 0s    next 16s
16s    healthy         healthy since 11s for 5s    next 21s

-- flapping is never unhealthy with these retries, and never proven --
interval=1s retries=3
0s     healthy         healthy since 0s for 0s     next 1s
1s     healthy         healthy since 0s for 1s     next 2s
2s     unhealthy       healthy since 2s for 0s     next 2.5s
3s     unhealthy       healthy since 3s for 0s     next 3.5s
4s     healthy         healthy since 4s for 0s     next 5s
5s     healthy         healthy since 4s for 1s     next 6s
6s     unhealthy       healthy since 6s for 0s     next 6.5s

-- unknown neither breaks nor proves: its time is taken out --
interval=5s retries=1
0s     healthy         healthy since 0s for 0s     next 5s
5s     healthy         healthy since 0s for 5s     next 10s
10s    unknown         unknown                     next 11s
30s    unknown         unknown                     next 31s
40s    healthy         healthy since 35s for 5s    next 45s
45s    healthy         healthy since 35s for 10s   next 50s

-- unknown is no failure among failures, and does not part them --
interval=5s retries=2
20s    unhealthy       starting                    next 21s
21s    unknown         unknown                     next 22s
22s    unknown         unknown                     next 23s
23s    unhealthy       unhealthy                   next 24s

-- never asked successfully is unknown, not unhealthy --
interval=5s retries=1
0s     unknown         unknown                     next 500ms
90s    unknown         unknown                     next 1m31s

-- silence of the one who asks is no proof either --
interval=5s timeout=2s retries=1
0s     healthy         healthy since 0s for 0s     next 5s
22s    -               healthy since 0s for 0s     next 22s
23s    -               unknown                     next 23s
60s    healthy         healthy since 1m0s for 0s   next 1m5s
65s    healthy         healthy since 1m0s for 5s   next 1m10s

-- a restart breaks, and gives its start period again --
interval=5s retries=1 start_period=10s
0s     healthy         healthy since 0s for 0s     next 5s
5s     healthy         healthy since 0s for 5s     next 10s
30s    healthy 2       healthy since 30s for 0s    next 35s
35s    healthy 2       healthy since 30s for 5s    next 40s
60s    unhealthy 3     starting                    next 1m0.5s
69s    unhealthy 3     starting                    next 1m9.5s
70s    unhealthy 3     unhealthy                   next 1m11s

-- unhealthy is over when it was started again --
interval=5s retries=1
0s     unhealthy       unhealthy                   next 500ms
20s    starting 2      starting                    next 20.5s
21s    healthy 2       healthy since 21s for 0s    next 26s

-- a restart within an unknown answer is seen at the next --
interval=5s retries=1
0s     healthy         healthy since 0s for 0s     next 5s
5s     healthy         healthy since 0s for 5s     next 10s
10s    unknown         unknown                     next 11s
15s    healthy 2       healthy since 15s for 0s    next 20s

-- the image's own check starts, without a failure --
interval=5s retries=1
0s     starting        starting                    next 500ms
30s    starting        starting                    next 31s
31s    healthy         healthy since 31s for 0s    next 36s

-- what has ended for good is unhealthy at once --
interval=5s retries=5 start_period=60s
0s     ended           unhealthy                   next 500ms
`

func TestTracker(t *testing.T) {
	for name, test := range cases(tracked) {
		t.Run(name, func(t *testing.T) {
			check, steps := test[0], test[1:]
			tracker := health.New(checkOf(t, check), epoch)
			var want, got []string
			for _, step := range steps {
				words := strings.Fields(step)
				now := epoch.Add(duration(t, words[0]))
				rest, life := 2, 1
				if _, err := fmt.Sscan(words[2], &life); err == nil {
					rest = 3
				}
				if words[1] != "-" {
					tracker.Observe(now, answer(words[1], life))
				}
				line := words[0] + " " + words[1] + ": "
				want = append(want, line+strings.Join(words[rest:], " "))
				got = append(got, line+describe(tracker, now))
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// cases splits a text into the lines of each "-- name --".
func cases(text string) map[string][]string {
	all, name := map[string][]string{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if n, ok := strings.CutPrefix(line, "-- "); ok {
			name = strings.TrimSuffix(n, " --")
		} else if line != "" {
			all[name] = append(all[name], line)
		}
	}
	return all
}

func checkOf(t *testing.T, text string) (c fleet.Healthcheck) {
	t.Helper()
	for _, word := range strings.Fields(text) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "retries":
			if _, err := fmt.Sscan(value, &c.Retries); err != nil {
				t.Fatal(err)
			}
		case "interval":
			c.Interval = duration(t, value)
		case "timeout":
			c.Timeout = duration(t, value)
		case "start_period":
			c.StartPeriod = duration(t, value)
		default:
			t.Fatalf("what is %s", word)
		}
	}
	return c
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// answer makes one of a life of the container, whose engine's clock is a day ahead of ours.
func answer(word string, life int) health.Answer {
	if word == "unknown" {
		return health.Answer{Verdict: health.Unknown}
	}
	a := health.Answer{Verdict: health.Verdict(word), Started: epoch.Add(24*time.Hour + time.Duration(life)*time.Minute), Restarts: life - 1}
	if word == "ended" {
		a.Verdict, a.Ended = health.Unhealthy, true
	}
	return a
}

func describe(tracker *health.Tracker, now time.Time) string {
	status, since := tracker.Status(now)
	s := string(status)
	if status == health.StatusHealthy {
		s += fmt.Sprintf(" since %v for %v", since.Sub(epoch), tracker.HealthyFor(now))
	} else if tracker.HealthyFor(now) != 0 {
		s += " and yet proven"
	}
	return s + fmt.Sprintf(" next %v", tracker.Next(now).Sub(epoch))
}
