//go:build interop

package interop

import (
	"os/exec"
	"regexp"
	"testing"
)

// TestRecordings runs the judge that stands beside the lab, the documents recorded of a real engine, for its figures.
func TestRecordings(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "test", "-count", "1", "-run", "^TestDocumentsLikeRecorded$", "-v", "../ovirt/lab").CombinedOutput()
	found := regexp.MustCompile(`(\d+) kinds, (\d+) recorded documents, (\d+) documents of the lab, (\d+) paths: (\d+) matched, (\d+) missing`).FindSubmatch(out)
	if err != nil || found == nil {
		t.Fatalf("%v\n%s", err, out)
	}
	count("recordings: %s kinds, %s documents of the lab compared with %s recorded ones", found[1], found[3], found[2])
	count("recordings: %s paths, %s matched, %s missing with a reason", found[4], found[5], found[6])
}
