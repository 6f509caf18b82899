package lab_test

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// shape is what documents of one kind have in common with those of another source: where elements stand, which attributes and link
// rels they have, how their values are spelled, and in which order children come.
type shape struct {
	documents int
	paths     map[string]bool
	spellings map[string]map[string]bool // by element path
	before    map[[3]string]bool         // parent path, child, a later child
}

func newShape() *shape {
	return &shape{paths: map[string]bool{}, spellings: map[string]map[string]bool{}, before: map[[3]string]bool{}}
}

// add takes in a document. A link counts as the element, as each of its attributes and once per rel.
func (s *shape) add(e *element) {
	s.documents++
	s.walk("", e)
}

func (s *shape) walk(parent string, e *element) {
	path := parent + "/" + e.name
	s.paths[path] = true
	for _, a := range e.attrs {
		s.paths[path+"@"+a.Name.Local] = true
	}
	if e.name == "link" {
		s.paths[path+"["+e.attr("rel")+"]"] = true
	}
	if len(e.children) == 0 {
		if s.spellings[path] == nil {
			s.spellings[path] = map[string]bool{}
		}
		s.spellings[path][spelling(e.text)] = true
	}
	var earlier []string
	for _, c := range e.children {
		if len(earlier) == 0 || earlier[len(earlier)-1] != c.name {
			earlier = append(earlier, c.name)
		}
		s.walk(path, c)
	}
	for i, a := range earlier {
		for _, b := range earlier[i+1:] {
			s.before[[3]string{path, a, b}] = true
		}
	}
}

