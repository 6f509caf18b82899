package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"drrun/engine"
	"drrun/plans"
)

// SnapshotResult is what was written beside a plan.
type SnapshotResult struct {
	File  string         `json:"file"`
	Taken time.Time      `json:"taken"`
	Read  map[string]int `json:"read"` // VMs that were read now, by the site that has them
	Kept  []string       `json:"kept"` // VMs of the plan whose record is as old as it was
}

// Snapshot brings the inventory of a plan up to date from the engines that answer, and changes nothing there. The file is left as it was
// where it cannot be parsed, where neither site can be read, and while a run on the plan's storage domains is unfinished: what such a
// run has shut down would be recorded as down.
func Snapshot(soft, hard context.Context, o Options) *Result {
	o.Action = "snapshot"
	a := newAttempt(o)
	return a.conclude(soft, a.within(soft, hard, "snapshot", func(t *engine.Task) error {
		if err := a.load(t); err != nil {
			return err
		}
		var err error
		t.Release(func() { err = a.takeInventory(t.Ctx()) })
		return err
	}))
}

func (a *attempt) takeInventory(ctx context.Context) error {
	file := plans.InventoryFile(a.PlanFile)
	old, err := plans.ReadInventory(a.readFile, a.PlanFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return refuse("inventory-unreadable", "repair it, or move it away to begin a new one: "+file, fmt.Errorf("%w; it was left as it is", err))
	}
	if err := a.refuseUnfinished(); err != nil {
		return err
	}
	sites, silent, err := a.reach(ctx)
	if err != nil {
		return err
	}
	refreshed, err := plans.Refresh(ctx, a.plan, old, sites[plans.Primary], sites[plans.Secondary],
		plans.RefreshOptions{Now: a.Env.Clock.Now(), PrimaryErr: silent[plans.Primary], SecondaryErr: silent[plans.Secondary]})
	if ctx.Err() != nil { // an engine that was not asked to the end is not silent
		return context.Cause(ctx)
	}
	if err != nil {
		return refuse("unreachable", "bring one of the engines up, or correct the plan's sites", fmt.Errorf("%w; the inventory %s was left as it is", err, file))
	}
	a.result.Findings = append(a.result.Findings, refreshed.Findings...)
	if err := a.refuseUnfinished(); err != nil { // it may have begun while we read
		return err
	}
	if err := refreshed.Inventory.Save(a.Env.FS, a.PlanFile); err != nil {
		return refuse("inventory-not-written", "make the folder writable; the inventory is as it was", err)
	}
	a.result.Snapshot = &SnapshotResult{File: file, Taken: refreshed.Inventory.Taken, Read: refreshed.Read, Kept: append([]string{}, refreshed.Kept...)}
	return nil
}
