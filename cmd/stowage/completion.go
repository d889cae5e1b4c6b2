package main

import (
	"github.com/spf13/cobra"
)

func newCompletion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Write a completion script for bash, zsh, fish or powershell",
		Long: `Writes a script that completes commands, flags and addresses.

  bash:  stowage completion bash > /etc/bash_completion.d/stowage
  zsh:   stowage completion zsh > "${fpath[1]}/_stowage"
  fish:  stowage completion fish > ~/.config/fish/completions/stowage.fish`,
		Args:      args(1, 1, "the name of a shell: bash, zsh, fish or powershell"),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.out, true)
			case "zsh":
				return root.GenZshCompletion(a.out)
			case "fish":
				return root.GenFishCompletion(a.out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.out)
			}
			return usageError(cmd, "no completion is known for "+args[0]+": it is one of bash, zsh, fish, powershell")
		},
	}
}
