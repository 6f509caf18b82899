package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const sourcesPage = "../../docs/820-lab-sources.md"

var (
	commentGroup = regexp.MustCompile(`(?m)(?:^[ \t]*//.*\n)+`)
	upstream     = regexp.MustCompile(`\b(?:ovirt-engine\S*|vdsm|engine-config|mod_auth_openidc)\b`)
	bracketed    = regexp.MustCompile(`,? ?\(([^()]*(?:\([^()]*\))?[^()]*)\)`)
)

// sourced is a comment that names where a behaviour comes from.
type sourced struct{ file, name, text, sources string }

// TestSources holds docs/820-lab-sources.md against the comments of the lab: each behaviour with the class of ovirt-engine that shows it.
func TestSources(t *testing.T) {
	t.Parallel()
	var rows []sourced
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || file == "doc.go" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range commentGroup.FindAllIndex(text, -1) {
			var lines []string
			for line := range strings.Lines(string(text[at[0]:at[1]])) {
				lines = append(lines, strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "//")))
			}
			comment := strings.Join(lines, " ")
			if upstream.MatchString(comment) {
				next, _, _ := strings.Cut(string(text[at[1]:]), "\n")
				rows = append(rows, sourcedOf(file, comment, next))
			}
		}
	}
	if len(rows) < 200 {
		t.Errorf("%d behaviours with a source", len(rows))
	}
	page := sourcesText(rows)
	if *update {
		if err := os.WriteFile(sourcesPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if committed, err := os.ReadFile(sourcesPage); err != nil || string(committed) != page {
		t.Errorf("docs/820-lab-sources.md is stale (%v): go test ./ovirt/lab -run TestSources -update", err)
	}
}

// sourcedOf takes the sources out of a comment, and the name of what it stands before.
func sourcedOf(file, comment, next string) sourced {
	row := sourced{file: file}
	if first, rest, _ := strings.Cut(comment, " "); strings.Contains(next, first) && !upstream.MatchString(first) {
		row.name, comment = first, rest
	}
	var sources []string
	row.text = bracketed.ReplaceAllStringFunc(comment, func(found string) string {
		inside := bracketed.FindStringSubmatch(found)[1]
		if !upstream.MatchString(inside) && !regexp.MustCompile(`^[A-Z][A-Za-z]+(?:Command|Mapper|Resource|Policy|Unit|Query|InMinutes)\b`).MatchString(inside) {
			return found
		}
		sources = append(sources, inside)
		return ""
	})
	if len(sources) == 0 {
		for _, word := range regexp.MustCompile(`\b(?:ovirt-engine\S*|vdsm) ([A-Z][\w.]*\w)`).FindAllStringSubmatch(comment, -1) {
			sources = append(sources, word[1])
		}
	}
	if len(sources) == 0 {
		sources = upstream.FindAllString(comment, 1)
	}
	row.sources = strings.Join(sources, "; ")
	for _, prefix := range []string{"is ", "are "} {
		row.text = strings.TrimPrefix(row.text, prefix)
	}
	row.sources = strings.ReplaceAll(row.sources, "ovirt-engine ", "")
	if whole := regexp.MustCompile(`^ovirt-engine [\w.]*\w[.:]? ?`).FindString(row.text); whole != "" { // nothing but the class
		if row.text = row.text[len(whole):]; row.text == "" {
			row.text = "the same"
		}
	}
	return row
}

func sourcesText(rows []sourced) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# The lab: where each behaviour comes from

Made from the comments in ovirt/lab; a stale page fails the tests. The second column is the class, file or setting of ovirt-engine, or what
else is named, that shows the behaviour: %d of them. What all this amounts to: [040-the-lab.md](040-the-lab.md).
`, len(rows))
	slices.SortStableFunc(rows, func(a, b sourced) int { return strings.Compare(a.file, b.file) })
	file := ""
	cell := strings.NewReplacer("|", `\|`, "*", `\*`, "<", "&lt;")
	for _, row := range rows {
		if row.file != file {
			file = row.file
			fmt.Fprintf(&b, "\n## %s\n\n| | from | what the lab does |\n| --- | --- | --- |\n", strings.ReplaceAll(strings.TrimSuffix(file, ".go"), "_", " "))
		}
		name := ""
		if row.name != "" {
			name = "`" + row.name + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, cell.Replace(row.sources), cell.Replace(row.text))
	}
	return b.String()
}
