package runner

import (
	"context"

	"drrun/plans"
)

// ReadPlan reads a plan with its libraries and asks no engine. Where its text has errors the plan is what could be read of it, nil for
// nothing; the result says what was found.
func ReadPlan(soft, hard context.Context, o Options) (*plans.Plan, *Result) {
	a := newAttempt(o)
	result := a.conclude(soft, a.within(soft, hard, "read", a.load))
	return a.draft, result
}
