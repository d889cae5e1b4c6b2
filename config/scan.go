package config

import (
	"strconv"

	"github.com/hashicorp/hcl/v2"

	"github.com/stowage-run/stowage/diag"
)

// What a file may be before HCL's parser sees it. The parser calls itself for each level of nesting and
// dies of a stack overflow that nothing recovers from (hashicorp/hcl#809), so depth is bounded here; a token
// takes over a hundred bytes, so their number is too.
const (
	maxFileSize   = 1 << 20
	maxFiles      = 500
	maxDepth      = 100
	maxTokens     = 200_000
	maxIdentifier = 256
)

// syntax is what a byte scan reads.
type syntax int

const (
	nativeSyntax   syntax = iota // a file of HCL
	templateSyntax               // the inside of a template: a file for templatefile, a string of JSON
)

// scanError is a refusal of the scan, at a byte.
type scanError struct {
	at     int
	code   diag.Code
	detail string
	remedy string
}

func (e *scanError) summary() string {
	if e.code == diag.CodeTooDeep {
		return "Nested too deep"
	}
	return "Too much in one file"
}

// diagnostic places the refusal in a file.
func (e *scanError) diagnostic(src []byte, file string) diag.Diagnostic {
	at := hcl.Range{Filename: file, Start: posAt(src, e.at), End: posAt(src, e.at+1)}
	return problem(e.code, e.summary(), at, "", e.detail, e.remedy)
}

// posAt counts lines up to a byte.
func posAt(src []byte, at int) hcl.Pos {
	p := hcl.Pos{Line: 1, Column: 1, Byte: min(at, len(src))}
	for _, c := range src[:p.Byte] {
		if c == '\n' {
			p.Line, p.Column = p.Line+1, 1
		} else if c < 0x80 || c >= 0xC0 { // one column a character
			p.Column++
		}
	}
	return p
}

// scan goes over the bytes of src without recursion and refuses what is too large or too deep. It knows
// strings, heredocs and comments, and where in doubt counts too much rather than too little.
func scan(src []byte, s syntax) *scanError {
	if len(src) > maxFileSize {
		return &scanError{code: diag.CodeBudget, detail: "The file has " + strconv.Itoa(len(src)) + " bytes; at most 1 MiB is read.",
			remedy: "split it, or read large contents with file()"}
	}
	sc := scanner{src: src}
	if s == templateSyntax {
		sc.push(frame{kind: inTemplate})
	}
	for sc.err == nil && sc.i < len(src) {
		switch f := sc.top(); f.kind {
		case inQuotes, inTemplate, inHeredoc:
			sc.text(f)
		default:
			sc.code()
		}
	}
	return sc.err
}

type frameKind int

const (
	inCode     frameKind = iota // between brackets, or at the top of a file
	inQuotes                    // "..."
	inTemplate                  // a template that is the whole source
	inHeredoc                   // <<EOT
)

// frame is one level of nesting.
type frame struct {
	kind   frameKind
	marker string // of a heredoc
}

type scanner struct {
	src    []byte
	i      int
	frames []frame
	tokens int
	err    *scanError
	// controls counts template directives that are open: %{ if } and %{ for } nest in the parser, though not
	// in brackets. Directives that close are not subtracted below what the present frame opened.
	controls int
}

func (s *scanner) top() frame {
	if len(s.frames) == 0 {
		return frame{}
	}
	return s.frames[len(s.frames)-1]
}

func (s *scanner) push(f frame) {
	s.frames = append(s.frames, f)
	s.depth()
}

func (s *scanner) depth() {
	if len(s.frames)+s.controls > maxDepth {
		s.err = &scanError{at: s.i, code: diag.CodeTooDeep,
			detail: "Brackets, templates and strings are nested more than " + strconv.Itoa(maxDepth) + " levels deep here, more than can be parsed safely.",
			remedy: "give inner parts a name in locals"}
	}
}

func (s *scanner) pop() {
	if len(s.frames) > 0 {
		s.frames = s.frames[:len(s.frames)-1]
	}
}

func (s *scanner) token() {
	s.tokens++
	if s.tokens > maxTokens {
		s.err = &scanError{at: s.i, code: diag.CodeBudget,
			detail: "The file has more than " + strconv.Itoa(maxTokens) + " words and signs.",
			remedy: "split it, or make what repeats with for_each"}
	}
}

func (s *scanner) at(i int) byte {
	if i < len(s.src) {
		return s.src[i]
	}
	return 0
}

// code reads one token outside of strings.
func (s *scanner) code() {
	c := s.src[s.i]
	switch {
	case c == ' ' || c == '\t' || c == '\r':
		s.i++
	case c == '#' || c == '/' && s.at(s.i+1) == '/':
		s.skipLine()
	case c == '/' && s.at(s.i+1) == '*':
		s.skipComment()
	case c == '"':
		s.token()
		s.push(frame{kind: inQuotes})
		s.i++
	case c == '(' || c == '[' || c == '{':
		s.token()
		s.push(frame{kind: inCode})
		s.i++
	case c == ')' || c == ']' || c == '}':
		s.token()
		if s.top().kind == inCode {
			s.pop()
		}
		s.i++
	case c == '<' && s.at(s.i+1) == '<':
		s.heredoc()
	case wordByte(c):
		s.word()
	default:
		s.token()
		s.i++
	}
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c >= 0x80
}

