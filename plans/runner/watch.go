package runner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"drrun/plans"
)

// WatchOptions say how a plan is watched.
type WatchOptions struct {
	// Online compares the plan with both sites at each look.
	Online bool
	// ParamsFile is a file of parameters that is watched too; "" for none. It takes the place of Options.ParamsFile.
	ParamsFile string
}

// Look is what one look at a watched plan showed, and what is different from the look before.
type Look struct {
	At       time.Time       `json:"at"` // model time
	First    bool            `json:"first,omitempty"`
	Changed  []string        `json:"changed,omitempty"` // files that were saved, came or went
	New      []plans.Finding `json:"new"`
	Gone     []plans.Finding `json:"gone"`
	Findings int             `json:"findings"`           // that there are now
	Warnings int             `json:"warnings,omitempty"` // among them
	Sound    bool            `json:"sound"`              // no errors
	Meaning  []string        `json:"meaning,omitempty"`  // what is different in the plan since it was sound last
	Files    int             `json:"files"`              // that are watched
	Error    *ErrorResult    `json:"error,omitempty"`    // why there is no verdict beside the findings: a site cannot be read, a file is missing
	Result   *Result         `json:"-"`
}

// Watch checks a plan, and again whenever a file is saved that the check read or looked for, until soft ends. tell is given each look that
// has something to tell. It changes nothing.
func Watch(soft, hard context.Context, o Options, w WatchOptions, tell func(Look)) {
	watch := &watch{options: o, WatchOptions: w, needed: map[string]bool{}}
	watch.options.Secrets.Prompt = askedOnce(o.Secrets.Prompt)
	look, held := watch.look(soft, hard)
	look.First = true
	saved := watchSaves(o.Env, o.Speed, held)
	defer saved.stop()
	for soft.Err() == nil {
		if look.tells() {
			tell(look)
		}
		before := saved.seen
		now, ok := saved.next(soft, nil)
		if !ok {
			return
		}
		look, held = watch.look(soft, hard)
		look.Changed = different(before, now)
		saved.watch(held)
	}
}

// tells is false for a look that would repeat the one before.
func (l *Look) tells() bool {
	return l.First || len(l.New)+len(l.Gone)+len(l.Changed)+len(l.Meaning) > 0 || l.Error != nil
}

// askedOnce remembers the answers of a person: the sites are asked at each look, and the person once.
func askedOnce(ask func(context.Context, string) (string, error)) func(context.Context, string) (string, error) {
	if ask == nil {
		return nil
	}
	answers := map[string]string{}
	return func(ctx context.Context, text string) (string, error) {
		if answer, known := answers[text]; known {
			return answer, nil
		}
		answer, err := ask(ctx, text)
		if err == nil {
			answers[text] = answer
		}
		return answer, err
	}
}

// different are the files of which two looks saw other texts.
func different(before, now map[string][]byte) []string {
	var files []string
	for _, file := range slices.Sorted(maps.Keys(now)) {
		if !same(map[string][]byte{"": before[file]}, map[string][]byte{"": now[file]}) {
			files = append(files, file)
		}
	}
	return files
}

// watch is what is remembered from look to look.
type watch struct {
	options Options
	WatchOptions
	findings []plans.Finding
	sound    *plans.Plan     // as it was when it was sound last
	needed   map[string]bool // files that the look needed which was sound last: they stay watched while the plan cannot be read
}

// look checks the plan once, and returns what each file held that the check needed, nil for one that was not there.
func (w *watch) look(soft, hard context.Context) (Look, map[string][]byte) {
	o := w.options
	files := &filesRead{read: o.Env.FS.ReadFile, held: map[string][]byte{}}
	a := newAttempt(o)
	a.readFile = files.readFile
	var result *Result
	if err := w.readParams(a); err != nil {
		result = a.conclude(soft, err)
	} else {
		result = a.checkPlan(soft, hard, !w.Online)
	}
	look := Look{At: o.Env.Clock.Now(), Result: result, Sound: !plans.HasErrors(result.Findings), Findings: len(result.Findings)}
	for _, f := range result.Findings {
		if f.Severity == plans.SeverityWarning {
			look.Warnings++
		}
	}
	if result.Error != nil && !(plans.HasErrors(result.Findings) && slices.Contains([]string{"plan", "check"}, result.Error.Code)) {
		look.Error, look.Sound = result.Error, false
	}
	look.New, look.Gone = findingsBeyond(w.findings, result.Findings), findingsBeyond(result.Findings, w.findings)
	w.findings = result.Findings
	if look.Sound && a.plan != nil {
		if w.sound != nil {
			look.Meaning = plans.Compare(w.sound, a.plan).Sentences()
		}
		w.sound, w.needed = a.plan, map[string]bool{}
		for file := range files.held {
			w.needed[file] = true
		}
	}
	for file := range w.needed {
		if _, read := files.held[file]; !read {
			_, _ = files.readFile(file) // one that is not there is nil
		}
	}
	look.Files = files.there()
	return look, files.held
}

func (w *watch) readParams(a *attempt) error {
	if w.ParamsFile == "" {
		return nil
	}
	var err error
	if a.ParamsFile, err = a.readFile(w.ParamsFile); err != nil {
		return invalid("params", "give --params the path of a file that exists", fmt.Errorf("read the parameters: %w", err))
	}
	return nil
}

// findingsBeyond are the findings of a list that an older one has not. The line is no part of what a finding is: lines move.
func findingsBeyond(before, now []plans.Finding) []plans.Finding {
	type what struct{ file, severity, code, message, site, id string }
	of := func(f plans.Finding) what {
		return what{f.Pos.File, f.Severity, f.Code, f.Message, f.Site, f.ID}
	}
	known := map[what]int{}
	for _, f := range before {
		known[of(f)]++
	}
	found := []plans.Finding{}
	for _, f := range now {
		if known[of(f)]--; known[of(f)] < 0 {
			found = append(found, f)
		}
	}
	return found
}

// filesRead remembers which files were read or looked for.
type filesRead struct {
	read func(string) ([]byte, error)
	mu   sync.Mutex
	held map[string][]byte
}

func (f *filesRead) readFile(path string) ([]byte, error) {
	text, err := f.read(path)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held[path] = text
	return text, err
}

// there counts the files that are there.
func (f *filesRead) there() int {
	count := 0
	for _, text := range f.held {
		if text != nil {
			count++
		}
	}
	return count
}