// spellings are the ways in which an engine writes values, the narrow ones first.
var spellings = []struct {
	name    string
	pattern *regexp.Regexp
}{
	{"empty", regexp.MustCompile(`^$`)},
	{"boolean", regexp.MustCompile(`^(true|false)$`)},
	{"date", regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)$`)},
	{"integer", regexp.MustCompile(`^-?\d+$`)},
	{"decimal", regexp.MustCompile(`^-?\d+\.\d+$`)},
	{"uuid", regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)},
	{"mac", regexp.MustCompile(`^[0-9a-f]{2}(:[0-9a-f]{2}){5}$`)},
	{"word", regexp.MustCompile(`^[a-z][a-z0-9_]*$`)},
	{"constant", regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)},
	{"text", regexp.MustCompile(``)},
}

func spelling(text string) string {
	text = strings.TrimSpace(text)
	for _, s := range spellings {
		if s.pattern.MatchString(text) {
			return s.name
		}
	}
	return "text"
}

// freeText lists elements whose values people choose or machines report: that a recorded one looks like a word or a number says
// nothing about another.
var freeText = setOf(`name description comment alias address path value datum actual_value expected_value version_name custom_kernel_cmdline
	reported_kernel_cmdline full_version vendor_id product_id serial serial_number codename usage product_name manufacturer family
	portal target subject organization content`)

func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// spelledLike reports whether values are of a type that was recorded there. A decimal may be whole.
func spelledLike(got, recorded map[string]bool) bool {
	for s := range got {
		if !recorded[s] && (s != "integer" || !recorded["decimal"]) && (s != "decimal" || !recorded["integer"] || !recorded["decimal"]) {
			return false
		}
	}
	return true
}

var idInPath = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// recordedShapes returns the shapes of the recorded documents by kind: the path with ids replaced.
func recordedShapes(t *testing.T) map[string]*shape {
	t.Helper()
	files, err := filepath.Glob("testdata/rhv-4.3/*.xml")
	if err != nil {
		t.Fatal(err)
	}
	shapes := map[string]*shape{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		e, err := parseElements(text)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		path := strings.ReplaceAll(strings.TrimSuffix(filepath.Base(file), ".xml"), "__", "/")
		kind := idInPath.ReplaceAllString(path, "{id}")
		if shapes[kind] == nil {
			shapes[kind] = newShape()
		}
		shapes[kind].add(e)
	}
	return shapes
}

// documentsOf gets every document of a kind from the lab: each {id} stands for the ids in the collection before it. A sub-collection
// that an object does not link to is not asked for.
func (f foreigner) documentsOf(t *testing.T, kind string) []*element {
	t.Helper()
	paths := []string{""}
	for _, part := range strings.Split(kind, "/") {
		var next []string
		for _, p := range paths {
			switch {
			case part == "{id}":
				for _, c := range f.document(t, p).children {
					if id := c.attr("id"); id != "" {
						next = append(next, p+"/"+id)
					}
				}
			case strings.Count(p, "/")%2 == 0 && p != "":
				object := f.document(t, p)
				if slices.ContainsFunc(object.children, func(c *element) bool { return c.name == "link" && c.attr("rel") == part }) {
					next = append(next, p+"/"+part)
				}
			default:
				next = append(next, p+"/"+part)
			}
		}
		paths = next
	}
	var list []*element
	for _, p := range paths {
		list = append(list, f.document(t, p))
	}
	return list
}

// gapReasons are the only reasons for which the lab may lack what was recorded.
var gapReasons = setOf("removed-since-4.3 all-content-since-4.4 no-such-object dead-on-an-engine")

// readGaps reads the table of gaps: kind, path, reason and a remark on each line.
func readGaps(t *testing.T) map[[2]string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/gaps.txt")
	if err != nil {
		t.Fatal(err)
	}
	gaps := map[[2]string]string{}
	for n, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Fields(line)
		if len(words) != 3 || !gapReasons[words[2]] {
			t.Errorf("gaps.txt:%d: want a kind, a path and a reason of %s", n+1, slices.Sorted(maps.Keys(gapReasons)))
			continue
		}
		if gaps[[2]string{words[0], words[1]}] != "" {
			t.Errorf("gaps.txt:%d: a second entry for %s %s", n+1, words[0], words[1])
		}
		gaps[[2]string{words[0], words[1]}] = words[2]
	}
	return gaps
}

// TestDocumentsLikeRecorded compares the lab's documents, kind by kind, with those of a real engine: at least 95 of 100 element
// paths, attributes and link rels in all, 90 of each kind, and each that is missing with its reason in testdata/gaps.txt.
func TestDocumentsLikeRecorded(t *testing.T) {
	t.Parallel()
	recorded, gaps, f := recordedShapes(t), readGaps(t), newForeigner(furnished(), "primary")
	f.stopVM(t, "vm2") // what ran once has a time at which it stopped
	used := map[[2]string]bool{}
	var report strings.Builder
	total, matched, documents, answers, values := 0, 0, 0, 0, 0
	for _, kind := range slices.Sorted(maps.Keys(recorded)) {
		want, got := recorded[kind], newShape()
		for _, e := range f.documentsOf(t, kind) {
			got.add(e)
		}
		here := 0
		for _, path := range slices.Sorted(maps.Keys(want.paths)) {
			key := [2]string{kind, path}
			used[key] = true
			switch {
			case got.paths[path]:
				here++
				if gaps[key] != "" {
					t.Errorf("%s: %s is no gap any more: take it out of gaps.txt", kind, path)
				}
			case gaps[key] == "":
				t.Errorf("%s: no %s, and no reason for it in gaps.txt", kind, path)
			}
		}
		for path, types := range want.spellings {
			if name := path[strings.LastIndex(path, "/")+1:]; got.spellings[path] == nil || freeText[name] {
				continue
			}
			values++
			if !spelledLike(got.spellings[path], types) {
				t.Errorf("%s: %s is spelled as %s, recorded as %s", kind, path, slices.Sorted(maps.Keys(got.spellings[path])), slices.Sorted(maps.Keys(types)))
			}
		}
		for pair := range got.before {
			if reverse := [3]string{pair[0], pair[2], pair[1]}; want.before[reverse] && !want.before[pair] {
				t.Errorf("%s: %s has %s before %s", kind, pair[0], pair[1], pair[2])
			}
		}
		fmt.Fprintf(&report, "%-40s %3d of %3d paths (%5.1f %%), %d recorded documents, %d of the lab\n", kind, here, len(want.paths),
			percent(here, len(want.paths)), want.documents, got.documents)
		if percent(here, len(want.paths)) < 90 {
			t.Errorf("%s: less than 90 %%", kind)
		}
		total, matched, documents, answers = total+len(want.paths), matched+here, documents+want.documents, answers+got.documents
	}
	reasons := map[string]int{}
	for _, key := range slices.SortedFunc(maps.Keys(gaps), func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) }) {
		reasons[gaps[key]]++
		if !used[key] {
			t.Errorf("gaps.txt: nothing like %s %s was recorded", key[0], key[1])
		}
	}
	fmt.Fprintf(&report, "%d kinds, %d recorded documents, %d documents of the lab, %d paths: %d matched, %d missing (%.1f %% matched), %d spellings compared\n",
		len(recorded), documents, answers, total, matched, total-matched, percent(matched, total), values)
	for _, r := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Fprintf(&report, "missing as %s: %d\n", r, reasons[r])
	}
	t.Log("\n" + report.String())
	if len(recorded) != 25 || total != 1361 {
		t.Errorf("%d kinds with %d paths were recorded, not 25 with 1361", len(recorded), total)
	}
	if percent(matched, total) < 95 {
		t.Error("less than 95 % in all")
	}
}

func percent(n, of int) float64 { return 100 * float64(n) / float64(of) }
