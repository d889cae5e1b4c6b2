package plaintext

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "hello\tworld\n", "hello\tworld\n"},
		{"colour", "\x1b[31mred\x1b[0m", "red"},
		{"carriage return", "safe\rEVIL", "safeEVIL"},
		{"title", "a\x1b]0;title\x07b", "ab"},
		{"clipboard, ended by ST", "a\x1b]52;c;aGk=\x1b\\b", "ab"},
		{"hyperlink", "\x1b]8;;http://x\x1b\\text\x1b]8;;\x1b\\", "text"},
		{"device control", "a\x1bPq#0\x1b\\b", "ab"},
		{"C1 CSI", "a\u009b31mb", "ab"},
		{"never ended", "a\x1b]0;rest of it", "a"},
		{"direction", "a\u202eb", "ab"},
		{"zero width", "a\u200bb\ufeff", "ab"},
		{"backspace and bell", "ab\b\ac", "abc"},
		{"umlaut stays", "größe", "größe"},
		{"broken UTF-8", "a\xffb", "a\ufffdb"},
		{"a lone escape", "a\x1b", "a"},
	} {
		if got := Clean(tt.in); got != tt.want {
			t.Errorf("%s: Clean(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

func TestWriterJoinsSplitSequences(t *testing.T) {
	var b strings.Builder
	w := NewWriter(&b)
	for _, s := range []string{"a\x1b", "[31", "mb\nc\x1b]0;x", "\x07d"} {
		if _, err := w.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "ab\ncd"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b[31mred\x1b]52;c;x\x07\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		got := Clean(s)
		if !utf8.ValidString(got) {
			t.Errorf("Clean(%q) = %q, which is not UTF-8", s, got)
		}
		for _, r := range got {
			if hidden(r) && r != '\n' && r != '\t' {
				t.Errorf("Clean(%q) keeps %U", s, r)
			}
		}
		if again := Clean(got); again != got {
			t.Errorf("Clean is not idempotent: %q, then %q", got, again)
		}
	})
}
