package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestErrorsPageIsCurrent(t *testing.T) {
	want, err := errorsPage()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../errors.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/errors.md is not what make docs writes (-want +got):\n%s", diff)
	}
}