func (s *scanner) word() {
	s.token()
	start := s.i
	for s.i < len(s.src) && (wordByte(s.src[s.i]) || s.src[s.i] == '-') {
		s.i++
	}
	if s.i-start > maxIdentifier {
		s.err = &scanError{at: start, code: diag.CodeBudget,
			detail: "A name or number has " + strconv.Itoa(s.i-start) + " bytes; at most " + strconv.Itoa(maxIdentifier) + " are allowed."}
	}
}

func (s *scanner) skipLine() {
	for s.i < len(s.src) && s.src[s.i] != '\n' {
		s.i++
	}
}

func (s *scanner) skipComment() {
	for s.i += 2; s.i < len(s.src); s.i++ {
		if s.src[s.i] == '*' && s.at(s.i+1) == '/' {
			s.i += 2
			return
		}
	}
}

// heredoc reads <<EOT or <<-EOT and its line end.
func (s *scanner) heredoc() {
	j := s.i + 2
	if s.at(j) == '-' {
		j++
	}
	start := j
	for j < len(s.src) && (wordByte(s.src[j]) || s.src[j] == '-') {
		j++
	}
	marker := string(s.src[start:j])
	if s.at(j) == '\r' {
		j++
	}
	s.token()
	if marker == "" || s.at(j) != '\n' {
		s.i += 2 // two signs
		return
	}
	s.push(frame{kind: inHeredoc, marker: marker})
	s.i = j + 1
	s.endHeredoc()
}

// endHeredoc closes the heredoc where the line that begins at i is its marker.
func (s *scanner) endHeredoc() {
	f := s.top()
	j := s.i
	for j < len(s.src) && (s.src[j] == ' ' || s.src[j] == '\t') {
		j++
	}
	k := j + len(f.marker)
	if k > len(s.src) || string(s.src[j:k]) != f.marker {
		return
	}
	for k < len(s.src) && (s.src[k] == ' ' || s.src[k] == '\t' || s.src[k] == '\r') {
		k++
	}
	if k == len(s.src) || s.src[k] == '\n' {
		s.pop()
		s.i = k
	}
}

// text reads one piece of a string.
func (s *scanner) text(f frame) {
	c := s.src[s.i]
	switch {
	case (c == '$' || c == '%') && s.at(s.i+1) == c && s.at(s.i+2) == '{':
		s.i += 3 // $${ is the text ${
	case (c == '$' || c == '%') && s.at(s.i+1) == '{':
		s.token()
		if c == '%' {
			s.directive()
		}
		s.push(frame{kind: inCode})
		s.i += 2
	case f.kind == inQuotes && c == '\\':
		s.i += 2
	case f.kind == inQuotes && (c == '"' || c == '\n'):
		s.token()
		s.pop()
		s.i++
	case c == '\n':
		s.i++
		s.token() // HCL makes a token of each line
		if f.kind == inHeredoc {
			s.endHeredoc()
		}
	default:
		s.i++
	}
}

// directive counts %{ if } and %{ for } against %{ endif } and %{ endfor }.
func (s *scanner) directive() {
	j := s.i + 2
	for s.at(j) == '~' || s.at(j) == ' ' || s.at(j) == '\t' || s.at(j) == '\n' || s.at(j) == '\r' {
		j++
	}
	start := j
	for j < len(s.src) && wordByte(s.src[j]) {
		j++
	}
	switch string(s.src[start:j]) {
	case "if", "for":
		s.controls++
		s.depth()
	case "endif", "endfor":
		s.controls = max(s.controls-1, 0)
	}
}

// scanJSON bounds a JSON file in the same way.
func scanJSON(src []byte) *scanError {
	if err := scan(src[:0], nativeSyntax); err != nil || len(src) > maxFileSize {
		return &scanError{code: diag.CodeBudget, detail: "The file has " + strconv.Itoa(len(src)) + " bytes; at most 1 MiB is read."}
	}
	s := scanner{src: src}
	for s.err == nil && s.i < len(src) {
		switch c := src[s.i]; {
		case c == '"':
			s.token()
			s.skipJSONString()
		case c == '[' || c == '{':
			s.token()
			s.push(frame{})
			s.i++
		case c == ']' || c == '}':
			s.pop()
			s.i++
		case wordByte(c):
			s.word()
		default:
			s.i++
		}
	}
	return s.err
}

func (s *scanner) skipJSONString() {
	for s.i++; s.i < len(s.src); s.i++ {
		switch s.src[s.i] {
		case '\\':
			s.i++
		case '"':
			s.i++
			return
		}
	}
}
