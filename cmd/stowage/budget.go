package main

import (
	"context"
	"fmt"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/plan"
)

// consent asks once more where a plan deletes more than may be deleted unasked. `destroy` has said already what it is for;
// a saved plan was reviewed. -auto-approve is no answer to a question that its giver did not expect.
func (s *session) consent(ctx context.Context, p *plan.Plan, autoApprove bool) error {
	snap, err := s.recorded(ctx)
	if err != nil {
		return err
	}
	recorded := 0
	for _, r := range snap.Replicas {
		if r.Container != "" { // else it is vacant: only its number is remembered
			recorded++
		}
	}
	replicas, volumes := p.Deletions()
	over := replicas > 1 && replicas*100 > recorded*s.config.Settings.DeletionBudget
	if p.Mode != plan.Normal || (!over && volumes == 0) {
		return nil
	}
	what := fmt.Sprintf("%d of %d replicas", replicas, recorded)
	if volumes > 0 {
		what += fmt.Sprintf(" and %d volumes with their data", volumes)
	}
	if autoApprove {
		return diag.Diagnostic{Code: diag.CodeDeletionBudget, Summary: "The plan deletes more than may be deleted unasked",
			Detail: fmt.Sprintf("It deletes %s; the budget is %d%%.", what, s.config.Settings.DeletionBudget),
			Remedy: "stowage plan -out=FILE, then stowage apply FILE\nstowage { deletion_budget = \"100%\" }", Affected: "Nothing was changed."}
	}
	return s.approve(fmt.Sprintf("This deletes %s. Is that what you want?", what), "It is more than the deletion budget allows unasked.")
}

// owes reports whether debts are recorded.
func (s *session) owes(ctx context.Context) bool {
	snap, err := s.recorded(ctx)
	return err == nil && len(snap.Debts) > 0
}
