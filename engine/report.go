package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
)

// Pages makes the files of a report beside report.json, by their names in the run's folder. It is given the run as its journal tells
// it, with the end of the attempt where that could be recorded, and the document that is to be report.json. It is called once, when
// the attempt has ended, and must not call the run.
type Pages func(info *RunInfo, document json.RawMessage) (map[string][]byte, error)

// ErrEndLost is matched by the error of Run.End when the end of the attempt is not in the journal. Any other error of it is about the
// report alone: the run has ended.
var ErrEndLost = errors.New("the end of the run is not recorded")

// ReportWith says what the report of the run has beside report.json. Without it there is nothing else.
func (r *Run) ReportWith(pages Pages) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pages = pages
}

// writeReport composes the report and writes its files, also to the mirror, each as a whole and free of secrets, and returns them. What
// cannot be made or written does not keep the rest from being written.
func (r *Run) writeReport(document any) (map[string][]byte, error) {
	files, err := r.composeReport(document)
	errs := []error{err}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := r.env.FS.WriteFile(filepath.Join(r.dir, name), files[name], 0o600); err != nil {
			errs = append(errs, err)
		}
	}
	_ = r.mirrorFiles("", files) // a mirror that is lost has said so
	if err := errors.Join(errs...); err != nil {
		return files, fmt.Errorf("write the report of run %s: %w", r.id, err)
	}
	return files, nil
}

// composeReport makes the files of the report by name.
func (r *Run) composeReport(document any) (map[string][]byte, error) {
	raw, err := marshal(document)
	if err != nil {
		return nil, err
	}
	raw = indent(r.cleanJSON(raw, false))
	files := map[string][]byte{reportName: append(slices.Clone(raw), '\n')}
	r.mu.Lock()
	pages := r.pages
	r.mu.Unlock()
	if pages == nil {
		return files, nil
	}
	// A journal that broke is told as far as it goes; one that cannot be read at all has no pages.
	info, err := readRun(r.env, r.dir, r.id)
	if len(info.Records) == 0 {
		return files, err
	}
	err = protect("the report", func() error { // a fault in it must not take the outcome of the run along
		made, err := pages(info, raw)
		for name, page := range made {
			files[name] = []byte(r.cleanText(string(page)))
		}
		return err
	})
	return files, err
}
