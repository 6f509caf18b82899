package report

import (
	"fmt"
	"slices"
	"strings"

	"drrun/stdlib"
)

// alerts are the verdicts of the run. Of an attempt that told its verdicts those count; of one that was killed, what the journal holds.
func (h *history) alerts(d document) []Alert {
	texts := slices.Clone(d.Verdicts)
	says := func(prefix string) bool {
		return slices.ContainsFunc(texts, func(text string) bool { return strings.HasPrefix(text, prefix) })
	}
	if by := h.reliance.By(); by != "" && h.facts != nil && h.info.Changed() && !says(stdlib.NotIsolated) {
		texts = append(texts, stdlib.NotIsolatedVerdict(h.facts.Source, by, h.reliance.AnswersAgain()))
	}
	for _, verdict := range h.verdicts {
		if !slices.Contains(texts, verdict.text) {
			texts = append(texts, verdict.text)
		}
	}
	var alerts []Alert
	for _, text := range texts {
		alerts = append(alerts, Alert{Tone: alertTone(text), Text: text})
	}
	weight := map[Tone]int{Bad: 0, Warn: 1, Neutral: 2, Good: 3}
	slices.SortStableFunc(alerts, func(a, b Alert) int { return weight[a.Tone] - weight[b.Tone] })
	return alerts
}

// alertTone judges a verdict by how it begins, which is how the workflows word them.
func alertTone(text string) Tone {
	switch {
	case strings.HasPrefix(text, stdlib.NotIsolated):
		return Bad
	case strings.HasPrefix(text, "reverse replication: ready"), strings.Contains(text, "nothing lost"):
		return Good
	case strings.HasPrefix(text, "reverse replication:"), strings.HasPrefix(text, "data "):
		return Warn
	}
	return Neutral
}

// duties are what persons have to do beside drrun when a run has ended, so that it does no harm afterwards.
func (h *history) duties() []Command {
	if h.facts == nil || h.info.Unfinished() || !h.info.Changed() {
		return nil
	}
	var list []Command
	if h.reliance.By() != "" {
		list = append(list, Command{Why: fmt.Sprintf("keep the hosts of %s powered off, or their old storage out of their reach, until nothing can write to the old copies", h.facts.Source)})
	}
	for _, verdict := range h.verdicts {
		if strings.HasPrefix(verdict.text, "reverse replication: NOT") {
			return append(list, Command{Why: fmt.Sprintf("at the array, start the replication from %s to %s: until it runs, the VMs have no copy to come up from", h.facts.Target, h.facts.Source)})
		}
	}
	return list
}
