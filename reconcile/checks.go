package reconcile

import (
	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/plan"
)

// hold holds the configuration's checks against a plan that could be made. They guard what is to be applied: one that
// destroys, one that only refreshes the record and an answer to what-if are not held back by them.
func (w Wanted) hold(in *plan.Input) diag.List {
	if in.Survival == nil || in.Options.WhatIf != nil || in.Options.Mode != plan.Normal {
		return nil
	}
	var diags diag.List
	for _, check := range w.Checks {
		diags = append(diags, check(*in.Survival)...)
	}
	return diags
}
