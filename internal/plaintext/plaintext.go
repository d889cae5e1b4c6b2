// Package plaintext makes text from outside safe to print on a terminal.
//
// Labels, log lines and engines' errors may hold escape sequences that move the cursor, set the window's
// title or the clipboard, or turn the direction of writing round. What they show is then not what was said.
package plaintext

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"
)

// Clean returns s without control characters and sequences. Newlines and tabs stay, a carriage return before a
// newline goes, and every other control character, escape sequence, direction mark and zero-width character is
// left out. Invalid UTF-8 becomes U+FFFD.
func Clean(s string) string {
	if isClean(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		if n := sequence(s[i:]); n > 0 {
			i += n
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == '\n' || r == '\t' || !hidden(r) {
			b.WriteRune(r)
		}
		i += size
	}
	return b.String()
}

// Line is Clean for text that must stay on one line: newlines and tabs become spaces.
func Line(s string) string {
	s = Clean(s)
	if !strings.ContainsAny(s, "\n\t") {
		return s
	}
	return strings.Join(strings.Fields(s), " ")
}

func isClean(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < 0x20 && c != '\n' && c != '\t') || c >= 0x7f {
			return false
		}
	}
	return true
}

// sequence returns the length of the escape sequence that s begins with, 0 where it begins with none.
// The forms are those of ECMA-48: CSI ... final byte, and OSC, DCS, SOS, PM and APC up to their terminator (ST or BEL).
// An unterminated one takes the rest of the string: a terminal would wait for its end too.
func sequence(s string) int {
	kind, start := byte(0), 0
	switch {
	case len(s) >= 2 && s[0] == 0x1b:
		kind, start = s[1], 2
	case len(s) >= 2 && s[0] == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0: // C1 in UTF-8
		kind, start = s[1]-0x40, 2
	case s[0] == 0x1b:
		return 1
	default:
		return 0
	}
	switch kind {
	case '[':
		for i := start; i < len(s); i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
		}
		return len(s)
	case ']', 'P', 'X', '^', '_':
		for i := start; i < len(s); i++ {
			if s[i] == 0x07 {
				return i + 1
			}
			if s[i] == 0x1b && i+1 < len(s) && s[i+1] == '\\' || s[i] == 0xc2 && i+1 < len(s) && s[i+1] == 0x9c {
				return i + 2
			}
		}
		return len(s)
	}
	return start
}

// hidden reports whether a character is not to be printed: C0 and C1 controls, and what Unicode counts among
// direction marks, zero-width characters and tags (UAX #9, UTR #36).
func hidden(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r < 0xa0,
		r >= 0x200b && r <= 0x200f,
		r >= 0x2028 && r <= 0x202e,
		r >= 0x2060 && r <= 0x206f,
		r == 0x061c, r == 0xfeff,
		r >= 0xfff9 && r <= 0xfffb,
		r >= 0xe0000 && r <= 0xe007f:
		return true
	}
	return false
}

// NewWriter returns a writer that cleans each line before it passes it on to w. Bytes after the last newline
// wait for the next one or for Close. It is for one goroutine.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Writer cleans what is written through it.
type Writer struct {
	w   io.Writer
	buf []byte
}

// maxLine bounds what is kept for the end of a line: a longer line is passed on in pieces.
const maxLine = 64 << 10

// Write keeps p and passes on the lines that it completes.
func (w *Writer) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	for {
		i := bytes.IndexByte(w.buf, '\n') + 1
		if i == 0 {
			if len(w.buf) < maxLine {
				return len(p), nil
			}
			i = len(w.buf)
		}
		if _, err := io.WriteString(w.w, Clean(string(w.buf[:i]))); err != nil {
			return 0, err
		}
		w.buf = w.buf[i:]
	}
}

// Close passes on what is left.
func (w *Writer) Close() error {
	_, err := io.WriteString(w.w, Clean(string(w.buf)))
	w.buf = nil
	return err
}
