package lab

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// meets says what a rule waits for.
func (f *Fault) meets() string {
	var words []string
	if f.ofRequests() && (f.Kind == "" || f.Kind == FaultJob || f.triggered()) {
		method, path := "any request", ""
		if f.Method != "" {
			method = strings.ToUpper(f.Method)
		}
		if f.Path != "" {
			path = " " + f.Path
		}
		words = append(words, method+path)
		switch {
		case f.Asked != "":
			words = append(words, "to "+f.Asked)
		case f.Site != "":
			words = append(words, "to "+f.Site)
		}
	} else if f.Site != "" {
		words = append(words, "on "+f.Site)
	}
	if f.Nth > 1 {
		words = append(words, fmt.Sprintf("from the %d. on", f.Nth))
	}
	switch {
	case slices.Contains(happens, f.Kind) && !f.triggered():
		words = append(words, "at once")
	case f.Times < 0 || f.Times == 0 && f.Probability > 0:
		words = append(words, "each time")
	case f.Times > 1:
		words = append(words, fmt.Sprintf("%d times", f.Times))
	default:
		words = append(words, "once")
	}
	if f.Probability > 0 {
		words = append(words, fmt.Sprintf("with probability %g (seed %d)", f.Probability, f.Seed))
	}
	return strings.Join(words, " ")
}

// does says what a rule does.
func (f *Fault) does() string {
	var words []string
	if f.Delay > 0 {
		words = append(words, "after "+f.Delay.String())
	}
	switch {
	case f.Kind != "":
		words = append(words, f.Kind)
		if f.Subject != "" {
			words = append(words, f.Subject)
		}
		if f.Export != "" {
			words = append(words, f.Export)
		}
	case f.Restart:
		words = append(words, "the engine restarts instead of an answer")
	case f.Reset == "before":
		words = append(words, "the connection is reset before the effect")
	case f.HTML && f.Status >= http.StatusMultipleChoices:
		words = append(words, fmt.Sprintf("status %d with an HTML page", f.Status))
	case f.Status != 0 && !f.HTML:
		words = append(words, strings.TrimSpace(fmt.Sprintf("status %d %s %s", f.Status, f.Reason, f.Detail)))
	case f.HTML:
		words = append(words, "an HTML page after the effect")
	case f.Empty:
		words = append(words, "no body after the effect")
	case f.Truncate:
		words = append(words, "the answer breaks off")
	case f.Reset == "after":
		words = append(words, "the connection is reset after the effect")
	case f.Delay > 0:
		words = append(words, "the answer")
	default:
		words = append(words, "nothing")
	}
	return strings.Join(words, " ")
}
