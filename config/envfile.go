package config

import (
	"errors"
	"fmt"
	"strings"
)

// parseEnvFile reads the format of Compose's env_file: KEY=value a line, # comments, an optional export,
// single quotes for literal text, double quotes with \n and the like. $NAME and ${NAME} stand for earlier
// lines of the same file; nothing is taken from the environment, since a plan made elsewhere would differ.
func parseEnvFile(src []byte) (map[string]string, error) {
	out, total := map[string]string{}, 0
	text := strings.TrimPrefix(strings.ReplaceAll(string(src), "\r\n", "\n"), "\ufeff")
	for n := 1; text != ""; n++ {
		line, rest, _ := strings.Cut(text, "\n")
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			text = rest
			continue
		}
		line = strings.TrimSpace(strings.TrimPrefix(line, "export "))
		key, _, ok := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		if !ok {
			return nil, fmt.Errorf("line %d: %q has no equals sign; values are not taken from the environment here", n, key)
		}
		if key == "" || strings.ContainsAny(key, " \t\"'\x00") {
			return nil, fmt.Errorf("line %d: %q cannot be the name of an environment variable", n, key)
		}
		_, value, _ := strings.Cut(text, "=")
		v, left, err := envValue(strings.TrimLeft(value, " \t"), out)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		n += strings.Count(text[:len(text)-len(left)], "\n") - 1
		text = left
		out[key] = v
		if total += len(v); total > 4*maxString {
			return nil, fmt.Errorf("line %d: the values have more than 4 MiB together", n)
		}
	}
	return out, nil
}

// envValue reads one value and returns what follows its line.
func envValue(s string, vars map[string]string) (value, rest string, err error) {
	if s != "" && (s[0] == '"' || s[0] == '\'') {
		end := closingQuote(s)
		if end < 0 {
			return "", "", errors.New("a quote is not closed")
		}
		line, rest, _ := strings.Cut(s[end+1:], "\n")
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return "", "", errors.New("there is text behind the closing quote")
		}
		if s[0] == '\'' {
			return s[1:end], rest, nil
		}
		v, err := expandEnv(s[1:end], vars, true)
		return v, rest, err
	}
	line, rest, _ := strings.Cut(s, "\n")
	if i := strings.Index(line, " #"); i >= 0 {
		line = line[:i]
	}
	v, err := expandEnv(strings.TrimSpace(line), vars, false)
	return v, rest, err
}

func closingQuote(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && s[0] == '"':
			i++
		case s[i] == s[0]:
			return i
		}
	}
	return -1
}

// expandEnv replaces $NAME, and \n and the like in double quotes.
func expandEnv(s string, vars map[string]string, escapes bool) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case escapes && s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteString(escapeOf(s[i]))
		case s[i] == '$' && i+1 < len(s) && s[i+1] == '$':
			i++
			b.WriteByte('$')
		case s[i] == '$' && i+1 < len(s) && (s[i+1] == '{' || envNameByte(s[i+1], 0)):
			name, next := envName(s, i+1)
			v, ok := vars[name]
			if !ok {
				return "", fmt.Errorf("${%s} is not an earlier line of the file; write single quotes or $$ for a plain $", name)
			}
			b.WriteString(v)
			i = next - 1
		default:
			b.WriteByte(s[i])
		}
		if b.Len() > maxString {
			return "", errors.New("a value has more than 1 MiB")
		}
	}
	return b.String(), nil
}

func escapeOf(c byte) string {
	switch c {
	case 'n':
		return "\n"
	case 'r':
		return "\r"
	case 't':
		return "\t"
	case '"', '\\', '$':
		return string(c)
	}
	return "\\" + string(c)
}

// envName reads NAME or {NAME} at i and returns where it ends.
func envName(s string, i int) (name string, next int) {
	if s[i] == '{' {
		if end := strings.IndexByte(s[i:], '}'); end > 0 {
			return s[i+1 : i+end], i + end + 1
		}
		return s[i+1:], len(s)
	}
	j := i
	for j < len(s) && envNameByte(s[j], j-i) {
		j++
	}
	return s[i:j], j
}

func envNameByte(c byte, at int) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || at > 0 && c >= '0' && c <= '9'
}

// splitWords splits a command as a shell would, with quotes and backslashes but no expansion of anything.
func splitWords(s string) ([]string, error) {
	var out []string
	var b strings.Builder
	open := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ' ', '\t', '\n', '\r':
			if open {
				out, open = append(out, b.String()), false
				b.Reset()
			}
		case '\'', '"':
			end := closingQuote(s[i:])
			if end < 0 {
				return nil, errors.New("a quote is not closed")
			}
			b.WriteString(unquoteWord(s[i+1:i+end], c))
			i, open = i+end, true
		case '\\':
			if i+1 == len(s) {
				return nil, errors.New("a backslash stands at the end")
			}
			i++
			b.WriteByte(s[i])
			open = true
		default:
			b.WriteByte(c)
			open = true
		}
	}
	if open {
		out = append(out, b.String())
	}
	return out, nil
}

// unquoteWord takes the backslashes before " and \ out of text from double quotes.
func unquoteWord(s string, quote byte) string {
	if quote == '\'' {
		return s
	}
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(s)
}
