package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

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
		handler().ServeHTTP(got, httptest.NewRequest(http.MethodGet, path, nil))
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
