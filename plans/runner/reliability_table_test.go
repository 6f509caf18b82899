package runner_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

var writeTables = flag.Bool("write-tables", false, "write the tables of the crash and fault matrices into docs/reliability.md")

// reliabilityPage is where the figures stand.
const reliabilityPage = "../../docs/reliability.md"

// figures counts by row what a matrix played.
type figures struct {
	keys     []string // headings of the columns that name a row
	headings []string // of those that count

	mu   sync.Mutex
	rows []*figure
}

// figure is a row.
type figure struct {
	key                        []string
	points, resumed, different int
	left                       int // cases that there was no time for
}

func newFigures(keys ...string) *figures {
	return &figures{keys: keys, headings: []string{"points", "resumed", "different"}}
}

// of returns a row, a new one where there is none.
func (f *figures) of(key ...string) *figure {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.row(key)
}

func (f *figures) row(key []string) *figure {
	if i := slices.IndexFunc(f.rows, func(r *figure) bool { return slices.Equal(r.key, key) }); i >= 0 {
		return f.rows[i]
	}
	r := &figure{key: key}
	f.rows = append(f.rows, r)
	return r
}

// add counts one case, and whether it was resumed to its end.
func (f *figures) add(resumed, different bool, key ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.row(key)
	r.points++
	if resumed {
		r.resumed++
	}
	if different {
		r.different++
	}
}

func (f *figures) header() []string { return append(slices.Clone(f.keys), f.headings...) }

func (f *figures) cells(r *figure) []string {
	cells := slices.Clone(r.key)
	for _, heading := range f.headings {
		switch heading {
		case "points", "injected":
			cells = append(cells, strconv.Itoa(r.points))
			if r.left > 0 {
				cells[len(cells)-1] += fmt.Sprintf(" of %d", r.points+r.left)
			}
		case "ended at once":
			cells = append(cells, strconv.Itoa(r.points-r.resumed))
		case "resumed":
			cells = append(cells, strconv.Itoa(r.resumed))
		case "different":
			cells = append(cells, strconv.Itoa(r.different))
		}
	}
	return cells
}

// report prints the table, and with -write-tables puts it between the markers of that name in docs/reliability.md: rows that were not
// played stay there as they are.
func (f *figures) report(t *testing.T, name string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	var played [][]string
	for _, row := range f.rows {
		played = append(played, f.cells(row))
	}
	t.Logf("%s:\n%s", name, table(f.header(), sorted(played, len(f.keys))))
	if !*writeTables || t.Failed() {
		return
	}
	text, err := os.ReadFile(reliabilityPage)
	if err != nil {
		t.Fatal(err)
	}
	page, err := withTable(string(text), name, f.header(), played, len(f.keys))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(reliabilityPage, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
}

// withTable replaces the rows of the table between the markers of a page by those that were played, and adds new ones.
func withTable(page, name string, header []string, played [][]string, keys int) (string, error) {
	begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->"
	before, rest, found := strings.Cut(page, begin)
	old, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return "", fmt.Errorf("%s has no %q … %q", reliabilityPage, begin, end)
	}
	rows := slices.Clone(played)
	for i, line := range strings.Split(strings.TrimSpace(old), "\n") {
		if i < 2 {
			continue // the heading
		}
		cells := cellsOf(line)
		if len(cells) >= keys && !slices.ContainsFunc(played, func(r []string) bool { return slices.Equal(r[:keys], cells[:keys]) }) {
			rows = append(rows, cells)
		}
	}
	return before + begin + table(header, sorted(rows, keys)) + end + after, nil
}

func cellsOf(line string) (cells []string) {
	for cell := range strings.SplitSeq(strings.Trim(strings.TrimSpace(line), "|"), "|") {
		cells = append(cells, strings.TrimSpace(cell))
	}
	return cells
}

// sorted orders rows by the order of the stories, then by what names them.
func sorted(rows [][]string, keys int) [][]string {
	order := func(row []string) int {
		for i, story := range crashStories() {
			if slices.Contains(row[:keys], story.name) {
				return i
			}
		}
		return -1
	}
	slices.SortStableFunc(rows, func(a, b []string) int {
		if by := order(a) - order(b); by != 0 {
			return by
		}
		return slices.Compare(a[:keys], b[:keys])
	})
	return rows
}

func table(header []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(header)
	rule := make([]string, len(header))
	for i := range rule {
		rule[i] = "---"
	}
	line(rule)
	for _, row := range rows {
		line(row)
	}
	return b.String()
}

// TestWithTable: rows that were played replace those of the page, and others stay.
func TestWithTable(t *testing.T) {
	t.Parallel()
	page := "text\n<!-- m -->\n| a | n |\n| --- | --- |\n| failback | 1 |\n| failover | 2 |\n<!-- end of m -->\nmore\n"
	got, err := withTable(page, "m", []string{"a", "n"}, [][]string{{"failover", "3"}, {"planned failover", "4"}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := "text\n<!-- m -->\n| a | n |\n| --- | --- |\n| failover | 3 |\n| planned failover | 4 |\n| failback | 1 |\n<!-- end of m -->\nmore\n"
	if got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
	if _, err := withTable(page, "other", nil, nil, 1); err == nil {
		t.Error("a page without the markers is taken")
	}
}
