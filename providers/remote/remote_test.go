package remote_test

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stowage-run/stowage/providers/remote"
)

func TestQuote(t *testing.T) {
	for _, tt := range []struct {
		argv []string
		want string
	}{
		{[]string{"docker", "-H", "unix:///run/docker.sock", "system", "dial-stdio"}, "docker -H unix:///run/docker.sock system dial-stdio"},
		{[]string{"echo", ""}, "echo ''"},
		{[]string{"echo", "it's"}, `echo 'it'\''s'`},
		{[]string{"echo", "$(id)"}, "echo '$(id)'"},
		{[]string{"if", "if"}, "'if' if"},
		{[]string{"A=b", "x=y"}, "'A=b' 'x=y'"},
		{[]string{"~"}, "'~'"},
	} {
		if got := remote.Quote(tt.argv); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.argv, got, tt.want)
		}
	}
}

// FuzzQuote gives arguments to real shells and takes them back.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "a b", "it's", `\`, `\'`, "$HOME `id` $(id)", "*?[a]", "!!", "a\nb", "\t", "\xff\x01", "{a,b}", "~root", "#c", "-n", "&&", "é"} {
		f.Add(s, "x")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if strings.ContainsRune(a+b, 0) {
			return
		}
		line := remote.Quote([]string{"printf", "%s\\0", a, b})
		for _, shell := range []string{"sh", "dash", "bash"} {
			out, err := exec.Command(shell, "-c", line).CombinedOutput()
			if err != nil {
				t.Fatalf("%s -c %s: %v\n%s", shell, line, err, out)
			}
			if got, want := string(out), a+"\x00"+b+"\x00"; got != want {
				t.Errorf("%s -c %s: got %q, want %q", shell, line, got, want)
			}
		}
	})
}

func TestCommandValidate(t *testing.T) {
	for _, argv := range [][]string{nil, {}, {""}, {"a\x00"}, {"a", "\x00"}} {
		if err := (remote.Command{Argv: argv}).Validate(); !errors.Is(err, remote.ErrConfig) {
			t.Errorf("%q: got %v", argv, err)
		}
	}
	if err := (remote.Command{Argv: []string{"a", ""}}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestCapped(t *testing.T) {
	w := remote.Capped{Limit: 5}
	for _, s := range []string{"abc", "def", "ghi"} {
		if n, err := w.Write([]byte(s)); n != 3 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
	}
	if got := string(w.Bytes); got != "abcde" || !w.Truncated {
		t.Errorf("got %q, truncated %v", got, w.Truncated)
	}
}

func TestErrorText(t *testing.T) {
	cause := errors.New("cause")
	for _, tt := range []struct {
		err  remote.Error
		want string
	}{
		{remote.Error{Host: "web2", Stage: remote.StageAuth, Class: remote.ErrAuth, User: "deploy", Address: "10.0.0.12:22", Err: cause,
			Detail:  "none of our keys was accepted",
			Tried:   []remote.Key{{Fingerprint: "SHA256:ab", Agent: true}, {Fingerprint: "SHA256:cd", File: "~/.ssh/id_ed25519"}},
			Skipped: []remote.SkippedKey{{Name: "~/.ssh/id_rsa", Reason: "it is too open"}},
			Methods: []string{"publickey"}, Try: []string{"ssh-copy-id deploy@10.0.0.12"}},
			`host "web2" refused the SSH key: none of our keys was accepted. Tried agent key SHA256:ab and ~/.ssh/id_ed25519 (SHA256:cd) as user "deploy" at 10.0.0.12:22. ` +
				`Not tried: ~/.ssh/id_rsa, it is too open. The host accepts: publickey. Try: ssh-copy-id deploy@10.0.0.12`},
		{remote.Error{Host: "web2", Stage: remote.StageHandshake, Class: remote.ErrUnreachable, Address: "10.0.0.12:22", Via: []string{"ops@b1"},
			Timeout: 10 * time.Second, Detail: "no answer"},
			`host "web2" cannot be reached: no answer. Stage handshake with 10.0.0.12:22 through ops@b1 was not done within 10s`},
		{remote.Error{Host: "web2", Stage: remote.StageHostKey, Class: remote.ErrHostKeyChanged, HostKey: &remote.HostKey{Name: "web2",
			Offered:  remote.Key{Type: "ssh-ed25519", Fingerprint: "SHA256:new"},
			Recorded: []remote.RecordedKey{{Key: remote.Key{Type: "ssh-ed25519", Fingerprint: "SHA256:old"}, File: "~/.ssh/known_hosts", Line: 7}}}},
			`host "web2" shows a host key other than the recorded one. Offered for web2: ssh-ed25519 SHA256:new. Recorded at ~/.ssh/known_hosts:7: ssh-ed25519 SHA256:old`},
		{remote.Error{Host: "web2", Stage: remote.StageRequest, Op: "run true", Err: cause}, `host "web2": run true: cause`},
	} {
		if diff := cmp.Diff(tt.want, tt.err.Error()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	e := &remote.Error{Class: remote.ErrAuth, Err: cause}
	if !errors.Is(e, remote.ErrAuth) || !errors.Is(e, cause) || errors.Is(e, remote.ErrUnreachable) {
		t.Error("the class or the cause is not found, or another is")
	}
}
