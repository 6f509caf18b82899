package main

import (
	"fmt"
	"path"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/docs"
	"drrun/docs/terminal"
	"drrun/lua"
	"drrun/plans/codes"
	"drrun/plans/runner"
)

const docsHelp = `Shows the documentation. Without a topic the pages are listed. A topic is a page (its name, its number, or a part of its name), a hook
point, a module for hooks, a kind of object or one of its functions.

On a terminal the page is rendered, and shown by $PAGER (else less) when it is longer than the screen. Elsewhere it is plain Markdown.

EXAMPLES
drrun docs
drrun docs tutorial
drrun docs promote_storage
drrun docs vm:start
drrun docs --search boot condition
`

func newDocsCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "docs", Usage: "read the documentation", UsageText: "drrun docs [TOPIC] [--json]\ndrrun docs --search WORDS… [--json]", Description: docsHelp,
		Flags: []cli.Flag{&cli.BoolFlag{Name: "search", Usage: "list the parts that hold all of the words"}, jsonFlag()},
		Action: func(c *cli.Context) error {
			switch words := c.Args().Slice(); {
			case c.Bool("search") && len(words) == 0:
				return usage("--search is given no words").hinted("drrun docs --search boot condition").of(docsPath)
			case c.Bool("search"):
				inv.result = runDocsSearch(words, inv)
			case len(words) == 0:
				inv.result = runDocsList(inv)
			default:
				topic, problem := docsTopic(strings.Join(words, " "))
				if problem != nil {
					return problem
				}
				inv.result = runDocs(topic, inv)
			}
			return nil
		},
	}
}

var docsPath = []string{"drrun", "docs"}

// docsTopic finds the one topic of a name.
func docsTopic(name string) (docs.Topic, error) {
	found := docs.Find(name)
	if len(found) == 1 {
		return found[0], nil
	}
	if code := strings.Trim(name, "[]"); len(found) == 0 {
		if _, known := codes.Find(code); known {
			return docs.Topic{}, usage("%q is the code of a finding, and no topic", code).hinted("drrun explain %s", code).of(docsPath)
		}
		problem := usage("the documentation has no topic %q", name).of(docsPath)
		if nearest := lua.Nearest(strings.ToLower(name), docs.Names()); nearest != "" {
			return docs.Topic{}, problem.hinted("did you mean %s? drrun docs %s; or look for the words: drrun docs --search %s", nearest, nearest, name)
		}
		return docs.Topic{}, problem.hinted("look for the words: drrun docs --search %s; drrun docs lists the pages", name)
	}
	var names []string
	for _, topic := range found {
		names = append(names, topic.Name)
	}
	return docs.Topic{}, usage("%q can be several topics: %s", name, strings.Join(names, ", ")).hinted("drrun docs %s", names[0]).of(docsPath)
}

// docsPage is a page in the document of --json.
type docsPage struct {
	Topic string `json:"topic"`
	File  string `json:"file"`
	Title string `json:"title"`
	About string `json:"about"`
	Text  string `json:"text,omitempty"` // Markdown
}

func pageFor(p *docs.Page) docsPage {
	return docsPage{Topic: p.Topic(), File: p.File(), Title: p.Title(), About: p.About}
}

func runDocsList(inv *invocation) *runner.Result {
	var pages []docsPage
	var b strings.Builder
	var rows [][2]string
	group := ""
	for _, page := range docs.Pages() {
		if page.Group != group && len(rows) > 0 {
			definitions(&b, rows)
			b.WriteByte('\n')
			rows = nil
		}
		if page.Group != group {
			group = page.Group
			b.WriteString(strings.ToUpper(group) + "\n")
		}
		pages = append(pages, pageFor(page))
		rows = append(rows, [2]string{page.Topic(), strings.ReplaceAll(page.About, "`", "")})
	}
	definitions(&b, rows)
	if !inv.json {
		inv.screen.out(b.String() + "\ndrrun docs TOPIC shows a page, drrun docs --search WORDS finds words in all of them\n")
	}
	return withExtra(done("docs"), "pages", pages)
}

func runDocs(topic docs.Topic, inv *invocation) *runner.Result {
	page := pageFor(topic.Page)
	page.Text = topic.Text
	switch {
	case inv.json:
	case inv.env.IsTerminal(inv.env.Stdout):
		inv.page(terminal.Render(topic.Text, terminal.Options{
			Width: min(inv.env.Width(inv.env.Stdout), helpWidth), Styled: inv.styled(),
			Link: func(destination string) string { return docsLink(topic.Page, destination) },
		}))
	default:
		inv.screen.out(topic.Text)
	}
	return withExtra(done("docs"), "page", page)
}

// styled tells whether bold and colours are welcome (https://no-color.org).
func (inv *invocation) styled() bool {
	unwanted, _ := inv.env.Getenv("NO_COLOR")
	kind, _ := inv.env.Getenv("TERM")
	return unwanted == "" && kind != "dumb"
}

// docsLink is how a reader at a terminal follows a link of a page.
func docsLink(page *docs.Page, destination string) string {
	file, _, _ := strings.Cut(destination, "#")
	switch {
	case file == "": // on this page
		return ""
	case strings.Contains(file, "://"):
		return destination
	}
	file = path.Join(path.Dir(page.File()), file)
	if found := docs.Find(file); len(found) == 1 && found[0].Page.File() == file {
		return "drrun docs " + found[0].Name
	}
	return file
}

func runDocsSearch(words []string, inv *invocation) *runner.Result {
	hits := docs.Search(words)
	if len(hits) == 0 {
		return failure(runner.ExitInvalid, runner.StatusInvalid, "not-found", fmt.Errorf("no part of the documentation holds all of: %s", strings.Join(words, " ")), "try fewer words, or the beginning of one: drrun docs --search "+words[0])
	}
	if !inv.json {
		var b strings.Builder
		for _, hit := range hits[:min(len(hits), mostHits)] {
			fmt.Fprintf(&b, "drrun docs %s\n    %s\n", hit.Topic, hit.Title)
			if hit.Line != "" {
				fmt.Fprintf(&b, "    %s\n", clip(hit.Line, helpWidth-4))
			}
		}
		if len(hits) > mostHits {
			fmt.Fprintf(&b, "and %d more; add a word to find less\n", len(hits)-mostHits)
		}
		inv.screen.out(b.String())
	}
	return withExtra(done("docs"), "found", hits)
}

// mostHits is how many parts a search shows: a screen of them.
const mostHits = 12
