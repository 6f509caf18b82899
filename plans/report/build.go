package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"drrun/engine"
)

// Build tells the run of the input. It works on a run that is running, that was killed, and that has a damaged journal; the error is
// that there is nothing to tell: no record can be read.
func Build(in Input) (Model, error) {
	if in.Run == nil || len(in.Run.Records) == 0 {
		err := errors.New("its journal has no record")
		if in.Run != nil && in.Run.Err != nil {
			err = in.Run.Err
		}
		return Model{}, fmt.Errorf("make the report: nothing is known of the run: %w", err)
	}
	d := in.latest()
	h := read(in.Run, in.Held, in.Now)
	board := h.board()
	vms, domains := h.vmRows(board), h.domainRows(board)
	ranks := h.ranks(vms)
	head := in.Run.Head
	m := Model{
		Run: in.Run.ID, Plan: head.Plan, PlanFile: head.PlanFile, Action: head.Action, Source: head.Source, Target: head.Target,
		Headline: h.headline(&in, d, vms, domains), Alerts: h.alerts(d), Failure: d.Error, Damage: broken(in.Run), Next: append(h.duties(), in.Next...),
		Warnings: h.warnings(d), Ranks: ranks, Decisions: h.decisions(), Looks: h.lookRows(),
		Timeline: h.timeline(vms, domains, ranks), Domains: domains, Attempts: h.attemptRows(&in), Steps: h.stepRows(),
		Requests: h.requestRows(), Counters: counters(d), Findings: d.Findings, Log: h.log(), Params: pretty(head.Params),
		Options: pretty(head.Options), Texts: in.Texts,
		Journal: Journal{Records: len(in.Run.Records), LastHash: in.Run.LastHash, Last: h.endOfJournal(), Schema: engine.Schema},
	}
	if d.DryRun == nil { // else every VM and storage domain is as it was
		m.Figures = h.figures(vms, domains)
		if in.Run.Err != nil {
			m.Figures = unknownSince(m.Figures, len(in.Run.Records))
		}
		m.Attention, m.MoreAttention = attention(vms)
	}
	redactStrings(&m, in.Redact)
	return m, nil
}

// maxAttention is up to how many VMs are shown apart because of their state.
const maxAttention = 50

// attention returns the VMs that are not as they should be, those that went wrong first, and how many more there are. Of a run that has
// reached none of its VMs nobody needs that list.
func attention(vms []VM) (list []VM, more int) {
	var wrong, open []VM
	for _, vm := range vms {
		switch vm.Tone {
		case Bad:
			wrong = append(wrong, vm)
		case Warn:
			open = append(open, vm)
		}
	}
	if len(open) == len(vms) {
		return nil, 0
	}
	list = append(wrong, open...)
	if len(list) > maxAttention {
		return list[:maxAttention], len(list) - maxAttention
	}
	return list, 0
}

func (h *history) endOfJournal() time.Time {
	return h.info.Records[len(h.info.Records)-1].Time
}

// pretty indents JSON; "" stands for an object without anything in it.
func pretty(raw json.RawMessage) string {
	var buf bytes.Buffer
	if json.Indent(&buf, raw, "", "  ") != nil || buf.String() == "{}" || buf.String() == "null" {
		return ""
	}
	return buf.String()
}
