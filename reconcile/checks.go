package reconcile

import (
	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/plan"
)

// hold holds the configuration's checks against a plan that could be made. They guard what is to be applied. A plan that
// destroys or only refreshes the record asks for no survival, and an answer to what-if is not carried out: none of these
// is held back.
func (w Wanted) hold(in *plan.Input) diag.List {
	if in.Survival == nil || in.Options.WhatIf != nil {
		return nil
	}
	var diags diag.List
	for _, check := range w.Checks {
		diags = append(diags, check(*in.Survival)...)
	}
	return diags
}
