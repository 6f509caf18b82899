package runner

import (
	"context"
	"time"

	"drrun/engine"
	"drrun/plans"
)

// Reading is a plan with what lies beside it, read without asking an engine.
type Reading struct {
	Plan         *plans.Plan
	Inventory    *plans.Inventory // nil when there is none that can be read
	InventoryErr error
	Findings     []plans.Finding // about the plan's text; it may have errors
	Now          time.Time       // model time
}

// Read reads a plan with its libraries and its inventory, and asks no engine. A plan with errors is read as far as it goes; of one that
// cannot be read at all there is no Reading, and the result says why.
func Read(soft, hard context.Context, o Options) (*Reading, *Result) {
	a := newAttempt(o)
	reading := &Reading{Now: a.started}
	err := a.within(soft, hard, o.Action, func(t *engine.Task) error {
		err := a.load(t)
		if a.read != nil && t.Ctx().Err() == nil {
			err = nil
		}
		reading.Plan, reading.Findings = a.read, a.result.Findings
		t.Release(func() { reading.Inventory, reading.InventoryErr = plans.ReadInventory(a.readFile, a.PlanFile) })
		return err
	})
	if err != nil {
		return nil, a.conclude(soft, err)
	}
	return reading, nil
}

// Survey is what plan and inventory tell about an action, with the findings about the text before those about the sites' names.
func (r *Reading) Survey(action string) (*plans.Survey, []plans.Finding) {
	survey, found := plans.CheckOffline(r.Plan, r.Inventory, plans.CheckOptions{Action: action, Now: r.Now, InventoryErr: r.InventoryErr})
	return survey, append(append([]plans.Finding{}, r.Findings...), found...)
}
