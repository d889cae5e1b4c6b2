package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// defaultHook bounds a hook where nothing is said.
const defaultHook = 5 * time.Minute

func hookKinds() []string {
	return []string{string(fleet.HookPreDeploy), string(fleet.HookPostDeploy), string(fleet.HookOnFailure)}
}

// hooks decodes the hook blocks.
func (d *decoder) hooks(w *fleet.Workload) {
	first := map[string]inner{}
	for _, n := range d.blocks("hook") {
		h := fleet.Hook{Kind: fleet.HookKind(n.label()), Timeout: n.period("timeout", defaultHook, time.Second)}
		if !slices.Contains(hookKinds(), n.label()) {
			detail, remedy := adviseHook(n.label())
			n.add(diag.CodeValue, "Unknown kind of hook", n.at, detail, remedy)
		}
		if before, ok := first[n.label()]; ok {
			n.twice(n.from.title(), before)
		} else {
			first[n.label()] = n
		}
		if n.require("command") {
			h.Command = n.commandOf(`command = ["/bin/web", "migrate"]`)
		}
		w.Hooks = append(w.Hooks, h)
		d.join(n.decoder)
	}
	slices.SortFunc(w.Hooks, func(a, b fleet.Hook) int { return strings.Compare(string(a.Kind), string(b.Kind)) })
}

// commandOf reads a command that must not be empty.
func (d *decoder) commandOf(remedy string) []string {
	before := len(d.diags)
	argv := d.argv("command")
	if len(d.diags) == before && (len(argv) == 0 || argv[0] == "") {
		d.bad(d.body.attrs["command"], "The command is empty.", remedy)
	}
	return argv
}

// adviseHook says which kind of hook is meant.
func adviseHook(s string) (detail, remedy string) {
	detail = fmt.Sprintf("%q is not a kind of hook; there are %s.", s, `"`+strings.Join(hookKinds(), `", "`)+`"`)
	word := strings.ReplaceAll(strings.ToLower(s), "-", "_")
	kind := map[string]fleet.HookKind{
		"prestart": fleet.HookPreDeploy, "pre_start": fleet.HookPreDeploy, "pre": fleet.HookPreDeploy, "presync": fleet.HookPreDeploy, "release": fleet.HookPreDeploy,
		"pre_install": fleet.HookPreDeploy, "pre_upgrade": fleet.HookPreDeploy, "pre_update": fleet.HookPreDeploy, "x_pre_deploy": fleet.HookPreDeploy, "predeploy": fleet.HookPreDeploy, "before": fleet.HookPreDeploy,
		"poststart": fleet.HookPostDeploy, "post_start": fleet.HookPostDeploy, "post": fleet.HookPostDeploy, "postsync": fleet.HookPostDeploy, "postdeploy": fleet.HookPostDeploy,
		"post_install": fleet.HookPostDeploy, "post_upgrade": fleet.HookPostDeploy, "post_update": fleet.HookPostDeploy, "after": fleet.HookPostDeploy,
		"syncfail": fleet.HookOnFailure, "failure": fleet.HookOnFailure, "fail": fleet.HookOnFailure, "onfailure": fleet.HookOnFailure, "post_rollback": fleet.HookOnFailure, "rollback": fleet.HookOnFailure,
	}[word]
	if kind == "" {
		kind = fleet.HookKind(nearest(word, hookKinds()))
	}
	if kind != "" {
		remedy = fmt.Sprintf("hook %q { ... }", kind)
	}
	return detail, remedy
}
