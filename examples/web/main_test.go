package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAnswers(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("MESSAGE", "ahoy")
	t.Setenv("SLOT", "")
	for path, want := range map[string]string{
		"/":        "host: " + host + "\nMESSAGE: ahoy\nversion: dev\n",
		"/healthz": "ok\n",
		"/else":    "404 page not found\n",
	} {
		got := httptest.NewRecorder()
		handler(faults{}, time.Now()).ServeHTTP(got, httptest.NewRequest(http.MethodGet, path, nil))
		if diff := cmp.Diff(want, got.Body.String()); diff != "" {
			t.Errorf("GET %s (-want +got):\n%s", path, diff)
		}
	}
}

func TestUnknownCommand(t *testing.T) {
	if err := run([]string{"dance"}); err == nil {
		t.Error("run(dance) succeeded")
	}
}

func TestFaults(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		want []int // one status a second from the start
	}{
		{nil, []int{200, 200, 200, 200, 200}},
		{map[string]string{"HEALTH_FAIL": "1"}, []int{503, 503, 503, 503, 503}},
		{map[string]string{"HEALTH_AFTER": "2s"}, []int{503, 503, 200, 200, 200}},
		{map[string]string{"FLAP": "2s"}, []int{200, 200, 503, 503, 200}},
	} {
		f, err := faultsOf(func(name string) string { return test.env[name] })
		if err != nil {
			t.Error(err)
			continue
		}
		for second, want := range test.want {
			if got, _ := f.health(time.Duration(second) * time.Second); got != want {
				t.Errorf("%v after %d s: got %d, want %d", test.env, second, got, want)
			}
		}
	}
	for name, bad := range map[string]string{"HEALTH_FAIL": "often", "HEALTH_AFTER": "5", "DIE_AFTER": "-1s", "EXIT": "x", "FLAP": "0s"} {
		if f, err := faultsOf(func(n string) string { return map[string]string{name: bad}[n] }); err == nil {
			t.Errorf("%s=%s: got %+v, want an error", name, bad, f)
		}
	}
	t.Setenv("EXIT", "7")
	if err := run(nil); err != exitError(7) {
		t.Errorf("EXIT=7: got %v", err)
	}
}
