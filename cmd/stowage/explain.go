package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/diag"
)

func newExplain(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "explain CODE",
		Short: "Explain the code of a message, such as S0203",
		Args:  args(1, 1, "a code, such as S0203"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var codes []string
			for _, c := range diag.Codes() {
				codes = append(codes, string(c))
			}
			return codes, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			text, ok := diag.Explain(diag.Code(strings.ToUpper(args[0])))
			if !ok {
				return usageError(cmd, fmt.Sprintf("%q is not the code of a message: codes look like S0203", args[0]))
			}
			fmt.Fprint(a.out, text)
			return nil
		},
	}
}
