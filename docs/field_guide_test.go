package docs

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the pages that are made from files")

const (
	fieldGuide     = "130-field-guide.md"
	customisations = "../examples/customisations"
	siteLibraries  = "../examples/libraries/lib/site"
)

const fieldGuideHead = `# Field guide

What sites ask for, and how it is done: each in at most 15 lines. Made from [examples](../examples/README.md), which the tests run against
simulated sites, arrays, name servers and machines; ` + "`go test ./docs -run TestFieldGuide -update`" + ` writes it.

` + "`require \"generated\"`" + ` stands for the table that ` + "`drrun generate`" + ` wrote, so that only what is special is left to see. In your own plan
hooks, ` + "`plan:on`" + ` and ` + "`plan:use`" + `, go below ` + "`dr.plan { … }`" + `. What is said of a VM or a storage domain, such as ` + "`my.vms[1].boot = …`" + `, goes into the
table of ` + "`dr.plan { … }`" + `, as ` + "`boot = …`" + ` of that VM: below it, it would come too late, and ` + "`drrun check`" + ` says so. What you want for several plans
becomes a [library](#libraries-of-a-site).
`

// fieldGuideGroups say where each example stands, and what it is called.
var fieldGuideGroups = []struct {
	title string
	of    [][2]string // file without its ending, title
}{
	{"Names and addresses", [][2]string{
		{"dns_switch", "The name of the service moves along"}, {"new_address", "A guest gets another address"}, {"balancer", "The load balancer follows"},
	}},
	{"Who starts, when", [][2]string{
		{"ranks_from_csv", "Ranks from a spreadsheet"}, {"test_vms_stay_down", "VMs for tests stay down"}, {"wait_for_port", "Wait until the database takes connections"},
		{"health_gate_sql", "Wait until the database answers in SQL"}, {"slower_on_failback", "One condition for the way out, another for the way back"},
	}},
	{"People", [][2]string{
		{"person_between_ranks", "A person between two ranks"}, {"tell_begin_and_end", "A chat channel hears of it"}, {"ticket_per_run", "A ticket for each run"},
		{"business_hours", "No planned move in business hours"},
	}},
	{"Applications and storage", [][2]string{
		{"stop_application", "Stop the application before its VM"}, {"smoke_test", "A test before anybody is sent there"}, {"script_at_the_end", "A script of yours at the end"},
		{"two_arrays", "Two arrays"},
	}},
}

var expectation = regexp.MustCompile(`(?m)^--@ .*\n`)

// TestFieldGuide keeps the field guide equal to the examples; -update rewrites it.
func TestFieldGuide(t *testing.T) {
	t.Parallel()
	text := fieldGuideText(t)
	if *update {
		if err := os.WriteFile(fieldGuide, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(fieldGuide)
	if err != nil {
		t.Fatal(err)
	}
	if string(committed) != text {
		t.Errorf("docs/%s is stale: go test ./docs -run TestFieldGuide -update", fieldGuide)
	}
}

func fieldGuideText(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(fieldGuideHead)
	var told []string
	for _, group := range fieldGuideGroups {
		fmt.Fprintf(&b, "\n## %s\n", group.title)
		for _, one := range group.of {
			file, title := one[0], one[1]
			told = append(told, file)
			what, code := example(t, filepath.Join(customisations, file+".lua"))
			fmt.Fprintf(&b, "\n### %s\n\n%s [%s.lua](%s/%s.lua)\n\n```lua\n%s```\n", title, what, file, customisations, file, code)
		}
	}
	for _, file := range luaFiles(t, customisations) {
		if !slices.Contains(told, file) {
			t.Errorf("%s/%s.lua has no place and title in fieldGuideGroups", customisations, file)
		}
	}
	b.WriteString("\n## Libraries of a site\n\nLonger, with options and tests of their own, to be taken along into `lib/`. [plan.lua](../examples/libraries/plan.lua) uses them all.\n\n| library | |\n| --- | --- |\n")
	for _, file := range luaFiles(t, siteLibraries) {
		what, _ := example(t, filepath.Join(siteLibraries, file+".lua"))
		sentence, _, _ := strings.Cut(what, ". ")
		fmt.Fprintf(&b, "| [%s.lua](%s/%s.lua) | %s |\n", file, siteLibraries, file, strings.TrimSuffix(sentence, "."))
	}
	return b.String()
}

// luaFiles are the names of the Lua files of a folder that are no tests, without their ending.
func luaFiles(t *testing.T, folder string) []string {
	t.Helper()
	paths, err := filepath.Glob(folder + "/*.lua")
	if err != nil || len(paths) < 3 {
		t.Fatalf("%s: %v %v", folder, paths, err)
	}
	var names []string
	for _, path := range paths {
		if name := strings.TrimSuffix(filepath.Base(path), ".lua"); !strings.HasSuffix(name, "_test") {
			names = append(names, name)
		}
	}
	return names
}

// example reads a file: the comment at its head says what it does, and what follows is how. What its test expects is left out.
func example(t *testing.T, path string) (what, code string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	code = strings.TrimLeft(expectation.ReplaceAllString(string(text), ""), "\n")
	for strings.HasPrefix(code, "--") {
		line, rest, _ := strings.Cut(code, "\n")
		if line = strings.TrimSpace(strings.TrimLeft(line, "-")); line == "" {
			break // the rest of the comment tells how to use it
		}
		words, code = append(words, line), rest
	}
	if len(words) == 0 {
		t.Errorf("%s does not say at its head what it does", path)
	}
	return strings.Join(words, " "), code
}
