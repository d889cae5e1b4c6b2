package fleet

import (
	"encoding/json"
	"testing"
)

func TestAmount(t *testing.T) {
	for _, c := range []struct {
		json        string
		of          int
		floor, ceil int
	}{{`"1"`, 12, 1, 1}, {`"25%"`, 12, 3, 3}, {`"25%"`, 10, 2, 3}, {`"0%"`, 10, 0, 0}, {`"100%"`, 7, 7, 7}} {
		var a Amount
		if err := json.Unmarshal([]byte(c.json), &a); err != nil {
			t.Fatal(err)
		}
		if f, u := a.Floor(c.of), a.Ceil(c.of); f != c.floor || u != c.ceil {
			t.Errorf("%s of %d: got %d and %d, want %d and %d", c.json, c.of, f, u, c.floor, c.ceil)
		}
		if b, err := json.Marshal(a); err != nil || string(b) != c.json {
			t.Errorf("%s is written %s, %v", c.json, b, err)
		}
	}
	for _, bad := range []string{`""`, `"x"`, `"-1"`, `"%"`, `1`} {
		var a Amount
		if err := json.Unmarshal([]byte(bad), &a); err == nil {
			t.Errorf("%s: got %v, want an error", bad, a)
		}
	}
}
