package remote

import "strings"

// Quote renders argv as one line that every POSIX shell splits into exactly
// argv again, with nothing expanded. sshd hands a command to the account's login
// shell as one string, so this is the only way to send an argument vector.
//
// Words of harmless bytes stay as they are. All others go between single quotes,
// where a POSIX shell interprets nothing, and a single quote in them becomes an
// escaped one between two quoted parts. Words that hold neither a single quote
// nor a backslash are read alike by fish and csh. A NUL byte cannot be passed at
// all: Command.Validate refuses it.
func Quote(argv []string) string {
	var b strings.Builder
	for i, word := range argv {
		if i > 0 {
			b.WriteByte(' ')
		}
		if plain(word) && !(i == 0 && reserved(word)) {
			b.WriteString(word)
			continue
		}
		b.WriteByte('\'')
		b.WriteString(strings.ReplaceAll(word, "'", `'\''`))
		b.WriteByte('\'')
	}
	return b.String()
}

// plain reports whether no shell gives any byte of word a meaning. '=' is not
// plain, for the first word would become an assignment; '~' would be expanded.
func plain(word string) bool {
	for i := range len(word) {
		switch c := word[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("_-./:,@%+", c) >= 0:
		default:
			return false
		}
	}
	return word != ""
}

// reserved reports whether a shell takes word for grammar where a command is
// expected. Those of punctuation are not plain and need no mention.
func reserved(word string) bool {
	switch word {
	case "if", "then", "else", "elif", "fi", "do", "done", "case", "esac", "while", "until", "for", "in",
		"select", "function", "time", "coproc":
		return true
	}
	return false
}
