package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"drrun/engine"
	"drrun/ovirt"
)

// FactsResult is what the engine of a site has kept of a run.
type FactsResult struct {
	Run    string          `json:"run"`
	Site   string          `json:"site"`  // whose engine has it: the target of the run
	Time   time.Time       `json:"time"`  // of the events
	Parts  int             `json:"parts"` // events that carry it
	SHA256 string          `json:"sha256"`
	Facts  json.RawMessage `json:"facts"` // as drrun.facts/1
}

// maxFactsEvents bounds how many events are read of one run. Its attempts post each part once.
const maxFactsEvents = 10000

// runID is the form of the ids of runs, and of nothing that a search of the engine could take for more than a word.
var runID = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z-]*$`)

// EngineFacts reads the facts of a run of a plan from the events of the engine that the run went to, and proves them. An empty run is the
// newest that an engine tells of. It changes nothing, and needs no state folder.
func EngineFacts(soft, hard context.Context, o Options, run string) *Result {
	o.Action = "facts"
	a := newAttempt(o)
	return a.conclude(soft, a.within(soft, hard, "facts", func(t *engine.Task) error {
		if run != "" && !runID.MatchString(run) {
			return invalid("usage", "drrun facts PLAN.lua [RUN]", fmt.Errorf("%q is no id of a run", run))
		}
		if err := a.load(t); err != nil {
			return err
		}
		var err error
		t.Release(func() { err = a.readFacts(t.Ctx(), run) })
		return err
	}))
}

func (a *attempt) readFacts(ctx context.Context, run string) error {
	sites, silent, err := a.reach(ctx)
	if err != nil {
		return err
	}
	var missing []string
	var newest *keptFacts
	for _, name := range siteOrder {
		site := sites[name]
		if site == nil {
			missing = append(missing, fmt.Sprintf("%s does not answer: %v", name, silent[name]))
			continue
		}
		kept, err := factsAt(ctx, site, run)
		switch {
		case err != nil:
			return refuse(codeOf(err), hintOf(err), fmt.Errorf("read the events of %s: %w", name, err))
		case kept == nil:
			missing = append(missing, "the engine of "+name+" has none")
		case newest == nil || kept.time.After(newest.time):
			newest = kept
		}
	}
	if newest == nil {
		which := "any run"
		if run != "" {
			which = "run " + run
		}
		hint := "an engine keeps events for 30 days unless it is set otherwise; a run of a plan with events = false leaves none"
		return refuse("no-facts", hint, fmt.Errorf("no facts of %s are to be found: %s", which, strings.Join(missing, "; ")))
	}
	for _, reason := range missing {
		if strings.Contains(reason, "does not answer") {
			a.warn(reason)
		}
	}
	facts, err := unpackFacts(newest.parts)
	if err != nil {
		return refuse("facts-damaged", "look at the events of that engine: correlation_id="+newest.run+factsMark,
			fmt.Errorf("the facts of run %s in the engine of %s cannot be used: %w", newest.run, newest.site, err))
	}
	a.result.Facts = &FactsResult{Run: newest.run, Site: newest.site, Time: newest.time, Parts: newest.parts[0].Of, SHA256: newest.parts[0].SHA256, Facts: facts}
	return nil
}

// keptFacts are the parts that one engine has of a run.
type keptFacts struct {
	run, site string
	time      time.Time // of the newest part
	parts     []factsPart
}

// factsAt reads the parts that an engine has of a run, "" for its newest; nil where it has none.
func factsAt(ctx context.Context, site *ovirt.Site, run string) (*keptFacts, error) {
	if run == "" {
		newest, err := site.Events(ctx, ovirt.EventQuery{Search: "origin=" + lockOrigin + " and correlation_id=*" + factsMark, Max: 1})
		if err != nil || len(newest) == 0 {
			return nil, err
		}
		run = strings.TrimSuffix(newest[0].CorrelationID, factsMark)
		if !runID.MatchString(run) {
			return nil, fmt.Errorf("event %d of %s has the correlation id %q, which is none of drrun's", newest[0].ID, site.Name(), newest[0].CorrelationID)
		}
	}
	events, err := site.Events(ctx, ovirt.EventQuery{Search: "origin=" + lockOrigin + " and correlation_id=" + run + factsMark, Max: maxFactsEvents})
	if err != nil || len(events) == 0 {
		return nil, err
	}
	kept := &keptFacts{run: run, site: site.Name()}
	for _, event := range events {
		var part factsPart
		if err := json.Unmarshal([]byte(event.CustomData), &part); err != nil {
			return nil, fmt.Errorf("event %d of %s carries no part of facts: %w", event.ID, site.Name(), err)
		}
		if part.Schema != factsPartSchema {
			return nil, fmt.Errorf("event %d of %s carries %q, and this version of drrun reads %s", event.ID, site.Name(), part.Schema, factsPartSchema)
		}
		kept.parts = append(kept.parts, part)
		if event.Time.After(kept.time) {
			kept.time = event.Time
		}
	}
	return kept, nil
}
