package fake_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/providers/fake"
)

// A release that starts slowly, works, and dies, asked once a second: what is answered, and how often it was started again.
func TestServesByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := fake.NewImage("web").Dying(4*time.Second, 1).Serving(fake.Answering(80, func(up time.Duration) int {
			switch {
			case up < time.Second:
				return 0
			case up < 2*time.Second:
				return 503
			}
			return 200
		}))
		w := fake.NewWorld(time.Now, "h1")
		w.Host("h1").AddImage("web:1", i)
		e := connect(t, w, "h1")
		id, err := e.Create(t.Context(), providers.CreateRequest{
			Instance: fleet.Instance{Fleet: "f", FleetName: "shop", Replica: fleet.ReplicaID{Workload: "web"}, Generation: 1},
			Spec:     fleet.Spec{Image: fleet.Image{ID: i.ID}, Restart: fleet.RestartAlways},
		})
		if err == nil {
			err = e.Start(t.Context(), id)
		}
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		tick := time.NewTicker(time.Second)
		for range 6 {
			got = append(got, get(e, id))
			<-tick.C
		}
		want := []string{"refused", "503 up for 1s", "200 up for 2s", "200 up for 3s", "refused", "503 up for 1s"}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if c, _ := e.Inspect(t.Context(), id); c.Restarts != 1 || c.Phase != fleet.PhaseRunning {
			t.Errorf("got %s, %d restarts", c.Phase, c.Restarts)
		}
	})
}

func get(e providers.Engine, id string) string {
	request, _ := http.NewRequest(http.MethodGet, "http://x/", nil)
	request.Close = true
	conn, err := e.Dial(request.Context(), id, 80)
	if err != nil {
		return "refused"
	}
	defer conn.Close()
	if err := request.Write(conn); err != nil {
		return err.Error()
	}
	answer, err := io.ReadAll(io.LimitReader(conn, 1<<10))
	status, _, _ := strings.Cut(strings.TrimPrefix(string(answer), "HTTP/1.1 "), " ")
	if err != nil || !strings.Contains(string(answer), "\r\n\r\n") {
		return "broken"
	}
	_, body, _ := strings.Cut(string(answer), "\r\n\r\n")
	return status + " " + strings.TrimSpace(body)
}
