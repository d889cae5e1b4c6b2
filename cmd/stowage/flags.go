package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// doubleDashes rewrites Terraform's `-flag=value` to the `--flag=value` that the flag library reads. One letter
// stays as it is (`-f`), and so does everything after `--`, which belongs to somebody else.
func doubleDashes(args []string) []string {
	out := make([]string, 0, len(args))
	for i, a := range args {
		if a == "--" {
			return append(out, args[i:]...)
		}
		if len(a) > 2 && a[0] == '-' && a[1] != '-' && isLetter(a[1]) && a[2] != '=' {
			a = "-" + a
		}
		out = append(out, a)
	}
	return out
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// environmentArgs puts the words of STOWAGE_CLI_ARGS and STOWAGE_CLI_ARGS_<command> behind the command's name, so that
// what was typed comes later and wins.
func environmentArgs(args []string, env func(string) string) []string {
	at := -1
	for i, a := range args {
		if !strings.HasPrefix(a, "-") && (i == 0 || strings.TrimLeft(args[i-1], "-") != "chdir") { // the one global flag with a word of its own
			at = i
			break
		}
	}
	if at < 0 {
		return args
	}
	extra := strings.Fields(env("STOWAGE_CLI_ARGS"))
	extra = append(extra, strings.Fields(env("STOWAGE_CLI_ARGS_"+strings.ReplaceAll(args[at], "-", "_")))...)
	if len(extra) == 0 {
		return args
	}
	out := append([]string{}, args[:at+1]...)
	return append(append(out, extra...), args[at+1:]...)
}

// singleDashUsage renders flags as people type them here: with one dash.
func singleDashUsage(fs *pflag.FlagSet) string {
	var b strings.Builder
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name, usage := pflag.UnquoteUsage(f)
		left := "  -" + f.Name
		if f.Shorthand != "" {
			left = "  -" + f.Shorthand + ", -" + f.Name
		}
		if name != "" && f.Value.Type() != "bool" {
			left += "=" + name
		}
		if len(left) < 26 {
			left += strings.Repeat(" ", 26-len(left))
		} else {
			left += "\n" + strings.Repeat(" ", 26)
		}
		b.WriteString(left + usage + "\n")
	})
	return b.String()
}

// usageTemplate is cobra's, with our flags and our words.
const usageTemplate = `Usage: {{if .Runnable}}{{.UseLine}}{{else}}{{.CommandPath}} COMMAND{{end}}
{{if .HasAvailableSubCommands}}{{range .Groups}}
{{.Title}}{{$group := .}}{{range $.Commands}}{{if and (eq .GroupID $group.ID) .IsAvailableCommand}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}
{{end}}{{if not .Groups}}
Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}
{{end}}{{end}}{{if .HasAvailableLocalFlags}}
Flags:
{{flags .LocalNonPersistentFlags}}{{end}}
Global flags:
{{flags .Root.PersistentFlags}}`

// registerTemplates makes every command's help read alike.
func registerTemplates(root *cobra.Command) {
	cobra.AddTemplateFunc("flags", singleDashUsage)
	root.SetUsageTemplate(usageTemplate)
	root.SetHelpTemplate("{{with (or .Long .Short)}}{{. | trimTrailingWhitespaces}}\n\n{{end}}{{.UsageString}}")
}
