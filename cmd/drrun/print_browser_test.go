//go:build browser

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestBrowserPrints prints a page with the installed browser, into a folder in which nothing else is left.
func TestBrowserPrints(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pdf, err := printPDF(context.Background(), SystemEnv(), filepath.Join(dir, "report.pdf"), []byte("<!DOCTYPE html><title>t</title><p>one page"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(pdf, []byte("%PDF-")) || !bytes.Contains(pdf, []byte("/Type /Page")) {
		t.Errorf("no PDF: %.60q", pdf)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	interruptedAtOnce, cancel := context.WithCancelCause(context.Background())
	cancel(errInterrupted)
	if _, err := printPDF(interruptedAtOnce, SystemEnv(), filepath.Join(dir, "report.pdf"), nil); !errors.Is(err, errInterrupted) {
		t.Errorf("when it is interrupted: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
