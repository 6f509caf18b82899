package docs

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryPageIsListed holds the index against the folder.
func TestEveryPageIsListed(t *testing.T) {
	t.Parallel()
	listed := map[string]int{}
	for _, page := range Pages() {
		listed[page.Name+".md"]++
		if page.Group == "" || page.About == "" || len(page.sections) == 0 || page.sections[0].Level != 1 {
			t.Errorf("%s: group %q, about %q, %d sections", page.File(), page.Group, page.About, len(page.sections))
		}
	}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == indexFile {
			return err
		}
		if listed[name] != 1 {
			t.Errorf("docs/%s stands %d times in docs/%s, want once", name, listed[name], indexFile)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestEveryPageIsFound asks for each page by its name, by its name without the number, by its path and by its number.
func TestEveryPageIsFound(t *testing.T) {
	t.Parallel()
	for _, page := range Pages() {
		names := []string{page.Name, page.Topic(), page.File(), strings.ToUpper(page.Topic())}
		if digits, _, ok := strings.Cut(page.Name, "-"); ok && number.MatchString(page.Name) && !strings.Contains(page.Name, "/") {
			names = append(names, digits, strings.TrimLeft(digits, "0"))
		}
		for _, name := range names {
			if found := Find(name); len(found) != 1 || found[0].Page != page || found[0].Text != page.Text {
				t.Errorf("%q finds %v, not the page %s", name, topicNames(found), page.Name)
			}
		}
	}
}

func topicNames(found []Topic) []string {
	var names []string
	for _, topic := range found {
		names = append(names, topic.Page.Name+": "+topic.Name)
	}
	return names
}

func TestFind(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, page string
		begins     string
		holds      string
	}{
		{"vm:start", "800-reference", "### `vm:start", "collected anew"},
		{"VM:Start", "800-reference", "### `vm:start", ""},
		{"import_domain", "800-reference", "### `site:import_domain", ""},
		{"dr.boot", "800-reference", "### dr.boot\n", "`dr.boot.any"},
		{"dns", "800-reference", "### require \"dns\"", "### `dns.update"},
		{"exit codes", "900-results", "## Exit codes", "| 130 |"},
		{"way", "030-the-way-back", "# The way back", ""},
		{"lab", "040-the-lab", "# The lab", ""},
	} {
		found := Find(test.name)
		if len(found) != 1 || found[0].Page.Name != test.page || !strings.HasPrefix(found[0].Text, test.begins) || !strings.Contains(found[0].Text, test.holds) {
			t.Errorf("%q finds %v", test.name, topicNames(found))
		}
	}
	if found := Find("dns"); len(found) == 1 && strings.Contains(found[0].Text, "require \"env\"") {
		t.Error("the text about dns holds that about env")
	}
	if found := Find("wait"); len(found) < 3 {
		t.Errorf("wait finds %v, want every function of that name", topicNames(found))
	}
	for _, name := range []string{"", " ", "no-such-thing", "blockdomains", "unknown-key"} {
		if found := Find(name); found != nil {
			t.Errorf("%q finds %v", name, topicNames(found))
		}
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	hits := Search([]string{"Exit", "codes"})
	if len(hits) < 2 || hits[0].Page != "docs/900-results.md" || hits[0].Title != "Exit codes" {
		t.Errorf("exit codes: %+v", hits)
	}
	for _, hit := range hits {
		if found := Find(hit.Topic); len(found) != 1 {
			t.Errorf("the topic %q of a hit finds %v", hit.Topic, topicNames(found))
		}
	}
	if hits := Search([]string{"xyzzy"}); hits != nil {
		t.Errorf("xyzzy: %+v", hits)
	}
	if hits := Search(nil); hits != nil {
		t.Errorf("no words: %+v", hits)
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinksLead follows every link inside the repository: its file and its heading must be there.
func TestLinksLead(t *testing.T) {
	t.Parallel()
	texts := map[string]string{"docs/" + indexFile: Index()}
	anchors := map[string][]string{}
	for _, page := range Pages() {
		texts[page.File()] = page.Text
		for _, section := range page.sections {
			anchors[page.File()] = append(anchors[page.File()], section.anchor())
		}
	}
	for _, name := range []string{"README.md", "examples/README.md"} {
		text, err := os.ReadFile("../" + name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	followed := 0
	for name, text := range texts {
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			file, anchor, _ := strings.Cut(match[1], "#")
			if strings.Contains(file, "://") {
				continue
			}
			followed++
			target := name
			if file != "" {
				target = path.Join(path.Dir(name), file)
			}
			if _, err := os.Stat("../" + target); err != nil {
				t.Errorf("%s: the link %s leads nowhere", name, match[1])
			}
			if anchor != "" && !slices.Contains(anchors[target], anchor) {
				t.Errorf("%s: %s has no heading for the link %s", name, target, match[1])
			}
		}
	}
	if followed < 50 {
		t.Errorf("followed %d links only", followed)
	}
}

var mention = regexp.MustCompile("drrun docs ([a-z][\\w:.-]*(?: [a-z]+)?)`")

// TestMentionsLead asks for every topic that a page or the README tells the reader to ask for.
func TestMentionsLead(t *testing.T) {
	t.Parallel()
	texts := map[string]string{"docs/" + indexFile: Index()}
	for _, page := range Pages() {
		texts[page.File()] = page.Text
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	texts["README.md"] = string(readme)
	asked := 0
	for name, text := range texts {
		for _, match := range mention.FindAllStringSubmatch(text, -1) {
			asked++
			if found := Find(match[1]); len(found) != 1 {
				t.Errorf("%s: drrun docs %s finds %v", name, match[1], topicNames(found))
			}
		}
	}
	if asked < 8 {
		t.Errorf("found %d topics only", asked)
	}
}
